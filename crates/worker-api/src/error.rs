//! The body of every answer that is not a success.

use serde::{Deserialize, Serialize};

/// `{"error": "<sentence>", "code": "<snake_case>", "request_id": "…"}`; a conflict over a job adds its `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// One sentence for a person: what was wrong and what to do.
    pub error: String,
    /// A stable word for programs, such as `not_found` or `stale_attempt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The request's id, also in the header `x-request-id`; look for it in the API's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The job's present status, where a report came for a job that is not running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// An error and all its causes in one line, for a log or a terminal. A cause that its effect has said already is left
/// out.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}
