//! Why a ticket could not be completed, and what that means for the job.

use super::chat::ChatError;
use crate::agent::AgentError;
use crate::stuck::Found;

/// Why a ticket could not be completed.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The attempt was cancelled; the agent is idle.
    #[error("the attempt was cancelled")]
    Cancelled,
    /// The agent failed.
    #[error("the agent's turn failed")]
    Agent(#[source] AgentError),
    /// The Director's model failed.
    #[error("a call to the Director's model failed")]
    Director(#[source] ChatError),
    /// The Director's answer was unusable three times in a row.
    #[error(
        "the Director's answer in {phase} was unusable three times in a row ({problem}): use a model that follows \
         instructions better (AGENT_MODEL)"
    )]
    UnusableAnswer {
        /// What the question was about.
        phase: super::Phase,
        /// What is wrong with the answer.
        problem: String,
    },
    /// The agent used up its turns.
    #[error(
        "the ticket was not complete after {limit} execution turns (AGENT_MAX_TURNS); the work so far is on the \
         branch: raise AGENT_MAX_TURNS, make the ticket smaller, or make its description clearer"
    )]
    TurnLimit {
        /// How many turns there were.
        limit: u32,
    },
    /// The Director says that the ticket can't be completed.
    #[error("the Director says that the ticket can't be completed: {reason}")]
    Blocked {
        /// Why.
        reason: String,
    },
    /// The agent is stuck, and nothing that was tried has helped.
    #[error(
        "the agent {found}, and nothing that was tried has helped; the work so far is on the branch: use another model \
         (WORKER_MODEL), or make the ticket smaller or its description clearer"
    )]
    Stuck {
        /// How it is stuck.
        found: Found,
    },
    /// The verification failed as often as it may.
    #[error(
        "the verification failed {rounds} times, so the ticket is not done: {failure}. The work so far is on the branch: change the ticket, the commands of its verification, or the code"
    )]
    Unproven {
        /// How often.
        rounds: u32,
        /// What failed the last time.
        failure: String,
    },
    /// The flow got an event that it did not expect, which is a bug in this program.
    #[error("the Director's flow got an event that it did not expect; please report this as a bug")]
    OutOfOrder,
    /// Committing or pushing after a turn failed.
    #[error("the changes of a turn could not be committed and pushed")]
    Hook(#[source] anyhow::Error),
}

impl DriveError {
    /// A cancellation that the agent noticed is a cancellation of the attempt.
    pub(super) fn from_agent(error: AgentError) -> Self {
        match error {
            AgentError::Cancelled => Self::Cancelled,
            error => Self::Agent(error),
        }
    }

    /// Whether the attempt's budget is used up.
    pub(super) fn is_budget(&self) -> bool {
        match self {
            Self::Agent(error) => error.is_budget(),
            Self::Director(error) => matches!(error, ChatError::Budget { .. }),
            _ => false,
        }
    }

    /// Whether the attempt was cancelled (exit code 130).
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }

    /// Whether the environment failed rather than the agent (exit code 75). The caller judges a hook's error.
    #[must_use]
    pub fn is_infrastructure(&self) -> bool {
        match self {
            Self::Agent(error) => error.is_infrastructure(),
            Self::Director(error) => error.is_infrastructure(),
            _ => false,
        }
    }

    /// Whether a setting is wrong (exit code 2).
    #[must_use]
    pub fn is_misconfiguration(&self) -> bool {
        match self {
            Self::Agent(error) => error.is_misconfiguration(),
            Self::Director(error) => error.is_misconfiguration(),
            _ => false,
        }
    }
}
