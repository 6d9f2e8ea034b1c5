//! Jobs that wait for a person: pending, but not due, and without a worker.

use crate::domain::checkpoints::UNNAMED_REPORT_WITHIN;
use sqlx::PgConnection;
use terarchitect_worker_api::JobId;

/// Lets a job wait for a person. Its row is locked by the caller.
pub async fn hold(conn: &mut PgConnection, id: JobId) -> sqlx::Result<()> {
    sqlx::query!(
        "update agent_jobs
         set status = 'pending', due = false, held_at = now(), worker_id = null, request_id = null, claimed_at = null,
             lease_expires_at = null
         where id = $1",
        id.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets a job that is held go on: it is due in its old place of the queue, and waiting claims are notified. After an attempt of a
/// worker without a name it waits a little, until that worker has reported its container's end. Returns whether it was held.
pub async fn let_go(conn: &mut PgConnection, id: JobId) -> sqlx::Result<bool> {
    let freed = sqlx::query_scalar!(
        r#"with freed as (
               update agent_jobs as job
               set held_at = null, run_at = waits.until, due = waits.until <= now() and job.runs_on = 'container'
               from (
                   select held.id, case when exists (
                       select from agent_job_attempts as last
                       where last.job_id = held.id and last.attempt = held.attempt and last.outcome = 'held'
                         and last.worker_id is null
                   ) then greatest(held.run_at, held.held_at + $2 * interval '1 second') else held.run_at end as until
                   from agent_jobs as held where held.id = $1
               ) as waits
               where job.id = waits.id and job.held_at is not null and job.status = 'pending'
               returning job.project_id, job.due
           )
           select case when freed.due then notify_due(array[freed.project_id])::text
               else pg_notify('terarchitect_jobs', 'delayed')::text end as told
           from freed"#,
        id.0,
        UNNAMED_REPORT_WITHIN.as_secs_f64()
    )
    .fetch_optional(conn)
    .await?;
    Ok(freed.is_some())
}

/// Stores that a job that was held has failed, in the record of its last attempt.
pub async fn note_failure(
    conn: &mut PgConnection,
    id: JobId,
    attempt: i32,
    reason: &str,
    detail: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into agent_job_attempts (job_id, attempt, outcome, reason, detail) values ($1, $2, 'failed', $3, $4)
         on conflict on constraint agent_job_attempts_pkey do update
         set outcome = excluded.outcome, reason = excluded.reason, detail = excluded.detail, ended_at = now()",
        id.0,
        attempt,
        reason,
        detail
    )
    .execute(conn)
    .await?;
    Ok(())
}
