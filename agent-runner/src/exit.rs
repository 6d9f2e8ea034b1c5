//! How a run ends, and the exit code that says so.

use crate::config::ConfigError;
use crate::director::DriveError;
use crate::forge::ForgeError;
use crate::git::GitError;
use crate::worker::WorkerError;
use terarchitect_worker_api::client::ClientError;

/// Why a run did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A setting is missing or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The API can't be used.
    #[error("could not talk to the API")]
    Api(#[source] ClientError),
    /// The repository can't be used.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The agent could not be started.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The agent or its Director failed.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The pull request could not be opened.
    #[error(transparent)]
    Forge(#[from] ForgeError),
    /// The machine is not up to it.
    #[error("{attempted}")]
    Io {
        /// What was attempted.
        attempted: String,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// A person asked for it, or a signal.
    #[error("the run was cancelled")]
    Cancelled,
    /// The agent changed nothing, and nobody says that nothing was needed.
    #[error("the agent changed nothing; make the ticket's description clearer, or close it if nothing is to do")]
    NothingChanged,
    /// A bug of ours.
    #[error("{0}")]
    Internal(String),
}

impl RunError {
    /// The exit code of DESIGN section 8: 1 the agent failed, 2 configuration, 75 try again, 130 cancelled.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 2,
            Self::Cancelled => 130,
            Self::NothingChanged | Self::Internal(_) => 1,
            Self::Io { .. } => 75,
            // A 404 without a code is not the API's own: a proxy that does not know it at this moment.
            Self::Api(error)
                if error.may_pass() || (error.code().is_none() && error.status().is_some_and(|s| s == 404)) =>
            {
                75
            }
            Self::Api(_) => 2,
            Self::Git(error) => error.exit_code(),
            Self::Forge(error) => error.exit_code(),
            Self::Worker(WorkerError::Cancelled) => 130,
            Self::Worker(error) if error.is_misconfiguration() => 2,
            Self::Worker(error) if error.is_infrastructure() => 75,
            Self::Worker(_) => 1,
            Self::Drive(error) if error.is_cancelled() => 130,
            Self::Drive(DriveError::Hook(error)) => error.downcast_ref::<GitError>().map_or(1, GitError::exit_code),
            Self::Drive(error) if error.is_misconfiguration() => 2,
            Self::Drive(error) if error.is_infrastructure() => 75,
            Self::Drive(_) => 1,
        }
    }

    /// The error and all its causes in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        terarchitect_worker_api::chain(self)
    }
}
