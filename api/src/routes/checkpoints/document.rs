//! Checkpoints and jobs in the words of the agent worker's guide: `jobId`, `checkpointType`, `PENDING`.

use crate::db::checkpoints::Checkpoint;
use crate::db::jobs::list::JobEntry;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use terarchitect_worker_api::{CheckpointStatus, CheckpointType, JobStatus, TicketId};
use utoipa::ToSchema;
use uuid::Uuid;

/// What a checkpoint wants of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DocumentType {
    /// The job waits until a person approves or rejects it.
    ApprovalRequired,
    /// Something to know.
    Info,
    /// Something went wrong.
    Error,
}

impl From<CheckpointType> for DocumentType {
    fn from(kind: CheckpointType) -> Self {
        match kind {
            CheckpointType::ApprovalRequired => Self::ApprovalRequired,
            CheckpointType::Info => Self::Info,
            CheckpointType::Error => Self::Error,
        }
    }
}

impl From<DocumentType> for CheckpointType {
    fn from(kind: DocumentType) -> Self {
        match kind {
            DocumentType::ApprovalRequired => Self::ApprovalRequired,
            DocumentType::Info => Self::Info,
            DocumentType::Error => Self::Error,
        }
    }
}

/// A checkpoint.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DocumentCheckpoint {
    /// The checkpoint.
    pub id: Uuid,
    /// Its job: the same id as its ticket's, as in `GET /api/agent-jobs/{id}`.
    pub job_id: TicketId,
    /// What it wants of a person.
    pub checkpoint_type: DocumentType,
    /// `PENDING`, `APPROVED`, `REJECTED` or `EXPIRED`.
    pub status: String,
    /// What to decide or to know.
    pub message: String,
    /// What it is about.
    #[schema(value_type = Object)]
    pub data: Value,
    /// Where it stands, for programs.
    #[schema(value_type = Object)]
    pub metadata: Value,
    /// Who approved it: a person's id, or what the event log calls the caller.
    pub approved_by: Option<String>,
    /// When that was.
    pub approved_at: Option<DateTime<Utc>>,
    /// Why it was rejected.
    pub rejection_reason: Option<String>,
    /// Who decided, whichever way.
    pub decided_by: Option<String>,
    /// What the person said with an approval.
    pub answer: Option<String>,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<Checkpoint> for DocumentCheckpoint {
    fn from(checkpoint: Checkpoint) -> Self {
        let approved = checkpoint.status == CheckpointStatus::Approved;
        let by = checkpoint.decided_by.map(|by| by.strip_prefix("person:").map(str::to_owned).unwrap_or(by));
        let (answer, reason) = if approved { (checkpoint.words, None) } else { (None, checkpoint.words) };
        Self {
            id: checkpoint.id,
            job_id: checkpoint.ticket_id,
            checkpoint_type: checkpoint.kind.into(),
            status: checkpoint.status.as_str().to_uppercase(),
            message: checkpoint.message,
            data: checkpoint.data,
            metadata: checkpoint.metadata,
            approved_by: by.clone().filter(|_| approved),
            approved_at: checkpoint.decided_at.filter(|_| approved),
            rejection_reason: reason,
            decided_by: by,
            answer,
            expires_at: checkpoint.expires_at,
            created_at: checkpoint.created_at,
            updated_at: checkpoint.updated_at,
        }
    }
}

/// The word that the guide has for a job's status.
#[must_use]
pub fn status_word(status: JobStatus, failures: i32) -> &'static str {
    match status {
        JobStatus::Pending if failures > 0 => "RETRY",
        JobStatus::Pending => "PENDING",
        JobStatus::Running => "RUNNING",
        JobStatus::Completed => "COMPLETED",
        JobStatus::Failed => "FAILED",
        JobStatus::Cancelled => "CANCELLED",
    }
}

/// A job beside its checkpoint.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobOfCheckpoint {
    /// The job: the same id as its ticket's.
    pub id: TicketId,
    /// What became of it.
    pub status: &'static str,
    /// What it is about: its ticket's title.
    pub task_description: String,
    /// When it was enqueued.
    pub created_at: DateTime<Utc>,
}

impl JobOfCheckpoint {
    /// A job whose ticket has this title.
    #[must_use]
    pub fn new(job: &JobEntry, task_description: String) -> Self {
        let status = status_word(job.status, job.failures);
        Self { id: job.ticket_id, status, task_description, created_at: job.created_at }
    }
}
