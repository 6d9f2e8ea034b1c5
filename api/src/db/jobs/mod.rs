//! The queue, `agent_jobs`: enqueue, claim, finish, cancel.
//!
//! Postgres's clock alone decides about time. A claim is one statement that skips rows others are claiming; no lock is
//! held while a job runs. The attempt number rises with every claim and fences every later write.

pub mod attempts;
pub mod depth;
pub mod due;
pub mod held;
pub mod list;

use crate::db::words::Word;
use crate::domain::checkpoints::waits_at_start;
use crate::domain::jobs::terms::NewJob;
use crate::domain::tickets::moves::LiveJob;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use std::time::Duration;
use terarchitect_worker_api::{JobId, JobKind, JobStatus, ProjectId, Stop, TicketId};
use uuid::Uuid;

/// Puts a job into the queue unless the ticket has a live one of this kind, or the idempotency key is taken. Returns
/// the new job. The work of an order whose agent works in a cloud is not for coordinators; reviews always are.
pub async fn enqueue(conn: &mut PgConnection, new: &NewJob) -> sqlx::Result<Option<JobId>> {
    let id = sqlx::query_scalar!(
        "insert into agent_jobs (id, project_id, ticket_id, kind, priority, run_at, idempotency_key, pr_number,
             comment_body, github_comment_id, retry_of, checkpoints, due, held_at, runs_on)
         values ($1, $2, $3, $4, $5, coalesce($6, now() + coalesce($7::float8, 0) * interval '1 millisecond'), $8, $9, $10, $11,
             $12, $13, not $14::boolean, case when $14 then now() end, case when exists (
                 select from work_orders as work_order join agents as agent on agent.id = work_order.agent_id
                 where work_order.ticket_id = $3 and agent.program = 'cursor' and $4 = 'ticket'
             ) then 'cloud' else 'container' end)
         on conflict do nothing returning id",
        Uuid::now_v7(),
        new.project_id.0,
        new.ticket_id.0,
        new.kind.as_str(),
        new.priority,
        new.run_at,
        new.delay.map(|delay| delay.as_millis() as f64),
        new.idempotency_key,
        new.pr_number,
        new.comment_body,
        new.github_comment_id,
        new.retry_of.map(|job| job.0),
        (!new.checkpoints.is_empty()).then_some(Json(&new.checkpoints)) as Option<Json<&Vec<Stop>>>,
        waits_at_start(&new.checkpoints)
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(JobId))
}

/// The terms of a job, for a new one that retries it.
pub async fn terms(conn: &mut PgConnection, id: JobId) -> sqlx::Result<Option<NewJob>> {
    let row = sqlx::query!(
        r#"select project_id, ticket_id, kind as "kind: Word<JobKind>", priority, pr_number, comment_body,
               github_comment_id, checkpoints as "checkpoints: Json<Vec<Stop>>"
           from agent_jobs where id = $1"#,
        id.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| NewJob {
        priority: row.priority,
        pr_number: row.pr_number,
        comment_body: row.comment_body,
        github_comment_id: row.github_comment_id,
        retry_of: Some(id),
        checkpoints: row.checkpoints.map(|stops| stops.0).unwrap_or_default(),
        ..NewJob::of_ticket(row.project_id.into(), row.ticket_id.into(), row.kind.into())
    }))
}

/// A job that waits or runs.
#[derive(Clone, Copy, Debug)]
pub struct Live {
    /// The job.
    pub id: JobId,
    /// What it asks for.
    pub kind: JobKind,
    /// Its status.
    pub state: LiveJob,
}

/// The running attempt of the ticket's own job.
pub async fn running_attempt(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Option<(JobId, i32)>> {
    let row = sqlx::query!(
        "select id, attempt from agent_jobs
         where ticket_id = $1 and kind = 'ticket' and status in ('pending', 'running') and lease_expires_at is not null",
        ticket.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (JobId(row.id), row.attempt)))
}

/// The running job of the ticket's review.
pub async fn running_review(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Option<JobId>> {
    let id = sqlx::query_scalar!(
        "select id from agent_jobs
         where ticket_id = $1 and kind = 'review' and status in ('pending', 'running') and lease_expires_at is not null",
        ticket.0
    );
    Ok(id.fetch_optional(conn).await?.map(JobId))
}

/// The ticket's live jobs, locked until the transaction ends.
pub async fn live_for_update(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Vec<Live>> {
    let rows = sqlx::query!(
        // Locks the live jobs: a claim skips them, a report waits, until this move of the ticket is decided.
        r#"select id, kind as "kind: Word<JobKind>", status = 'running' as "running!", cancel_requested_at is not null as "stopping!"
           from agent_jobs where ticket_id = $1 and status in ('pending', 'running') for update"#,
        ticket.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let state = match (row.running, row.stopping) {
                (false, _) => LiveJob::Pending,
                (true, false) => LiveJob::Running,
                (true, true) => LiveJob::Stopping,
            };
            Live { id: JobId(row.id), kind: row.kind.into(), state }
        })
        .collect())
}

/// Locks the project's live jobs until the transaction ends: their reports lock a job before its ticket, too.
pub async fn lock_live_of_project(conn: &mut PgConnection, project: ProjectId) -> sqlx::Result<()> {
    sqlx::query!(
        // Locks what the deletion of the project reaches last, and reports take first.
        "select id from agent_jobs where project_id = $1 and status in ('pending', 'running') for update",
        project.0
    )
    .fetch_all(conn)
    .await?;
    Ok(())
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
    /// Its status.
    pub status: JobStatus,
    /// Its latest attempt.
    pub attempt: i32,
    /// The worker that holds it.
    pub worker_id: Option<String>,
    /// When it was claimed.
    pub claimed_at: Option<DateTime<Utc>>,
    /// Failed attempts so far.
    pub failures: i32,
    /// How many times its project retries a failure of the agent.
    pub retry_agent_failures: i32,
    /// Whether its cancellation was requested.
    pub cancel_requested: bool,
    /// Whether its ticket should be enqueued again after it.
    pub requeue_requested: bool,
    /// Whether it waits for a person, without an attempt.
    pub held: bool,
}

/// A job, locked for a report about it.
pub async fn find_for_report(conn: &mut PgConnection, id: JobId) -> sqlx::Result<Option<ReportedJob>> {
    let row = sqlx::query!(
        // Locks the job: of two reports about it, one is decided after the other.
        r#"select job.ticket_id, job.project_id, job.kind as "kind: Word<JobKind>",
               job.status as "status: Word<JobStatus>", job.attempt, job.worker_id, job.claimed_at,
               job.failures, job.cancel_requested_at is not null as "cancel_requested!", job.requeue_requested,
               job.status = 'pending' and job.held_at is not null as "held!", project.retry_agent_failures
           from agent_jobs as job join projects as project on project.id = job.project_id
           where job.id = $1 for update of job"#,
        id.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| ReportedJob {
        ticket_id: row.ticket_id.into(),
        project_id: row.project_id.into(),
        kind: row.kind.into(),
        status: row.status.into(),
        attempt: row.attempt,
        worker_id: row.worker_id,
        claimed_at: row.claimed_at,
        failures: row.failures,
        retry_agent_failures: row.retry_agent_failures,
        cancel_requested: row.cancel_requested,
        requeue_requested: row.requeue_requested,
        held: row.held,
    }))
}

/// Ends a job.
pub async fn finish(conn: &mut PgConnection, id: JobId, status: JobStatus, reason: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update agent_jobs
         set status = $2, outcome_reason = $3, finished_at = now(), lease_expires_at = null, held_at = null,
             request_id = null, failures = failures + case when $2 = 'failed' then 1 else 0 end
         where id = $1",
        id.0,
        status.as_str(),
        reason
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts a job back into the queue, for a retry after a delay.
pub async fn retry(conn: &mut PgConnection, id: JobId, after: Duration) -> sqlx::Result<()> {
    let wait_ms = after.as_millis() as f64;
    sqlx::query!(
        "with again as (
             update agent_jobs
             set status = 'pending', due = false, run_at = now() + $2 * interval '1 millisecond',
                 failures = failures + 1, worker_id = null, request_id = null, claimed_at = null,
                 lease_expires_at = null
             where id = $1 returning id
         )
         select pg_notify('terarchitect_jobs', 'delayed') from again",
        id.0,
        wait_ms
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts a job back into the queue as if it had not been claimed, and notifies waiting claims.
pub async fn hand_back(conn: &mut PgConnection, id: JobId, project: ProjectId) -> sqlx::Result<()> {
    sqlx::query!(
        "with back as (
             update agent_jobs
             set status = 'pending', worker_id = null, request_id = null, claimed_at = null, lease_expires_at = null
             where id = $1 returning id
         )
         select notify_due(array[$2::uuid])::text from back",
        id.0,
        project.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(())
}

/// Whether this attempt is running, for this ticket of this project.
pub async fn is_running_attempt(
    conn: &mut PgConnection,
    id: JobId,
    attempt: i32,
    project: ProjectId,
    ticket: TicketId,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from agent_jobs
               where id = $1 and attempt = $2 and lease_expires_at is not null and project_id = $3 and ticket_id = $4
           ) as "running!""#,
        id.0,
        attempt,
        project.0,
        ticket.0
    )
    .fetch_one(conn)
    .await
}

/// Whether the job's cancellation was requested; none if there is no such job.
pub async fn cancel_requested(conn: &mut PgConnection, id: JobId) -> sqlx::Result<Option<bool>> {
    sqlx::query_scalar!(r#"select cancel_requested_at is not null as "requested!" from agent_jobs where id = $1"#, id.0)
        .fetch_optional(conn)
        .await
}

/// Cancels a pending job. Every ended job has the record of an attempt; for one that was never claimed, its number is
/// 0.
pub async fn cancel_pending(conn: &mut PgConnection, id: JobId) -> sqlx::Result<()> {
    sqlx::query!(
        "with cancelled as (
             update agent_jobs
             set status = 'cancelled', outcome_reason = 'cancelled', cancel_requested_at = now(), finished_at = now(),
                 held_at = null
             where id = $1 and status = 'pending'
             returning id, attempt
         )
         insert into agent_job_attempts (job_id, attempt, outcome, reason)
         select id, attempt, 'cancelled', 'cancelled' from cancelled where attempt = 0",
        id.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Asks a running job to stop. The request is stored in the row, so that it outlives any process.
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

/// Requests that the ticket is enqueued again once the job that is being stopped has ended.
pub async fn request_requeue(conn: &mut PgConnection, id: JobId) -> sqlx::Result<()> {
    sqlx::query!("update agent_jobs set requeue_requested = true where id = $1 and status = 'running'", id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// The project that a job belongs to.
pub async fn project_of(conn: &mut PgConnection, id: JobId) -> sqlx::Result<Option<ProjectId>> {
    let project = sqlx::query_scalar!("select project_id from agent_jobs where id = $1", id.0);
    Ok(project.fetch_optional(conn).await?.map(ProjectId))
}
