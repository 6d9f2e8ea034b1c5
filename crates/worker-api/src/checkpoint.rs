//! Checkpoints: what a job stops at until a person has decided, and the conversation that goes on afterwards.

use crate::words::words;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// What a checkpoint wants of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CheckpointType {
    /// The job waits until a person approves or rejects it.
    ApprovalRequired,
    /// Something to know; nothing waits for it.
    Info,
    /// Something went wrong that a person should know; nothing waits for it.
    Error,
}

words!(CheckpointType, "checkpoint type", {
    ApprovalRequired => "approval_required",
    Info => "info",
    Error => "error",
});

impl CheckpointType {
    /// Whether the job waits for its decision.
    #[must_use]
    pub const fn blocks(self) -> bool {
        matches!(self, Self::ApprovalRequired)
    }
}

/// What became of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CheckpointStatus {
    /// It waits for a person.
    Pending,
    /// A person approved it.
    Approved,
    /// A person rejected it.
    Rejected,
    /// It was not decided in time.
    Expired,
}

words!(CheckpointStatus, "checkpoint status", {
    Pending => "pending",
    Approved => "approved",
    Rejected => "rejected",
    Expired => "expired",
});

/// Where in a job's life a checkpoint stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CheckpointStage {
    /// Before anything of the job runs.
    Start,
    /// The agent's plan, before it works on it.
    Plan,
    /// What the agent changed, before it is handed in.
    Diff,
    /// What the agent wrote or found out, before the job ends.
    Output,
    /// A question of the agent.
    Question,
    /// The end of a budget: approved, it is granted once more. No policy asks for it.
    Budget,
}

words!(CheckpointStage, "checkpoint stage", {
    Start => "start",
    Plan => "plan",
    Diff => "diff",
    Output => "output",
    Question => "question",
    Budget => "budget",
});

/// A place at which a job stops for a person, or tells one something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stop {
    /// Where.
    pub stage: CheckpointStage,
    /// What it wants of a person.
    #[serde(rename = "type")]
    pub kind: CheckpointType,
    /// What it says; a sentence of its own for each stage if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What programs call it in `metadata.stage`; the stage if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Body of `POST …/checkpoints`: opens a checkpoint. The same key again returns the same checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpenCheckpoint {
    /// The attempt. A job token knows its own.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::lenient::number")]
    pub attempt: Option<i32>,
    /// What makes it one among those of its job; at most 200 bytes.
    pub key: String,
    /// What it wants of a person.
    #[serde(rename = "type")]
    pub kind: CheckpointType,
    /// Where in the job's life it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<CheckpointStage>,
    /// What a person should decide or know, in a sentence.
    pub message: String,
    /// What it is about: `files`, `text` or whatever else people need to see; at most 1 MiB.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub data: Map<String, Value>,
    /// For programs.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub metadata: Map<String, Value>,
}

/// A checkpoint as a runner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunnerCheckpoint {
    /// The checkpoint.
    pub id: Uuid,
    /// What makes it one among those of its job.
    pub key: String,
    /// What became of it.
    pub status: CheckpointStatus,
    /// What the person said to it.
    #[serde(default)]
    pub words: Option<String>,
}

/// Body of `POST …/hold`: the work is pushed, and the job waits without this attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HoldRequest {
    /// The attempt. A job token knows its own.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::lenient::number")]
    pub attempt: Option<i32>,
    /// What the job waits for.
    pub checkpoint_id: Uuid,
}

/// Response of `POST …/hold`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Held {
    /// Whether the job is held now, so that the attempt is over. Otherwise the decision has just come, and the attempt goes on.
    pub held: bool,
    /// What it waits for.
    pub checkpoint: RunnerCheckpoint,
}

/// What is kept of a job's conversation, beside the archive itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConversationInfo {
    /// The attempt that kept it.
    pub attempt: i32,
    /// The turn after which it was kept.
    pub turn: i32,
    /// The agent program whose conversation it is.
    pub agent: String,
    /// How large the archive is.
    pub bytes: i64,
}

impl ConversationInfo {
    /// The largest archive, in bytes.
    pub const MAX_BYTES: usize = 32 * 1024 * 1024;
}

/// Body of `PUT …/output`: what came of a job that works on data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StoreOutput {
    /// `result` is what the agent said, `files` are those that it left: `path`, `content`, `size`.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub output: Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_reads_what_it_writes() {
        let text = r#"{"stage":"plan","type":"approval_required"}"#;
        let stop: Stop = serde_json::from_str(text).unwrap();
        assert!(stop.kind.blocks());
        assert_eq!(serde_json::to_string(&stop).unwrap(), text);
    }
}
