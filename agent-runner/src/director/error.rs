//! How a run can fail, and what that means for the job.

use super::chat::ChatError;
use crate::worker::WorkerError;

/// Why a run did not reach its end.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The run was cancelled; the worker is idle.
    #[error("the run was cancelled")]
    Cancelled,
    /// The worker failed.
    #[error("the worker could not do its turn")]
    Worker(#[source] WorkerError),
    /// The Director's model failed.
    #[error("the Director could not be asked")]
    Director(#[source] ChatError),
    /// The Director's answer was twice not what it was asked for.
    #[error(
        "the Director's answer to {phase} could not be read, also when asked again ({problem}): use a model that \
         follows instructions better (AGENT_MODEL)"
    )]
    UnreadableAnswer {
        /// What it was asked about.
        phase: super::Phase,
        /// What is wrong with the answer.
        problem: String,
    },
    /// The worker used up its turns.
    #[error(
        "the Director did not call the ticket complete within {limit} turns; what was done so far is on the branch, \
         make the ticket smaller or its description clearer"
    )]
    TurnLimit {
        /// How many turns there were.
        limit: u32,
    },
    /// The Director sees no way to complete the ticket.
    #[error("the ticket can't be completed as it stands, the Director says: {reason}")]
    Blocked {
        /// Why.
        reason: String,
    },
    /// The run lost its thread, which is a mistake in this program.
    #[error("the run lost its thread, please report this as a defect")]
    OutOfOrder,
    /// What had to be done after a turn failed.
    #[error("the work of a turn could not be kept")]
    Hook(#[source] anyhow::Error),
}

impl DriveError {
    /// Cancellation is the same whoever noticed it.
    pub(super) fn from_worker(error: WorkerError) -> Self {
        match error {
            WorkerError::Cancelled => Self::Cancelled,
            error => Self::Worker(error),
        }
    }

    /// Whether the run was cancelled (exit code 130).
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }

    /// Whether the surroundings failed rather than the agent (exit code 75). A hook's error is for its owner to judge.
    #[must_use]
    pub fn is_infrastructure(&self) -> bool {
        match self {
            Self::Worker(error) => error.is_infrastructure(),
            Self::Director(error) => error.is_infrastructure(),
            _ => false,
        }
    }

    /// Whether a setting is wrong (exit code 2).
    #[must_use]
    pub fn is_misconfiguration(&self) -> bool {
        match self {
            Self::Worker(error) => error.is_misconfiguration(),
            Self::Director(error) => error.is_misconfiguration(),
            _ => false,
        }
    }
}
