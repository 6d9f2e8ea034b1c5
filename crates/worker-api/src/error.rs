//! The body of every response that is not a success.

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
    /// The request's id, also in the header `x-request-id` and in the API's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The job's current status, if the report was for a job that is not running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}
