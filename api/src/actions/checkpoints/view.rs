//! A checkpoint as people and their programs see it.

use crate::db::checkpoints::Checkpoint;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use terarchitect_worker_api::{CheckpointStage, CheckpointStatus, CheckpointType, JobId, ProjectId, TicketId};
use utoipa::ToSchema;
use uuid::Uuid;

/// A checkpoint.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Checkpoint)]
pub struct CheckpointView {
    /// The checkpoint.
    pub id: Uuid,
    /// Its project.
    pub project_id: ProjectId,
    /// Its ticket.
    pub ticket_id: TicketId,
    /// Its job.
    pub job_id: JobId,
    /// The attempt that opened it; none: it was opened with the job.
    pub attempt: Option<i32>,
    /// What it wants of a person.
    #[serde(rename = "type")]
    pub kind: CheckpointType,
    /// Where in the job's life it stands.
    pub stage: Option<CheckpointStage>,
    /// What became of it.
    pub status: CheckpointStatus,
    /// What to decide or to know.
    pub message: String,
    /// What it is about.
    #[schema(value_type = Object)]
    pub data: Value,
    /// For programs.
    #[schema(value_type = Object)]
    pub metadata: Value,
    /// Who decided, as the event log names them.
    pub decided_by: Option<String>,
    /// When that was.
    pub decided_at: Option<DateTime<Utc>>,
    /// What the person said to it: an answer to the agent, or why it was rejected.
    pub words: Option<String>,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
}

impl From<Checkpoint> for CheckpointView {
    fn from(checkpoint: Checkpoint) -> Self {
        Self {
            id: checkpoint.id,
            project_id: checkpoint.project_id,
            ticket_id: checkpoint.ticket_id,
            job_id: checkpoint.job_id,
            attempt: checkpoint.attempt,
            kind: checkpoint.kind,
            stage: checkpoint.stage.map(|stage| stage.0),
            status: checkpoint.status,
            message: checkpoint.message,
            data: checkpoint.data,
            metadata: checkpoint.metadata,
            decided_by: checkpoint.decided_by,
            decided_at: checkpoint.decided_at,
            words: checkpoint.words,
            expires_at: checkpoint.expires_at,
            created_at: checkpoint.created_at,
        }
    }
}
