//! The queue, `agent_jobs`: enqueue, claim, finish, cancel.
//!
//! Postgres's clock alone decides about time. A claim is one statement that skips rows others are claiming; no lock is
//! held while a job runs. The attempt number rises with every claim and fences every later write.

use crate::domain::board::LiveJob;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::time::Duration;
use terarchitect_worker_api::{ExecutionMode, Job, JobId, JobKind, JobStatus, ProjectId, TicketId};
use uuid::Uuid;

/// Puts a job into the queue unless the ticket has a live one of this kind. Answers whether it did.
pub async fn enqueue(
    conn: &mut PgConnection,
    project: ProjectId,
    ticket: TicketId,
    kind: JobKind,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "insert into agent_jobs (id, project_id, ticket_id, kind) values ($1, $2, $3, $4)
         on conflict (ticket_id, kind) where status in ('pending', 'running') do nothing",
        Uuid::now_v7(),
        project.0,
        ticket.0,
        kind.as_str()
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The ticket's live jobs, locked until the transaction ends.
pub async fn live_for_update(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Vec<(JobId, LiveJob)>> {
    let rows = sqlx::query!(
        // Locks the live jobs: a claim skips them, a report waits, until this move of the ticket is decided.
        r#"select id, status = 'running' as "running!", cancel_requested_at is not null as "stopping!"
           from agent_jobs where ticket_id = $1 and status in ('pending', 'running') for update"#,
        ticket.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let live = match (row.running, row.stopping) {
                (false, _) => LiveJob::Pending,
                (true, false) => LiveJob::Running,
                (true, true) => LiveJob::Stopping,
            };
            (JobId(row.id), live)
        })
        .collect())
}

/// Who claims, for which projects, and how long the lease holds.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    /// Only these projects; empty means any.
    pub projects: &'a [ProjectId],
    /// The worker's name for itself.
    pub worker_id: Option<&'a str>,
    /// The worker's id of this request.
    pub request_id: Option<Uuid>,
    /// How long the lease holds.
    pub lease: Duration,
}

/// Claims the next job that is due: the highest priority first, then the oldest.
pub async fn claim_next(conn: &mut PgConnection, claim: &Claim<'_>) -> sqlx::Result<Option<Job>> {
    let projects: Vec<Uuid> = claim.projects.iter().map(|project| project.0).collect();
    let lease_ms = i64::try_from(claim.lease.as_millis()).unwrap_or(i64::MAX);
    let row = sqlx::query!(
        // Locks one pending row and skips those that other claims have locked.
        "with next as materialized (
             select id from agent_jobs
             where status = 'pending' and run_at <= now()
               and (cardinality($1::uuid[]) = 0 or project_id = any($1))
             order by priority desc, run_at, seq
             limit 1
             for update skip locked
         )
         update agent_jobs as job
         set status = 'running', attempt = job.attempt + 1, worker_id = $2, request_id = $3, claimed_at = now(),
             lease_expires_at = now() + $4 * interval '1 millisecond'
         from next, projects as project
         where job.id = next.id and project.id = job.project_id
         returning job.id, job.ticket_id, job.project_id, job.kind, job.pr_number, job.comment_body,
             job.github_comment_id, job.attempt, project.github_url, project.execution_mode, project.project_path",
        &projects,
        claim.worker_id,
        claim.request_id,
        lease_ms as f64
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Job {
        job_id: row.id.into(),
        ticket_id: row.ticket_id.into(),
        project_id: row.project_id.into(),
        kind: parse_kind(&row.kind),
        repo_url: row.github_url.unwrap_or_default(),
        pr_number: row.pr_number,
        comment_body: row.comment_body,
        github_comment_id: row.github_comment_id,
        attempt: Some(row.attempt),
        lease_ms: u64::try_from(lease_ms).ok(),
        job_token: None,
        agent_env: std::collections::BTreeMap::new(),
        execution_mode: Some(parse_mode(&row.execution_mode)),
        project_path: row.project_path,
        agent_image: None,
        job_timeout_sec: None,
    }))
}

/// A job as a report finds it, locked until the transaction ends.
#[derive(Clone, Debug)]
pub struct ReportedJob {
    /// Its ticket.
    pub ticket_id: TicketId,
    /// Its project.
    pub project_id: ProjectId,
    /// What it asks for.
    pub kind: JobKind,
    /// Where it stands.
    pub status: JobStatus,
    /// Its latest attempt.
    pub attempt: i32,
    /// Who holds it.
    pub worker_id: Option<String>,
    /// When it was claimed.
    pub claimed_at: Option<DateTime<Utc>>,
    /// Whether it was asked to stop.
    pub cancel_requested: bool,
    /// Whether its ticket wants another run after this one.
    pub requeue_requested: bool,
}

/// A job, locked for a report about it.
pub async fn find_for_report(conn: &mut PgConnection, id: JobId) -> sqlx::Result<Option<ReportedJob>> {
    let row = sqlx::query!(
        // Locks the job: of two reports about it, one is decided after the other.
        r#"select ticket_id, project_id, kind, status, attempt, worker_id, claimed_at,
               cancel_requested_at is not null as "cancel_requested!", requeue_requested
           from agent_jobs where id = $1 for update"#,
        id.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| ReportedJob {
        ticket_id: row.ticket_id.into(),
        project_id: row.project_id.into(),
        kind: parse_kind(&row.kind),
        status: parse_status(&row.status),
        attempt: row.attempt,
        worker_id: row.worker_id,
        claimed_at: row.claimed_at,
        cancel_requested: row.cancel_requested,
        requeue_requested: row.requeue_requested,
    }))
}

/// Ends a job.
pub async fn finish(conn: &mut PgConnection, id: JobId, status: JobStatus, reason: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update agent_jobs
         set status = $2, outcome_reason = $3, finished_at = now(), lease_expires_at = null,
             failures = failures + case when $2 = 'failed' then 1 else 0 end
         where id = $1",
        id.0,
        status.as_str(),
        reason
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Cancels a job that waits.
pub async fn cancel_pending(conn: &mut PgConnection, id: JobId) -> sqlx::Result<()> {
    sqlx::query!(
        "update agent_jobs
         set status = 'cancelled', outcome_reason = 'cancelled', cancel_requested_at = now(), finished_at = now()
         where id = $1 and status = 'pending'",
        id.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Asks a running job to stop. The wish is in the row, so that it outlives any process.
pub async fn request_stop(conn: &mut PgConnection, id: JobId) -> sqlx::Result<()> {
    sqlx::query!(
        "update agent_jobs set cancel_requested_at = coalesce(cancel_requested_at, now()), requeue_requested = false
         where id = $1 and status = 'running'",
        id.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Asks for another run of the ticket once the one that is being stopped has ended.
pub async fn request_requeue(conn: &mut PgConnection, id: JobId) -> sqlx::Result<()> {
    sqlx::query!("update agent_jobs set requeue_requested = true where id = $1 and status = 'running'", id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// The words of the database's check constraints, as types. An unknown one can't be stored.
fn parse_kind(word: &str) -> JobKind {
    if word == JobKind::Review.as_str() { JobKind::Review } else { JobKind::Ticket }
}

fn parse_mode(word: &str) -> ExecutionMode {
    if word == ExecutionMode::Local.as_str() { ExecutionMode::Local } else { ExecutionMode::Docker }
}

fn parse_status(word: &str) -> JobStatus {
    [JobStatus::Pending, JobStatus::Running, JobStatus::Completed, JobStatus::Cancelled]
        .into_iter()
        .find(|status| status.as_str() == word)
        .unwrap_or(JobStatus::Failed)
}
