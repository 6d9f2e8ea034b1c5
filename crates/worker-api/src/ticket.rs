//! What a runner says about its ticket: log entries, completion, and the cancellation poll.

use crate::LogId;
use serde::{Deserialize, Serialize};

/// Body of `POST /api/projects/{p}/tickets/{t}/logs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AppendLogRequest {
    /// Groups the entries of one run; required and not empty.
    pub session_id: String,
    /// What kind of step this was; cut at 100 characters by the API.
    #[serde(default)]
    pub step: String,
    /// What happened, for a person.
    #[serde(default)]
    pub summary: String,
    /// What the agent printed or answered, bounded in size by the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_output: Option<String>,
    /// Whether the step went well; unset counts as yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// A key chosen by the sender: the same key again stores nothing and answers the first entry's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_key: Option<uuid::Uuid>,
}

/// Answer to an appended log entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AppendLogResponse {
    /// The stored entry.
    pub id: LogId,
    /// A word for people.
    pub message: String,
}

/// Body of `POST /api/projects/{p}/tickets/{t}/complete`. Every field may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CompleteTicketRequest {
    /// Address of the pull request.
    #[serde(default)]
    pub pr_url: Option<String>,
    /// Number of the pull request at its forge.
    #[serde(default)]
    pub pr_number: Option<i64>,
    /// What was done.
    #[serde(default)]
    pub summary: Option<String>,
    /// For review jobs: what to answer to the comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_comment_body: Option<String>,
}

/// Answer of `GET /api/projects/{p}/tickets/{t}/cancel-requested`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CancelRequested {
    /// Whether the run should stop.
    pub cancel_requested: bool,
}

/// An answer that only says what was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Message {
    /// A sentence for people.
    pub message: String,
}
