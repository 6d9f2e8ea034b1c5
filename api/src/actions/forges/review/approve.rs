//! Approves a pull request for a person, with the approver's account: no forge lets the bot approve what it opened.

use super::{ReviewDone, Reviewer, Reviews};
use crate::actions::ActionResult;
use crate::actions::forges::ask::ForgePlace;
use crate::actions::tickets::append_log::store;
use crate::db;
use crate::db::forges::reviews::TicketPull;
use crate::db::tickets::logs::NewLogEntry;
use crate::domain::forges::ReviewState;
use crate::domain::forges::standing::{approval, require_head, require_length, require_open, short};
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::Refusal;
use serde::Deserialize;
use serde_json::json;
use terarchitect_worker_api::{ProjectId, TicketId};
use utoipa::ToSchema;

/// An approval.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct Approval {
    /// A text, beside the name of who approves.
    pub body: Option<String>,
    /// The head that was seen; absent: the one that the forge has now.
    pub head_sha: Option<String>,
}

impl Reviews {
    /// Approves a pull request.
    ///
    /// # Errors
    /// When there is none, its head has moved, no approver's credential is stored, or the forge does not accept it.
    pub async fn approve(
        &self,
        by: &Reviewer,
        (project, ticket): (ProjectId, TicketId),
        new: Approval,
    ) -> ActionResult<ReviewDone> {
        require_length(new.body.as_deref().unwrap_or_default())?;
        let (pull, place) = self.pull_of(project, ticket).await?;
        self.heeding(pull.id, self.approve_it(by, &pull, &place, &new).await).await?;
        Ok(self.after("Pull request approved".to_owned(), &pull, &place).await)
    }

    async fn approve_it(
        &self,
        by: &Reviewer,
        pull: &TicketPull,
        place: &ForgePlace,
        new: &Approval,
    ) -> ActionResult<()> {
        let (project, ticket) = (ProjectId(pull.project_id), TicketId(pull.ticket_id));
        let (_, now) = self.forge.pull(place, pull.number).await.map_err(Refusal::from)?;
        require_open(now.state)?;
        require_head(new.head_sha.as_deref(), &now.head.sha)?;
        let (text, head) = (approval(&by.name, new.body.as_deref()), now.head.sha.as_str());
        let account = self.forge.approve(place, pull.number, &now.author, &text, head).await.map_err(Refusal::from)?;
        let mut change = self.database.change(&by.actor).await?;
        if !db::tickets::hold(&mut change, project, ticket).await? {
            return Err(Refusal::not_found("ticket", ticket).into());
        }
        let said = format!("{} approved pull request #{} at {}, as {account}.", by.name, pull.number, short(head));
        store(&mut change, &NewLogEntry::outcome(project, ticket, "pull_request", said)).await?;
        let state = ReviewState::Approved;
        db::forges::pulls::reviewed(&mut change, pull.id, state, &account, Some(head), None).await?;
        let data = json!({"pr_number": pull.number, "head_sha": head, "account": account});
        change.record(NewEvent::of_ticket(EventKind::PullRequestApproved, project, ticket).with(data));
        Ok(change.commit().await?)
    }
}
