//! Why a call to a forge failed: the forges' own ways to say no, in one small set. Each is a sentence that says what to do.

use reqwest::StatusCode;
use std::time::Duration;

/// Why a call to a forge failed. Each is a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// There is no token.
    #[error("a pull request needs a token: set GITHUB_TOKEN, or github_agent_token in the settings")]
    NoToken,
    /// There is a token, and it is for another host.
    #[error("{name} is for {home}, and is not sent to {host}: add a token that is for {host}")]
    OtherHost {
        /// What the token is called.
        name: String,
        /// The host that it is for.
        home: String,
        /// The host that was to be called.
        host: String,
    },
    /// The token is wrong, or has no permission.
    #[error("{host} denied access ({message}): check that {token} may read and write the repository's pull requests")]
    Denied {
        /// The forge.
        host: String,
        /// Its message.
        message: String,
        /// What the token is called.
        token: String,
    },
    /// The forge does not know it, or does not show it to this token.
    #[error("{host} does not find {what}: check that it exists, and that {token} may see it")]
    NotFound {
        /// The forge.
        host: String,
        /// What was asked for.
        what: &'static str,
        /// What the token is called.
        token: String,
    },
    /// The forge did not accept the request.
    #[error("{host} did not accept {what}: {message}")]
    Refused {
        /// The forge.
        host: String,
        /// What it did not accept.
        what: &'static str,
        /// Its message.
        message: String,
    },
    /// What the request was based on is no longer so.
    #[error("{host} can't do this as the pull request is now ({message}): look at it again, then repeat the call")]
    Conflict {
        /// The forge.
        host: String,
        /// What is in the way.
        why: Conflict,
        /// The forge's message.
        message: String,
    },
    /// The forge limits requests for longer than this call may wait.
    #[error(
        "{host} is unavailable even after several tries (it limits requests at the moment, with {status}): try again later"
    )]
    Limited {
        /// The forge.
        host: String,
        /// The status that said so.
        status: StatusCode,
        /// How long it asks to wait, where it says so.
        retry_after: Option<Duration>,
    },
    /// The forge could not be reached, or failed, even after several tries.
    #[error("{host} is unavailable even after several tries ({message}): try again later")]
    Unavailable {
        /// The forge.
        host: String,
        /// What happened at the last try.
        message: String,
    },
    /// No forge of a known kind is there, or it can't do what was asked.
    #[error("{host} can't be used for this: {message}")]
    Unsupported {
        /// The host in the address, or the address itself where it names none.
        host: String,
        /// Why not, and what to do instead.
        message: String,
    },
}

/// What is in the way of a change to a pull request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// Its branch has other commits by now than those that were seen.
    HeadMoved,
    /// It conflicts with its base, or a rule of the repository is not met.
    NotMergeable,
}

impl ForgeError {
    /// Whether the forge failed rather than the request, so that it may work later.
    #[must_use]
    pub fn is_infrastructure(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Limited { .. })
    }

    /// Whether a setting is wrong, so that retrying cannot help before a person changes it.
    #[must_use]
    pub fn is_misconfiguration(&self) -> bool {
        matches!(self, Self::NoToken | Self::OtherHost { .. } | Self::Denied { .. } | Self::Unsupported { .. })
    }

    /// How long the forge asks to wait before the next call, where it says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Limited { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
