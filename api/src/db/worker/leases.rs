//! Leases: renewed by heartbeats, and lost when a worker sends none.

use crate::db::jobs::ReportedJob;
use crate::db::words::Word;
use sqlx::PgConnection;
use std::time::Duration;
use terarchitect_worker_api::{HeldJob, JobId, JobKind, JobStatus, WorkerId, WorkerJob};
use uuid::Uuid;

/// Whether a lease has expired.
pub async fn any_expired(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from agent_jobs where status = 'running' and lease_expires_at < now()) as "any!""#
    )
    .fetch_one(conn)
    .await
}

/// Running jobs whose lease has expired, locked until the transaction ends; those that others hold are skipped.
pub async fn expired(conn: &mut PgConnection) -> sqlx::Result<Vec<(JobId, ReportedJob)>> {
    let rows = sqlx::query!(
        // Locks the jobs: a report that comes now waits, and then learns that its attempt is over.
        r#"select job.id, job.ticket_id, job.project_id, job.kind as "kind: Word<JobKind>", job.attempt, job.worker_id, job.claimed_at,
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
            kind: row.kind.into(),
            status: JobStatus::Running,
            attempt: row.attempt,
            worker_id: row.worker_id,
            claimed_at: row.claimed_at,
            failures: row.failures,
            retry_agent_failures: row.retry_agent_failures,
            cancel_requested: row.cancel_requested,
            requeue_requested: row.requeue_requested,
            held: false,
        };
        (JobId(row.id), job)
    });
    Ok(lost.collect())
}

/// Renews the leases of these attempts, as far as they are still this worker's, in one statement. Returns those that
/// were renewed, and whether each should be stopped.
pub async fn renew(
    conn: &mut PgConnection,
    worker_id: &WorkerId,
    held: &[HeldJob],
    lease: Duration,
) -> sqlx::Result<Vec<(HeldJob, bool)>> {
    let (ids, attempts): (Vec<Uuid>, Vec<i32>) = held.iter().map(|job| (job.job_id.0, job.attempt)).unzip();
    let rows = sqlx::query!(
        // Not fenced by the status, which would lead the planner to the index of running jobs with its dead entries: a
        // job that is not running has no lease. A worker that claimed without its name and sends it now is recorded as
        // the holder: the attempt fences.
        r#"update agent_jobs as job
           set lease_expires_at = now() + $4 * interval '1 millisecond', worker_id = $3
           from (select * from unnest($1::uuid[], $2::integer[]) as held (id, attempt) order by held.id) as held
           where job.id = held.id and job.attempt = held.attempt and (job.worker_id = $3 or job.worker_id is null)
             and job.lease_expires_at is not null
           returning job.id, job.attempt, job.cancel_requested_at is not null as "cancel_requested!""#,
        &ids,
        &attempts,
        worker_id.as_str(),
        lease.as_millis() as f64
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (HeldJob { job_id: row.id.into(), attempt: row.attempt }, row.cancel_requested))
        .collect())
}

/// Those of these attempts of a worker that handed their job over to a person within this time, and were the job's last.
pub async fn handed_over(
    conn: &mut PgConnection,
    worker_id: &WorkerId,
    asked: &[HeldJob],
    within: Duration,
) -> sqlx::Result<Vec<HeldJob>> {
    let (ids, attempts): (Vec<Uuid>, Vec<i32>) = asked.iter().map(|job| (job.job_id.0, job.attempt)).unzip();
    let rows = sqlx::query!(
        r#"select last.job_id, last.attempt
           from unnest($1::uuid[], $2::integer[]) as asked (id, attempt)
           join agent_job_attempts as last on last.job_id = asked.id and last.attempt = asked.attempt
           join agent_jobs as job on job.id = last.job_id and job.attempt = last.attempt
           where last.outcome = 'held' and (last.worker_id = $3 or last.worker_id is null)
             and last.ended_at > now() - $4 * interval '1 second'"#,
        &ids,
        &attempts,
        worker_id.as_str(),
        within.as_secs_f64()
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| HeldJob { job_id: row.job_id.into(), attempt: row.attempt }).collect())
}

/// The jobs that a worker holds, according to the database.
pub async fn held_by(conn: &mut PgConnection, worker_id: &WorkerId) -> sqlx::Result<Vec<WorkerJob>> {
    let rows = sqlx::query!(
        r#"select id, attempt, ticket_id, project_id, cancel_requested_at is not null as "cancel_requested!",
               greatest(0, extract(epoch from lease_expires_at - now()) * 1000)::bigint as "lease_remaining_ms!"
           from agent_jobs where worker_id = $1 and status = 'running' order by seq"#,
        worker_id.as_str()
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
