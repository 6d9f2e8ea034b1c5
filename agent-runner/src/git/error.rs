//! How work with the repository fails, and what that means for the job.

use std::path::PathBuf;
use std::time::Duration;
use terarchitect_outbound::Retriable;

const WRONG_TOKEN: &str = "check that GITHUB_TOKEN may read and write the repository";
const NO_TOKEN: &str = "it requires a token; set GITHUB_TOKEN, or github_agent_token in the API's settings";

/// Why the repository could not be used. Each is a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The address is invalid.
    #[error("REPO_URL is '{url}', which is not the address of a Git repository, such as https://github.com/owner/repo")]
    InvalidUrl {
        /// The address, without its secret part.
        url: String,
    },
    /// The workspace contains something.
    #[error("the workspace {} is not empty; set WORKSPACE_DIR to an empty directory, or unset it", dir.display())]
    NotEmpty {
        /// The workspace.
        dir: PathBuf,
    },
    /// The remote refuses the token, or requires one.
    #[error("{url} denied access: {}", if *had_token { WRONG_TOKEN } else { NO_TOKEN })]
    Denied {
        /// The repository.
        url: String,
        /// Whether a token was given.
        had_token: bool,
        /// The HTTP status; absent where the remote asked for other credentials.
        status: Option<u16>,
    },
    /// The remote does not know the repository.
    #[error("{url} does not exist, or the token has no access to it; check REPO_URL and GITHUB_TOKEN")]
    NotFound {
        /// The repository.
        url: String,
    },
    /// The token is for another host than the repository's.
    #[error(
        "the token is for {home}, and the repository is at {url}; the token is not sent there. Set GITHUB_TOKEN_HOST to \
         the repository's host if the token is for that one (with http:// before it, if it has no encryption)"
    )]
    WrongHost {
        /// The token's host.
        home: String,
        /// The repository.
        url: String,
    },
    /// The remote's address leads to another host, or to an unencrypted address.
    #[error("{url} leads elsewhere ({said}); enter the repository's new address in the project")]
    Elsewhere {
        /// The repository.
        url: String,
        /// What libgit2 said.
        said: String,
    },
    /// What is at the address is no repository that can be used.
    #[error("{url} can't be used as a Git repository: {said}")]
    Unusable {
        /// The repository.
        url: String,
        /// Why, and what to do.
        said: &'static str,
    },
    /// The proxy can't be used.
    #[error("{url} can't be cloned through the proxy: {advice}")]
    Proxy {
        /// The repository.
        url: String,
        /// What to do.
        advice: &'static str,
    },
    /// The remote does not accept the push, and won't accept it later.
    #[error("{url} did not accept the push of {branch}: {said}. {advice}")]
    Refused {
        /// The repository.
        url: String,
        /// The branch.
        branch: String,
        /// The remote's words.
        said: String,
        /// What to do.
        advice: &'static str,
    },
    /// The remote has no time now: a rate limit, or a lock.
    #[error("{url} does not accept this at the moment: {said}")]
    Busy {
        /// The repository.
        url: String,
        /// The remote's words.
        said: String,
        /// How long it asks to wait.
        wait: Option<Duration>,
    },
    /// Nothing says which branch to start from.
    #[error("{url} does not say which branch is its default, and several may be; set its default branch at the forge")]
    NoDefaultBranch {
        /// The repository.
        url: String,
    },
    /// The branch that work was to start from is not there.
    #[error("{url} has no branch {branch} to start from; push it, or name another one as the order's branch_name")]
    NoSuchStart {
        /// The repository.
        url: String,
        /// The branch.
        branch: String,
    },
    /// Another program or person pushed to the branch.
    #[error(
        "the branch {branch} changed on the remote during this attempt ({reason}); nothing was overwritten: start the \
         ticket again to continue from there"
    )]
    Rejected {
        /// The branch.
        branch: String,
        /// What the remote said.
        reason: String,
    },
    /// The remote can't be reached, or failed.
    #[error("{attempted} {url}")]
    Unreachable {
        /// What was attempted.
        attempted: &'static str,
        /// The repository.
        url: String,
        /// What went wrong.
        #[source]
        source: git2::Error,
    },
    /// The attempt was cancelled during the call.
    #[error("the attempt was cancelled")]
    Cancelled,
    /// A file or directory can't be read or written.
    #[error("{attempted}")]
    Io {
        /// What was attempted.
        attempted: &'static str,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// Any other error of libgit2.
    #[error("{attempted}")]
    Git {
        /// What was attempted.
        attempted: &'static str,
        /// What went wrong.
        #[source]
        source: git2::Error,
    },
}

impl GitError {
    pub(super) fn new(attempted: &'static str, source: git2::Error) -> Self {
        Self::Git { attempted, source }
    }

    /// The exit code that this failure asks for.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::InvalidUrl { .. } | Self::NotEmpty { .. } | Self::Denied { .. } | Self::NotFound { .. } => 2,
            Self::WrongHost { .. } | Self::Elsewhere { .. } | Self::Proxy { .. } | Self::Refused { .. } => 2,
            Self::NoDefaultBranch { .. } | Self::NoSuchStart { .. } | Self::Unusable { .. } => 2,
            Self::Unreachable { .. } | Self::Busy { .. } | Self::Io { .. } => 75,
            Self::Cancelled => 130,
            Self::Rejected { .. } | Self::Git { .. } => 1,
        }
    }
}

impl Retriable for GitError {
    fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy { .. })
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { wait, .. } => *wait,
            _ => None,
        }
    }
}
