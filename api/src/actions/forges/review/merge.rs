//! Merges a pull request for a person. The ticket follows as it does when the forge reports a merge.

use super::at_forge::MergeMethod;
use super::read::{facts, row};
use super::{ReviewDone, Reviewer, Reviews};
use crate::actions::ActionResult;
use crate::actions::forges::ask::ForgePlace;
use crate::actions::forges::follow::follow;
use crate::db;
use crate::db::forges::reviews::TicketPull;
use crate::domain::forges::PullState;
use crate::domain::forges::event::PullFacts;
use crate::domain::forges::standing::{can_merge, require_head, require_open};
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::{ErrorCode, Refusal};
use serde::Deserialize;
use serde_json::json;
use terarchitect_worker_api::{ProjectId, TicketId};
use utoipa::ToSchema;

/// A merge.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct NewMerge {
    /// How; absent: with a merge commit.
    #[serde(default)]
    pub merge_method: MergeMethod,
    /// The head that was seen; absent: the one that the forge has now.
    pub head_sha: Option<String>,
}

impl Reviews {
    /// Merges a pull request.
    ///
    /// # Errors
    /// When there is none, its head has moved, or it can't be merged.
    pub async fn merge(
        &self,
        by: &Reviewer,
        (project, ticket): (ProjectId, TicketId),
        new: NewMerge,
    ) -> ActionResult<ReviewDone> {
        let (pull, place) = self.pull_of(project, ticket).await?;
        self.heeding(pull.id, self.merge_it(by, &pull, &place, &new).await).await?;
        Ok(self.after("Pull request merged".to_owned(), &pull, &place).await)
    }

    async fn merge_it(&self, by: &Reviewer, pull: &TicketPull, place: &ForgePlace, new: &NewMerge) -> ActionResult<()> {
        let (kind, now) = self.forge.pull(place, pull.number).await.map_err(Refusal::from)?;
        require_open(now.state)?;
        require_head(new.head_sha.as_deref(), &now.head.sha)?;
        if now.draft {
            // Some forges would merge it all the same.
            return Err(Refusal::new(ErrorCode::NotMergeable, can_merge(&now).reason.unwrap_or_default()).into());
        }
        self.forge.merge(place, pull.number, new.merge_method, &now.head.sha).await.map_err(Refusal::from)?;
        let mut change = self.database.change(&by.actor).await?;
        let merged = PullFacts { state: PullState::Merged, updated_at: None, ..facts(&now) };
        if let Some(known) = db::forges::reviews::known(&mut change, pull.id).await? {
            follow(&mut change, &row(pull, &known), kind, &merged, Some(&by.name)).await?;
        }
        let data = json!({"pr_number": pull.number, "head_sha": now.head.sha, "merge_method": new.merge_method});
        change.record(
            NewEvent::of_ticket(EventKind::PullRequestMerged, ProjectId(pull.project_id), TicketId(pull.ticket_id))
                .with(data),
        );
        Ok(change.commit().await?)
    }
}
