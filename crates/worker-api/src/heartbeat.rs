//! Heartbeats: one call per coordinator renews the leases of all jobs that it holds.

use crate::words::words;
use crate::{JobId, ProjectId, TicketId};
use serde::{Deserialize, Serialize};

/// Body of `POST /api/worker/heartbeat`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeartbeatRequest {
    /// The coordinator's id.
    pub worker_id: String,
    /// A name for people, such as its host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How many jobs it can run at once.
    #[serde(default, deserialize_with = "crate::lenient::number", skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// Every job that it holds.
    #[serde(default, deserialize_with = "crate::lenient::list")]
    pub jobs: Vec<HeldJob>,
    /// The projects that it claims for; empty means any.
    #[serde(default, deserialize_with = "crate::lenient::list", skip_serializing_if = "Vec::is_empty")]
    pub projects: Vec<ProjectId>,
    /// How much space is free on the engine's disk, in bytes.
    #[serde(default, deserialize_with = "crate::lenient::number", skip_serializing_if = "Option::is_none")]
    pub disk_free_bytes: Option<u64>,
    /// How large the engine's disk is, in bytes.
    #[serde(default, deserialize_with = "crate::lenient::number", skip_serializing_if = "Option::is_none")]
    pub disk_total_bytes: Option<u64>,
    /// The container engine and its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// How many jobs of an earlier process it took over when it started.
    #[serde(default, deserialize_with = "crate::lenient::number", skip_serializing_if = "Option::is_none")]
    pub adopted: Option<u32>,
    /// What its checks found last; absent before the first checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<Vec<HostFinding>>,
}

/// What one check of a coordinator's host found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HostFinding {
    /// What was checked, such as `engine` or `disk`.
    pub check: String,
    /// Whether jobs can run as far as this check is concerned.
    pub ok: bool,
    /// What was found, for people.
    pub sentence: String,
    /// What to do about it; absent where nothing has to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// A job that a coordinator holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeldJob {
    /// The job.
    pub job_id: JobId,
    /// The attempt that the claim started.
    pub attempt: i32,
}

/// Response of `POST /api/worker/heartbeat`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeartbeatResponse {
    /// One entry per job in the request, in the same order.
    pub jobs: Vec<HeldJobStatus>,
    /// What the coordinator should do.
    pub directive: Directive,
    /// How many agents it should run at once; absent if the API's settings do not limit it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent_agents: Option<u32>,
    /// How many jobs it should run at most, even if it has more slots; absent without such a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot_limit: Option<u32>,
    /// How long the renewed leases are valid from now on, in milliseconds.
    pub lease_ms: u64,
}

/// What became of one held job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeldJobStatus {
    /// The job.
    pub job_id: JobId,
    /// The attempt from the request.
    pub attempt: i32,
    /// Whether the coordinator still holds it.
    pub state: HeldState,
}

/// Whether a held job is still the coordinator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum HeldState {
    /// The lease was renewed.
    Held,
    /// The lease was renewed, and the job should be stopped.
    Cancel,
    /// This attempt is over: stop it, and do not report it.
    Lost,
}

words!(HeldState, "state of a held job", { Held => "held", Cancel => "cancel", Lost => "lost" });

/// What a coordinator should do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Directive {
    /// Claim and run jobs.
    #[default]
    Run,
    /// Finish the running jobs, and claim no new ones.
    Drain,
}

words!(Directive, "directive", { Run => "run", Drain => "drain" });

/// Response of `GET /api/worker/jobs?worker_id=`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkerJobs {
    /// The jobs that this coordinator holds, according to the API.
    pub jobs: Vec<WorkerJob>,
}

/// A job that a coordinator holds, according to the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkerJob {
    /// The job.
    pub job_id: JobId,
    /// The attempt.
    pub attempt: i32,
    /// Its ticket.
    pub ticket_id: TicketId,
    /// Its project.
    pub project_id: ProjectId,
    /// How much of the lease is left, in milliseconds; 0 if it has expired.
    pub lease_remaining_ms: u64,
    /// Whether it should be stopped.
    pub cancel_requested: bool,
}
