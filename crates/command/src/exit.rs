//! Exit codes, which error gets which, and what an error is for a program.

use clap::error::{ContextKind, ContextValue};
use serde::Serialize;
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

/// An end with a code of its own, a word for programs, and a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub(crate) struct End {
    pub(crate) code: u8,
    pub(crate) word: &'static str,
    pub(crate) sentence: String,
}

/// The command line does not say what to do.
pub(crate) fn usage(sentence: impl Into<String>) -> anyhow::Error {
    End { code: USAGE, word: "usage", sentence: sentence.into() }.into()
}

/// It can't be done.
pub(crate) fn failed(sentence: impl Into<String>) -> anyhow::Error {
    End { code: FAILED, word: "failed", sentence: sentence.into() }.into()
}

/// What is named is not there.
pub(crate) fn not_found(sentence: impl Into<String>) -> anyhow::Error {
    End { code: FAILED, word: "not_found", sentence: sentence.into() }.into()
}

/// The server does not let the caller in.
pub(crate) fn not_signed_in(sentence: impl Into<String>) -> anyhow::Error {
    End { code: NOT_ALLOWED, word: "not_signed_in", sentence: sentence.into() }.into()
}

/// A person did not let this program in.
pub(crate) fn not_let_in(word: &'static str, sentence: impl Into<String>) -> anyhow::Error {
    End { code: NOT_ALLOWED, word, sentence: sentence.into() }.into()
}

/// A person pressed Ctrl-C.
pub(crate) fn interrupted(sentence: impl Into<String>) -> anyhow::Error {
    End { code: INTERRUPTED, word: "interrupted", sentence: sentence.into() }.into()
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

/// An error for a program: one line of JSON on standard error, with --json.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// What went wrong, for a person.
    error: String,
    /// What went wrong, for a program: a word of the API, such as `not_found`, or one of this program's own.
    code: String,
    /// The exit code of the command.
    exit_code: u8,
    /// The status of the API's response, if it was that.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// The request's id, by which the API's log is searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// What to do, where the error itself does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Problem {
    /// An error of a command.
    pub(crate) fn new(error: &anyhow::Error) -> Self {
        let refused = error.chain().find_map(|cause| cause.downcast_ref::<ClientError>());
        Self {
            error: terarchitect_outbound::chain(error.as_ref()),
            code: word_of(error),
            exit_code: code_of(error),
            status: refused.and_then(ClientError::status).map(|status| status.as_u16()),
            request_id: refused.and_then(ClientError::request_id).map(str::to_owned),
            advice: advice(error).map(str::to_owned),
        }
    }

    /// A command line that is not right.
    pub(crate) fn of_command_line(error: &clap::Error) -> Self {
        let text = error.to_string();
        let said = text.split("\n\nUsage").next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        let said = said.trim_start_matches("error: ").to_owned();
        let usage = match error.get(ContextKind::Usage) {
            Some(ContextValue::StyledStr(usage)) => Some(usage.to_string()),
            _ => None,
        };
        let advice = Some(usage.unwrap_or_else(|| "--help tells what it can be".to_owned()));
        Self { error: said, code: "usage".to_owned(), exit_code: USAGE, status: None, request_id: None, advice }
    }
}

/// The word of an error for programs.
fn word_of(error: &anyhow::Error) -> String {
    for cause in error.chain() {
        if let Some(end) = cause.downcast_ref::<End>() {
            return end.word.to_owned();
        }
        if let Some(refused) = cause.downcast_ref::<ClientError>() {
            let word = match refused {
                _ if refused.is_unreachable() => "unreachable",
                ClientError::NotSupported { .. } => "not_supported",
                ClientError::InvalidResponse { .. } => "invalid_response",
                _ => refused.code().unwrap_or("refused"),
            };
            return word.to_owned();
        }
    }
    "failed".to_owned()
}
