//! The queue, `agent_jobs`: enqueue, claim, finish, cancel.
//!
//! Postgres's clock alone decides about time. A claim is one statement that skips rows others are claiming; no lock is
//! held while a job runs. The attempt number rises with every claim and fences every later write.

use crate::domain::board::LiveJob;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::time::Duration;
use terarchitect_worker_api::{ExecutionMode, HeldJob, Job, JobId, JobKind, JobStatus, ProjectId, TicketId, WorkerJob};
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

/// A claimed job from a row of either claim; the two rows are of types that sqlx makes.
macro_rules! claimed_job {
    ($row:expr, $lease_ms:expr) => {
        $row.map(|row| Job {
            job_id: row.id.into(),
            ticket_id: row.ticket_id.into(),
            project_id: row.project_id.into(),
            kind: parse_kind(&row.kind),
            repo_url: row.github_url.unwrap_or_default(),
            pr_number: row.pr_number,
            comment_body: row.comment_body,
            github_comment_id: row.github_comment_id,
            attempt: Some(row.attempt),
            lease_ms: Some($lease_ms),
            job_token: None,
            agent_env: std::collections::BTreeMap::new(),
            execution_mode: Some(parse_mode(&row.execution_mode)),
            project_path: row.project_path,
            agent_image: row.agent_image,
            job_timeout_sec: None,
        })
    };
}

/// Claims the next job that is due: of the project with the fewest running jobs for its weight, the highest priority,
/// then the oldest. Limits of projects hold exactly, however many claim at once.
pub async fn claim_next(conn: &mut PgConnection, claim: &Claim<'_>) -> sqlx::Result<Option<Job>> {
    let projects: Vec<Uuid> = claim.projects.iter().map(|project| project.0).collect();
    let lease_ms = u64::try_from(claim.lease.as_millis()).unwrap_or(u64::MAX);
    let row = sqlx::query!(
        // The function takes the claims' lock, and locks the row with skip locked; both end with this statement.
        r#"select claimed.id as "id!", claimed.ticket_id as "ticket_id!", claimed.project_id as "project_id!",
               claimed.kind as "kind!", claimed.pr_number as "pr_number?", claimed.comment_body as "comment_body?",
               claimed.github_comment_id as "github_comment_id?", claimed.attempt as "attempt!",
               project.github_url, project.execution_mode, project.project_path, project.agent_image
           from claim_jobs($1, array[$2::text], array[$3::uuid], array[$4::double precision]) as claimed
           join projects as project on project.id = claimed.project_id"#,
        &projects,
        claim.worker_id,
        claim.request_id,
        lease_ms as f64
    )
    .fetch_optional(conn)
    .await?;
    Ok(claimed_job!(row, lease_ms))
}

/// The job that an earlier claim with the same worker and request got and still holds, with its lease renewed: what a
/// claim gets that is repeated after its answer was lost.
pub async fn claimed_before(conn: &mut PgConnection, claim: &Claim<'_>) -> sqlx::Result<Option<Job>> {
    let (Some(worker_id), Some(request_id)) = (claim.worker_id, claim.request_id) else { return Ok(None) };
    let lease_ms = u64::try_from(claim.lease.as_millis()).unwrap_or(u64::MAX);
    let row = sqlx::query!(
        "update agent_jobs as job set lease_expires_at = now() + $3 * interval '1 millisecond'
         from projects as project
         where job.worker_id = $1 and job.request_id = $2 and job.status = 'running' and project.id = job.project_id
         returning job.id, job.ticket_id, job.project_id, job.kind, job.pr_number, job.comment_body,
             job.github_comment_id, job.attempt, project.github_url, project.execution_mode, project.project_path,
             project.agent_image",
        worker_id,
        request_id,
        lease_ms as f64
    )
    .fetch_optional(conn)
    .await?;
    Ok(claimed_job!(row, lease_ms))
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
    /// Failed attempts so far.
    pub failures: i32,
    /// How often its project wants agent failures tried again.
    pub retry_agent_failures: i32,
    /// Whether it was asked to stop.
    pub cancel_requested: bool,
    /// Whether its ticket wants another run after this one.
    pub requeue_requested: bool,
}

/// A job, locked for a report about it.
pub async fn find_for_report(conn: &mut PgConnection, id: JobId) -> sqlx::Result<Option<ReportedJob>> {
    let row = sqlx::query!(
        // Locks the job: of two reports about it, one is decided after the other.
        r#"select job.ticket_id, job.project_id, job.kind, job.status, job.attempt, job.worker_id, job.claimed_at,
               job.failures, job.cancel_requested_at is not null as "cancel_requested!", job.requeue_requested,
               project.retry_agent_failures
           from agent_jobs as job join projects as project on project.id = job.project_id
           where job.id = $1 for update of job"#,
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
        failures: row.failures,
        retry_agent_failures: row.retry_agent_failures,
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

/// Puts a job back into the queue for another try after a while.
pub async fn retry(conn: &mut PgConnection, id: JobId, after: Duration) -> sqlx::Result<()> {
    let wait_ms = after.as_millis() as f64;
    sqlx::query!(
        "update agent_jobs
         set status = 'pending', due = false, run_at = now() + $2 * interval '1 millisecond', failures = failures + 1,
             worker_id = null, request_id = null, claimed_at = null, lease_expires_at = null
         where id = $1",
        id.0,
        wait_ms
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts a job back into the queue as if it had not been claimed, and tells waiting claims.
pub async fn hand_back(conn: &mut PgConnection, id: JobId) -> sqlx::Result<()> {
    sqlx::query!(
        "update agent_jobs
         set status = 'pending', worker_id = null, request_id = null, claimed_at = null, lease_expires_at = null
         where id = $1",
        id.0
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("select pg_notify('terarchitect_jobs', '')").execute(conn).await?;
    Ok(())
}

/// Makes delayed jobs due whose time has come, and tells waiting claims of all processes. Answers how many.
pub async fn make_due(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        // Locks the rows and skips those that another process is making due.
        "with ripe as materialized (
             select id from agent_jobs where status = 'pending' and not due and run_at <= now()
             order by run_at limit 500 for update skip locked
         ), made as (
             update agent_jobs as job set due = true from ripe where job.id = ripe.id returning job.id
         )
         select pg_notify('terarchitect_jobs', '') from made limit 1"
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Running jobs whose lease has run out, locked until the transaction ends; those that others hold are skipped.
pub async fn lost_leases(conn: &mut PgConnection) -> sqlx::Result<Vec<(JobId, ReportedJob)>> {
    let rows = sqlx::query!(
        // Locks the jobs: a report that comes now waits, and then learns that its attempt is over.
        r#"select job.id, job.ticket_id, job.project_id, job.kind, job.attempt, job.worker_id, job.claimed_at,
               job.failures, job.cancel_requested_at is not null as "cancel_requested!", job.requeue_requested,
               project.retry_agent_failures
           from agent_jobs as job join projects as project on project.id = job.project_id
           where job.status = 'running' and job.lease_expires_at < now()
           limit 200 for update of job skip locked"#
    )
    .fetch_all(conn)
    .await?;
    let lost = rows.into_iter().map(|row| {
        let job = ReportedJob {
            ticket_id: row.ticket_id.into(),
            project_id: row.project_id.into(),
            kind: parse_kind(&row.kind),
            status: JobStatus::Running,
            attempt: row.attempt,
            worker_id: row.worker_id,
            claimed_at: row.claimed_at,
            failures: row.failures,
            retry_agent_failures: row.retry_agent_failures,
            cancel_requested: row.cancel_requested,
            requeue_requested: row.requeue_requested,
        };
        (JobId(row.id), job)
    });
    Ok(lost.collect())
}

/// Renews the leases of these attempts, as far as they are still this worker's, in one statement. Answers those that
/// were renewed, and whether each should be stopped.
pub async fn renew_leases(
    conn: &mut PgConnection,
    worker_id: &str,
    held: &[HeldJob],
    lease: Duration,
) -> sqlx::Result<Vec<(HeldJob, bool)>> {
    let (ids, attempts): (Vec<Uuid>, Vec<i32>) = held.iter().map(|job| (job.job_id.0, job.attempt)).unzip();
    let rows = sqlx::query!(
        // Not fenced by the status, which would lead the planner to the index of running jobs with its dead entries:
        // a job that is not running has no lease.
        r#"update agent_jobs as job set lease_expires_at = now() + $4 * interval '1 millisecond'
           from unnest($1::uuid[], $2::integer[]) as held (id, attempt)
           where job.id = held.id and job.attempt = held.attempt and job.worker_id = $3
             and job.lease_expires_at is not null
           returning job.id, job.attempt, job.cancel_requested_at is not null as "cancel_requested!""#,
        &ids,
        &attempts,
        worker_id,
        lease.as_millis() as f64
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (HeldJob { job_id: row.id.into(), attempt: row.attempt }, row.cancel_requested))
        .collect())
}

/// What a worker is believed to hold.
pub async fn held_by(conn: &mut PgConnection, worker_id: &str) -> sqlx::Result<Vec<WorkerJob>> {
    let rows = sqlx::query!(
        r#"select id, attempt, ticket_id, project_id, cancel_requested_at is not null as "cancel_requested!",
               greatest(0, extract(epoch from lease_expires_at - now()) * 1000)::bigint as "lease_remaining_ms!"
           from agent_jobs where worker_id = $1 and status = 'running' order by seq"#,
        worker_id
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| WorkerJob {
            job_id: row.id.into(),
            attempt: row.attempt,
            ticket_id: row.ticket_id.into(),
            project_id: row.project_id.into(),
            lease_remaining_ms: u64::try_from(row.lease_remaining_ms).unwrap_or(0),
            cancel_requested: row.cancel_requested,
        })
        .collect())
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
