//! A ticket's pull request for the people who review it here: read, comment, approve, merge.
//!
//! What the forge showed is stored, and many readers share it. It is read again once something is known to have changed, and
//! after a while in any case.

pub mod approve;
pub mod at_forge;
pub mod comment;
pub mod list;
pub mod merge;
pub mod read;
pub mod standing;
pub mod view;

use crate::actions::forges::ask::ForgePlace;
use crate::actions::forges::ask::NoAnswer;
use crate::actions::{ActionError, ActionResult};
use crate::changes::Database;
use crate::db;
use crate::db::forges::reviews::TicketPull;
use crate::domain::actor::Actor;
use crate::domain::refusal::{ErrorCode, Refusal};
use at_forge::{AtForge, NotDone};
use read::Reads;
use serde::Serialize;
use std::sync::Arc;
use terarchitect_worker_api::{ProjectId, TicketId};
use utoipa::ToSchema;
use uuid::Uuid;
use view::PullReview;

/// Pull requests for the people who review them.
#[derive(Debug)]
pub struct Reviews {
    database: Database,
    forge: Arc<dyn AtForge>,
    reads: Reads,
}

/// Who reviews.
#[derive(Clone, Debug)]
pub struct Reviewer {
    /// As the event log records it.
    pub actor: Actor,
    /// What others call them.
    pub name: String,
}

/// What came of something that a person did with a pull request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReviewDone {
    /// What was done, in a sentence.
    pub message: String,
    /// The pull request after that; null where it could not be read just then.
    pub review: Option<PullReview>,
}

impl Reviews {
    /// Pull requests at these forges.
    #[must_use]
    pub fn new(database: Database, forge: Arc<dyn AtForge>) -> Self {
        Self { database, forge, reads: Reads::default() }
    }

    /// The pull request of a ticket, and where it is.
    async fn pull_of(&self, project: ProjectId, ticket: TicketId) -> ActionResult<(TicketPull, ForgePlace)> {
        let mut conn = self.database.read().await?;
        let mut found = db::forges::reviews::of_ticket(&mut conn, project, ticket).await?;
        if found.is_none() {
            let stored = db::tickets::find(&mut conn, project, ticket).await?;
            let stored = stored.ok_or_else(|| Refusal::not_found("ticket", ticket))?;
            // Done before pull requests were followed.
            if let Some(number) = stored.pr_number {
                db::forges::pulls::insert(&mut conn, project, ticket, number, stored.pr_url.as_deref(), None).await?;
                found = db::forges::reviews::of_ticket(&mut conn, project, ticket).await?;
            }
        }
        let pull = found.ok_or_else(no_pull_request)?;
        let Some(address) = pull.github_url.clone() else {
            let sentence = "The project has no repository any more, so its pull requests can't be read.".to_owned();
            return Err(Refusal::from(NotDone::NoAnswer(NoAnswer { sentence, retry_after: None })).into());
        };
        let place = ForgePlace { project, address, kind: pull.forge_kind };
        Ok((pull, place))
    }

    /// A refusal that says that what is known here is old lets it be read again.
    async fn heeding<T>(&self, pull: Uuid, done: ActionResult<T>) -> ActionResult<T> {
        if let Err(ActionError::Refused(refusal)) = &done
            && matches!(
                refusal.code,
                ErrorCode::HeadMoved
                    | ErrorCode::NotMergeable
                    | ErrorCode::PullRequestNotOpen
                    | ErrorCode::ForgeRefused
            )
        {
            db::forges::reviews::touch(&mut *self.database.read().await?, pull).await?;
        }
        done
    }

    /// The pull request once more after a change. The change is done, so that a forge that does not respond now only means
    /// that it is read later.
    async fn after(&self, message: String, pull: &TicketPull, place: &ForgePlace) -> ReviewDone {
        let review = match self.renewed(pull, place).await {
            Ok(review) => Some(review),
            Err(error) => {
                tracing::info!(pr.number = pull.number, %error, "a pull request could not be read after a change");
                None
            }
        };
        ReviewDone { message, review }
    }
}

fn no_pull_request() -> Refusal {
    let sentence = "This ticket has no pull request yet; its runner opens one when the work is done.";
    Refusal::new(ErrorCode::NoPullRequest, sentence)
}
