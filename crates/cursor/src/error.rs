//! Why a call to Cursor failed, in one small set. Each is a sentence that says what to do.

use reqwest::StatusCode;
use std::time::Duration;

/// Why a call to Cursor failed. Each is a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CursorError {
    /// The key is wrong, or may not do this.
    #[error("Cursor denied access ({message}): check CURSOR_API_KEY, and that its account may use this repository")]
    Denied {
        /// Cursor's message.
        message: String,
    },
    /// There is no such agent, or the key does not see it.
    #[error("Cursor does not find {what}: it was deleted, or belongs to another account")]
    NotFound {
        /// What was asked for.
        what: &'static str,
    },
    /// The agent works on something else at this moment.
    #[error("Cursor's agent is still at work ({message}): wait until it has finished")]
    Busy {
        /// Cursor's message.
        message: String,
    },
    /// Cursor did not accept the request.
    #[error("Cursor did not accept {what}: {message}")]
    Refused {
        /// What it did not accept.
        what: &'static str,
        /// Cursor's message.
        message: String,
    },
    /// Cursor limits requests for longer than this call may wait.
    #[error("Cursor limits requests at the moment, with {status}: try again later")]
    Limited {
        /// The status that said so.
        status: StatusCode,
        /// How long it asks to wait, where it says so.
        retry_after: Option<Duration>,
    },
    /// Cursor could not be reached, or failed, even after several tries.
    #[error("Cursor is unavailable even after several tries ({message}): try again later")]
    Unavailable {
        /// What happened at the last try.
        message: String,
    },
}

impl CursorError {
    /// Whether Cursor failed rather than the request, so that it may work later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Limited { .. } | Self::Busy { .. })
    }

    /// How long Cursor asks to wait before the next call, where it says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Limited { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
