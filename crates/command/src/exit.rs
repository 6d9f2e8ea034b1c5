//! Exit codes, and which error gets which.

use terarchitect_client::ClientError;

/// Done.
pub(crate) const DONE: u8 = 0;
/// Failed or refused.
pub(crate) const FAILED: u8 = 1;
/// The command line is not right.
pub(crate) const USAGE: u8 = 2;
/// The API does not respond.
pub(crate) const NOT_REACHABLE: u8 = 3;
/// Not signed in, or not allowed.
pub(crate) const NOT_ALLOWED: u8 = 4;
/// The ticket was cancelled.
pub(crate) const CANCELLED: u8 = 5;
/// Ctrl-C.
pub(crate) const INTERRUPTED: u8 = 130;
/// Standard output was closed: the code of a program that SIGPIPE ends.
pub(crate) const CLOSED_OUTPUT: u8 = 141;

/// An end with a code of its own, and a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub(crate) struct End {
    pub(crate) code: u8,
    pub(crate) sentence: String,
}

/// The command line does not say what to do.
pub(crate) fn usage(sentence: impl Into<String>) -> anyhow::Error {
    End { code: USAGE, sentence: sentence.into() }.into()
}

/// It can't be done.
pub(crate) fn failed(sentence: impl Into<String>) -> anyhow::Error {
    End { code: FAILED, sentence: sentence.into() }.into()
}

/// The code for an error.
pub(crate) fn code_of(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if let Some(end) = cause.downcast_ref::<End>() {
            return end.code;
        }
        if let Some(io) = cause.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::BrokenPipe
        {
            return CLOSED_OUTPUT;
        }
        if let Some(refused) = cause.downcast_ref::<ClientError>() {
            return match refused.status().map(|status| status.as_u16()) {
                Some(401 | 403) => NOT_ALLOWED,
                _ if refused.is_unreachable() => NOT_REACHABLE,
                _ => FAILED,
            };
        }
    }
    FAILED
}

/// What to do about an error, where the API's own sentence does not say it.
pub(crate) fn advice(error: &anyhow::Error) -> Option<&'static str> {
    match code_of(error) {
        NOT_REACHABLE => Some(
            "is the address right? --server or TERARCHITECT_API_URL names another; `terarchitect up` starts one here",
        ),
        NOT_ALLOWED => {
            let refused = error.chain().find_map(|cause| cause.downcast_ref::<ClientError>())?;
            let unknown = refused.status().is_some_and(|status| status.as_u16() == 401);
            unknown.then_some("sign in with `terarchitect login`, or set TERARCHITECT_API_KEY")
        }
        _ => None,
    }
}
