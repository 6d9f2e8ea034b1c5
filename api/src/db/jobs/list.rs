//! Jobs as applications see them: lists, and one with its attempts.

use crate::db::words::Word;
use crate::domain::jobs::attempt::AttemptOutcome;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use terarchitect_worker_api::{JobId, JobKind, JobStatus, ProjectId, TicketId};
use utoipa::ToSchema;
use uuid::Uuid;

/// A job of the queue.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JobEntry {
    /// The job.
    pub id: JobId,
    /// Its ticket.
    pub ticket_id: TicketId,
    /// Its project.
    pub project_id: ProjectId,
    /// What it asks for.
    pub kind: JobKind,
    /// Its status.
    pub status: JobStatus,
    /// Higher is claimed first.
    pub priority: i32,
    /// It is not claimed before this.
    pub run_at: DateTime<Utc>,
    /// How often it was claimed.
    pub attempt: i32,
    /// How many attempts failed.
    pub failures: i32,
    /// The worker that holds it.
    pub worker_id: Option<String>,
    /// When it was last claimed.
    pub claimed_at: Option<DateTime<Utc>>,
    /// When its lease runs out.
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// When its cancellation was requested.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Why it ended.
    pub outcome_reason: Option<String>,
    /// The job that this one retries.
    #[schema(value_type = Option<JobId>)]
    pub retry_of: Option<Uuid>,
    /// Since when it waits for a person's decision. Its status is `running` then, but nothing of it runs.
    pub held_at: Option<DateTime<Utc>>,
    /// When it was enqueued.
    pub created_at: DateTime<Utc>,
    /// Its place in the order of all jobs; what a page begins after.
    #[serde(skip)]
    pub seq: i64,
}

/// An ended attempt.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AttemptEntry {
    /// Which one.
    pub attempt: i32,
    /// The worker that held it.
    pub worker_id: Option<String>,
    /// When it was claimed.
    pub claimed_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// What became of the job.
    pub outcome: AttemptOutcome,
    /// Why it ended.
    pub reason: String,
    /// A sentence about the reason.
    pub detail: Option<String>,
    /// The runner's exit code.
    pub exit_code: Option<i32>,
    /// Whether a process of the container was killed because memory ran out.
    pub oom_killed: Option<bool>,
    /// The last lines of output.
    pub log_tail: Option<String>,
}

/// The filter of a list of jobs.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Only jobs of this project.
    pub project: Option<ProjectId>,
    /// Only jobs of this ticket.
    pub ticket: Option<TicketId>,
    /// Only jobs with this status.
    pub status: Option<JobStatus>,
    /// Only jobs of this kind.
    pub kind: Option<JobKind>,
    /// Only jobs older than the one with this place.
    pub before: Option<i64>,
    /// Only jobs of these projects; absent: of all.
    pub visible: Option<Vec<Uuid>>,
}

/// Jobs with these conditions, the newest first. Each kind of list is a query of its own with an index of its own: one
/// query for all of them would have one plan for all of them.
macro_rules! jobs_where {
    ($conn:expr, $conditions:literal, $($parameter:expr),+) => {
        sqlx::query_as!(
            JobEntry,
            r#"select id, ticket_id, project_id, kind as "kind: Word<JobKind>",
                   case when status = 'pending' and held_at is not null then 'running' else status end as "status!: Word<JobStatus>",
                   priority, run_at, attempt, failures, worker_id, claimed_at,
                   lease_expires_at, cancel_requested_at, finished_at, outcome_reason, retry_of, held_at, created_at,
                   seq as "seq!"
               from agent_jobs where ($1::bigint is null or seq < $1) and
                   ($3::uuid[] is null or project_id = any ($3)) and "#
                + $conditions
                + " order by seq desc limit $2",
            $($parameter),+
        )
        .fetch_all($conn)
        .await
    };
}

/// Jobs, the newest first.
pub async fn list(conn: &mut PgConnection, filter: &JobFilter, limit: i64) -> sqlx::Result<Vec<JobEntry>> {
    let (before, status, kind) =
        (filter.before, filter.status.map(JobStatus::as_str), filter.kind.map(JobKind::as_str));
    let (project, ticket) = (filter.project.map(|id| id.0), filter.ticket.map(|id| id.0));
    let shown = filter.visible.as_deref();
    match (ticket, project, filter.status) {
        (Some(ticket), _, _) => jobs_where!(
            conn,
            "ticket_id = $4 and ($5::uuid is null or project_id = $5) and ($6::text is null or $6 = case when held_at is not null and status = 'pending' then 'running' else status end)
                 and ($7::text is null or kind = $7)",
            before,
            limit,
            shown,
            ticket,
            project,
            status,
            kind
        ),
        (None, Some(project), _) => jobs_where!(
            conn,
            "project_id = $4 and ($5::text is null or $5 = case when held_at is not null and status = 'pending' then 'running' else status end) and ($6::text is null or kind = $6)",
            before,
            limit,
            shown,
            project,
            status,
            kind
        ),
        (None, None, Some(JobStatus::Failed)) => {
            jobs_where!(conn, "status = 'failed' and ($4::text is null or kind = $4)", before, limit, shown, kind)
        }
        (None, None, Some(JobStatus::Cancelled)) => {
            jobs_where!(conn, "status = 'cancelled' and ($4::text is null or kind = $4)", before, limit, shown, kind)
        }
        (None, None, _) => jobs_where!(
            conn,
            "($4::text is null or $4 = case when held_at is not null and status = 'pending' then 'running' else status end) and ($5::text is null or kind = $5)",
            before,
            limit,
            shown,
            status,
            kind
        ),
    }
}

/// One job.
pub async fn find(conn: &mut PgConnection, id: JobId) -> sqlx::Result<Option<JobEntry>> {
    sqlx::query_as!(
        JobEntry,
        r#"select id, ticket_id, project_id, kind as "kind: Word<JobKind>",
                   case when status = 'pending' and held_at is not null then 'running' else status end as "status!: Word<JobStatus>",
                   priority, run_at, attempt, failures, worker_id, claimed_at,
               lease_expires_at, cancel_requested_at, finished_at, outcome_reason, retry_of, held_at, created_at,
               seq as "seq!"
           from agent_jobs where id = $1"#,
        id.0
    )
    .fetch_optional(conn)
    .await
}

/// The job that was enqueued with this idempotency key.
pub async fn find_by_key(conn: &mut PgConnection, project: ProjectId, key: &str) -> sqlx::Result<Option<JobEntry>> {
    sqlx::query_as!(
        JobEntry,
        r#"select id, ticket_id, project_id, kind as "kind: Word<JobKind>",
                   case when status = 'pending' and held_at is not null then 'running' else status end as "status!: Word<JobStatus>",
                   priority, run_at, attempt, failures, worker_id, claimed_at,
               lease_expires_at, cancel_requested_at, finished_at, outcome_reason, retry_of, held_at, created_at,
               seq as "seq!"
           from agent_jobs where project_id = $1 and idempotency_key = $2"#,
        project.0,
        key
    )
    .fetch_optional(conn)
    .await
}

/// A job's ended attempts, the oldest first.
pub async fn attempts(conn: &mut PgConnection, id: JobId) -> sqlx::Result<Vec<AttemptEntry>> {
    sqlx::query_as!(
        AttemptEntry,
        r#"select attempt, worker_id, claimed_at, ended_at, outcome as "outcome: Word<AttemptOutcome>", reason, detail,
               exit_code, oom_killed, log_tail
           from agent_job_attempts where job_id = $1 order by attempt"#,
        id.0
    )
    .fetch_all(conn)
    .await
}
