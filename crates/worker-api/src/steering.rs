//! What people write to the agent of a ticket, and what a runner shows of its changes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A person's words to the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PersonMessage {
    /// The message.
    pub id: Uuid,
    /// Rises with each message.
    pub seq: i64,
    /// The words.
    pub text: String,
    /// Who wrote them.
    pub author: String,
    /// When they were written.
    pub created_at: DateTime<Utc>,
    /// When the agent accepted a prompt with them.
    #[serde(default)]
    pub delivered_at: Option<DateTime<Utc>>,
    /// The attempt that took them.
    #[serde(default)]
    pub attempt: Option<i32>,
    /// The turn that they are for.
    #[serde(default)]
    pub turn: Option<i32>,
}

/// Body of `POST …/messages/take` and `POST …/messages/delivered`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TurnOfAttempt {
    /// The attempt. A job token knows its own; with the worker key it may be absent too, for a runner without a job.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::lenient::number")]
    pub attempt: Option<i32>,
    /// The turn of the agent that the messages are for.
    pub turn: i32,
}

/// Response of `POST …/messages/take`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TakenMessages {
    /// The messages for this turn, in the order in which they were written.
    pub messages: Vec<PersonMessage>,
}

/// Body of `PUT …/diffs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StoreDiffRequest {
    /// The attempt. A job token knows its own; with the worker key it may be absent too.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::lenient::number")]
    pub attempt: Option<i32>,
    /// The turn whose changes these are; absent for the whole branch against its base.
    #[serde(default, deserialize_with = "crate::lenient::number")]
    pub turn: Option<i32>,
    /// The commit that has the changes.
    #[serde(default)]
    pub commit: Option<String>,
    /// The commit that it is compared with.
    #[serde(default)]
    pub base: Option<String>,
    /// How many files changed.
    pub files: i32,
    /// How many lines were added.
    pub added: i32,
    /// How many lines were removed.
    pub removed: i32,
    /// The changes, as git writes them; at most 12 MiB.
    pub patch: String,
    /// Whether the end of the changes is left out.
    #[serde(default)]
    pub truncated: bool,
}

impl StoreDiffRequest {
    /// The largest body of the request, in bytes.
    pub const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
    /// The longest patch, in bytes.
    pub const MAX_PATCH_BYTES: usize = 12 * 1024 * 1024;
}

/// A stored diff, without its patch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiffInfo {
    /// The diff.
    pub id: Uuid,
    /// The attempt that sent it.
    pub attempt: Option<i32>,
    /// The turn whose changes these are; null for the whole branch against its base.
    pub turn: Option<i32>,
    /// The commit that has the changes.
    pub commit: Option<String>,
    /// The commit that it is compared with.
    pub base: Option<String>,
    /// How many files changed.
    pub files: i32,
    /// How many lines were added.
    pub added: i32,
    /// How many lines were removed.
    pub removed: i32,
    /// How long the patch is.
    pub bytes: i64,
    /// Whether the end of the changes is left out.
    pub truncated: bool,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
}
