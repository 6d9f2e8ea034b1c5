//! Jobs of the queue: claims and the reports that end them.

use crate::words::words;
use crate::{JobId, ProjectId, ReviewContext, TicketId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Body of `POST /api/worker/jobs/start`. The contract only has `project_id`; the rest is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StartJobRequest {
    /// Claim a job of this project only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<ProjectId>,
    /// Claim a job of any of these projects. With neither this nor `project_id`, claim one of any project.
    #[serde(default, deserialize_with = "crate::lenient::list", skip_serializing_if = "Vec::is_empty")]
    pub project_ids: Vec<ProjectId>,
    /// The worker that claims. With it, the lease is short and the worker must send heartbeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<String>,
    /// A claim that is repeated with the same id, because its response was lost, returns the same job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<uuid::Uuid>,
    /// How long to wait for work, in milliseconds, up to [`crate::MAX_WAIT_MS`]; absent or 0: do not wait.
    #[serde(default, deserialize_with = "crate::lenient::number", skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u32>,
}

/// What a job asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Work on the ticket and open a pull request.
    Ticket,
    /// Work on a comment on the ticket's pull request.
    Review,
}

words!(JobKind, "job kind", { Ticket => "ticket", Review => "review" });

/// Where a job runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ExecutionMode {
    /// In a container of the agent image.
    #[default]
    Docker,
    /// On the coordinator's host, in the project's path.
    Local,
}

words!(ExecutionMode, "execution mode", { Docker => "docker", Local => "local" });

/// The status of a job in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Waits for a worker.
    Pending,
    /// A worker holds it.
    Running,
    /// Succeeded.
    Completed,
    /// Failed; `outcome_reason` says why.
    Failed,
    /// Stopped on request.
    Cancelled,
}

words!(JobStatus, "job status", {
    Pending => "pending",
    Running => "running",
    Completed => "completed",
    Failed => "failed",
    Cancelled => "cancelled",
});

/// A claimed job: the 200 response of `POST /api/worker/jobs/start`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Job {
    /// The job.
    pub job_id: JobId,
    /// Its ticket.
    pub ticket_id: TicketId,
    /// Its project.
    pub project_id: ProjectId,
    /// What it asks for.
    pub kind: JobKind,
    /// The repository to clone; empty for a local project without one.
    #[serde(default)]
    pub repo_url: String,
    /// For reviews: the pull request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pr_number: Option<i64>,
    /// For reviews: the comment to work on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment_body: Option<String>,
    /// For reviews: the comment's id at GitHub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub github_comment_id: Option<i64>,
    /// For reviews: the same point by point, with its threads. Additive; the context has it as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewContext>,
    /// The number of this attempt. It rises with every claim of the job, and fences later reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i32>,
    /// How long the lease is valid from now on, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<u64>,
    /// A key for the worker endpoints of this ticket, valid until this attempt is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_token: Option<String>,
    /// Environment for the agent, from the API's settings.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub agent_env: BTreeMap<String, String>,
    /// Where it runs; absent means in a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_mode: Option<ExecutionMode>,
    /// For local jobs: the checkout to work in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_path: Option<String>,
    /// The image to use for this project instead of the coordinator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_image: Option<String>,
    /// How long the whole job may take, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_timeout_sec: Option<u64>,
}

/// Why a job ended. A word that this version does not know is kept as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It did what it was asked to do.
    Completed,
    /// The agent ran and did not succeed.
    AgentFailed,
    /// A setting is missing or wrong; a retry does not help.
    AgentMisconfigured,
    /// It took longer than its timeout.
    Timeout,
    /// A person asked for it.
    Cancelled,
    /// The container's memory limit was reached.
    Oom,
    /// The agent image is missing, and could not be pulled.
    ImageUnavailable,
    /// The container disappeared.
    ContainerLost,
    /// The container engine refused, or did not respond.
    EngineError,
    /// The container engine was restarted under the container.
    EngineRestart,
    /// The worker sent no heartbeat in time.
    LeaseLost,
    /// The host ran out of disk space.
    DiskFull,
    /// The runner asked for a retry (exit code 75).
    TryAgain,
    /// It waits for a person's decision, without an attempt.
    Held,
    /// A person rejected what it wanted to do.
    CheckpointRejected,
    /// What it wanted to do was not decided in time.
    CheckpointExpired,
    /// A word of another version.
    #[serde(untagged)]
    Other(String),
}

impl Reason {
    /// The word on the wire and in the database.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Completed => "completed",
            Self::AgentFailed => "agent_failed",
            Self::AgentMisconfigured => "agent_misconfigured",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Oom => "oom",
            Self::ImageUnavailable => "image_unavailable",
            Self::ContainerLost => "container_lost",
            Self::EngineError => "engine_error",
            Self::EngineRestart => "engine_restart",
            Self::LeaseLost => "lease_lost",
            Self::DiskFull => "disk_full",
            Self::TryAgain => "try_again",
            Self::Held => "held",
            Self::CheckpointRejected => "checkpoint_rejected",
            Self::CheckpointExpired => "checkpoint_expired",
            Self::Other(word) => word,
        }
    }
}

/// Body of `POST /api/worker/jobs/{id}/complete` and `/fail`. The contract sends none; every field is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobReport {
    /// The attempt that this report is about.
    #[serde(default, deserialize_with = "crate::lenient::number", skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i32>,
    /// The worker that reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<String>,
    /// The runner's exit code.
    #[serde(default, deserialize_with = "crate::lenient::number", skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Why it ended; a failure without a reason counts as `agent_failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// A sentence for people about the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Whether a process of the container was killed because memory ran out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oom_killed: Option<bool>,
    /// The last lines of output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_tail: Option<String>,
}

/// Response to a report: what became of the job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobReportResponse {
    /// The job.
    pub job_id: JobId,
    /// Its new status: `pending` again if the failure is retried.
    pub status: JobStatus,
}

/// Body of `POST /api/worker/jobs/{id}/release`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReleaseRequest {
    /// The attempt to hand back.
    pub attempt: i32,
    /// The worker that hands it back.
    pub worker_id: String,
}
