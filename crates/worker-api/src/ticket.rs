//! What a runner reports about its ticket: log entries and completion; and the cancellation poll.

use crate::{EntryData, LogId, ReviewReply};
use serde::{Deserialize, Serialize};

/// Body of `POST /api/projects/{p}/tickets/{t}/logs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AppendLogRequest {
    /// Groups the entries of one attempt; required and not empty.
    pub session_id: String,
    /// What kind of step this was; the API cuts it off at 100 characters.
    #[serde(default)]
    pub step: String,
    /// What happened, for a person.
    #[serde(default)]
    pub summary: String,
    /// The agent's output or answer; the sender limits its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_output: Option<String>,
    /// Whether the step succeeded; unset counts as yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// A key chosen by the sender. A second entry with the same key is not stored; the response has the id of the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_key: Option<uuid::Uuid>,
    /// What the entry is about, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<EntryData>,
}

/// Response to an appended log entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AppendLogResponse {
    /// The stored entry.
    pub id: LogId,
    /// A sentence for people.
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
    #[serde(default, deserialize_with = "crate::lenient::number")]
    pub pr_number: Option<i64>,
    /// What was done.
    #[serde(default)]
    pub summary: Option<String>,
    /// For review jobs: the reply to the comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_comment_body: Option<String>,
    /// For review jobs: a reply in each thread. Without them, `review_comment_body` is all that is posted.
    #[serde(default, deserialize_with = "crate::lenient::list", skip_serializing_if = "Vec::is_empty")]
    pub review_replies: Vec<ReviewReply>,
}

/// Response of `GET /api/projects/{p}/tickets/{t}/cancel-requested`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CancelRequested {
    /// Whether the attempt should stop.
    pub cancel_requested: bool,
}

/// A response that only says what was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Message {
    /// A sentence for people.
    pub message: String,
}
