//! Why an attempt fails, and the exit code that says so.

use crate::agent::AgentError;
use crate::config::ConfigError;
use crate::director::DriveError;
use crate::gateway::GatewayError;
use crate::git::GitError;
use crate::probe::ProbeError;
use terarchitect_forge::ForgeError;
use terarchitect_outbound::{Retriable, chain};
use terarchitect_worker_api::client::ClientError;

/// Why an attempt did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// A setting is missing or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The API refused, or could not be reached.
    #[error("a call to Terarchitect's API failed")]
    Api(#[source] ClientError),
    /// The repository can't be used.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A model can't be used as it is configured.
    #[error(transparent)]
    Model(#[from] ProbeError),
    /// There is no gateway to the models.
    #[error("the models can't be asked")]
    Gateway(#[from] GatewayError),
    /// The agent could not be started.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The agent or its Director failed.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The pull request could not be opened.
    #[error("the branch is pushed, but its pull request could not be opened")]
    Forge(#[source] ForgeError),
    /// The pull request of a review could not be found out.
    #[error("the branch is pushed, but the forge did not say which pull request is open for it")]
    FindPull(#[source] ForgeError),
    /// A file or directory can't be read or written.
    #[error("{attempted}")]
    Io {
        /// What was attempted.
        attempted: String,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// A person or a signal cancelled it.
    #[error("the attempt was cancelled")]
    Cancelled,
    /// The agent changed nothing, and the Director gives no reason why nothing was needed.
    #[error(
        "the agent changed nothing: make the ticket's description clearer, or close the ticket if nothing needs to change"
    )]
    NothingChanged,
    /// A review of a ticket whose branch is not there, or has been merged.
    #[error(
        "the repository has no branch {branch} with work that its default branch does not have, so there is nothing that \
         reviewers could speak of: start the ticket itself"
    )]
    NothingToReview {
        /// The ticket's branch.
        branch: String,
    },
    /// The job waits for a person, without this attempt.
    #[error("the job waits for a person's decision: {message}")]
    Held {
        /// What to decide.
        message: String,
    },
    /// A person rejected what the job wanted to do, or did not decide in time.
    #[error("a person did not approve it: {reason}")]
    NotApproved {
        /// Why.
        reason: String,
    },
    /// A person granted more of a budget, and it is the same as before.
    #[error("a person granted more of the budget, but {limit} is as it was: set the budget again, and retry the job")]
    NotGranted {
        /// What is as it was.
        limit: String,
    },
    /// A bug in this program.
    #[error("{0}")]
    Internal(String),
}

impl AttemptError {
    /// The exit code: 1 the agent failed, 2 wrong configuration, 75 try again later, 76 held for a person, 130 cancelled.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 2,
            Self::Model(error) => {
                if error.is_misconfiguration() {
                    2
                } else {
                    75
                }
            }
            Self::Cancelled => 130,
            Self::Held { .. } => 76,
            Self::NotApproved { .. }
            | Self::NotGranted { .. }
            | Self::NothingChanged
            | Self::NothingToReview { .. }
            | Self::Internal(_) => 1,
            Self::Io { .. } | Self::Gateway(_) => 75,
            // A 404 without a code is not the API's own: it is from a proxy that can't reach the API at this moment.
            Self::Api(error)
                if error.may_pass() || (error.code().is_none() && error.status().is_some_and(|s| s == 404)) =>
            {
                75
            }
            Self::Api(_) => 2,
            Self::Git(error) => error.exit_code(),
            Self::Forge(error) | Self::FindPull(error) if error.is_misconfiguration() => 2,
            Self::Forge(error) | Self::FindPull(error) if error.is_infrastructure() => 75,
            Self::Forge(_) | Self::FindPull(_) => 1,
            Self::Agent(AgentError::Cancelled) => 130,
            Self::Agent(error) if error.is_misconfiguration() => 2,
            Self::Agent(error) if error.is_infrastructure() => 75,
            Self::Agent(_) => 1,
            Self::Drive(error) if error.is_cancelled() => 130,
            Self::Drive(DriveError::Hook(error)) => error.downcast_ref::<Self>().map_or(1, Self::exit_code),
            Self::Drive(error) if error.is_misconfiguration() => 2,
            Self::Drive(error) if error.is_infrastructure() => 75,
            Self::Drive(_) => 1,
        }
    }

    /// The error and all its causes in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        chain(self)
    }
}
