//! The actions: one file and one transaction for each, with the actor who makes the change.
//!
//! An action locks in the order of [`crate::db`], lets `domain` decide, writes through `db`, and records what changed.
//! The claims and completions of many workers are not here: they are batched statements of [`crate::queue`].

pub mod agent_tasks;
pub mod agents;
pub mod checkpoints;
pub mod cloud;
pub mod forges;
pub mod jobs;
pub mod known;
pub mod live;
pub mod people;
pub mod projects;
pub mod schedules;
pub mod system;
pub mod tickets;
pub mod work_orders;
pub mod worker;

use crate::domain::refusal::{ErrorCode, Refusal};
use crate::passwords::NotHashed;
use crate::sealing::SealingError;
use std::time::Duration;

/// Why an action did nothing.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// The request is refused; the sentence is for the client.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// The database failed, or a constraint refused the change.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// A secret could not be sealed or opened.
    #[error("a stored secret could not be opened")]
    Secret(#[from] SealingError),
    /// A password could not be hashed.
    #[error("a password could not be hashed")]
    Password(NotHashed),
}

impl From<NotHashed> for ActionError {
    fn from(error: NotHashed) -> Self {
        match error {
            NotHashed::Crowded => {
                let sentence = "Many people are signing in at this moment; try again in a few seconds.";
                Self::Refused(Refusal::new(ErrorCode::SlowDown, sentence).retry_after(Duration::from_secs(3)))
            }
            error @ NotHashed::Failed => Self::Password(error),
        }
    }
}

impl From<Refusal> for ActionError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What an action returns.
pub type ActionResult<T> = Result<T, ActionError>;
