//! Jobs whose time has come: delayed ones become due, finished ones are deleted when they are old.

use sqlx::PgConnection;
use std::time::Duration;

/// What was found among delayed jobs.
#[derive(Clone, Copy, Debug)]
pub struct MadeDue {
    /// More jobs may be due already.
    pub more: bool,
    /// How many were made due.
    pub made: i64,
    /// How long until the next one is.
    pub next: Option<Duration>,
}

/// Makes delayed jobs due whose time has come, and notifies the waiting claims of all processes.
pub async fn make_due(conn: &mut PgConnection) -> sqlx::Result<MadeDue> {
    const BATCH: i64 = 500;
    /// Jobs that become due within so short a time are made due together.
    const MIN_WAIT_SEC: f64 = 0.005;
    let row = sqlx::query!(
        // Locks the rows and skips those that another process is making due.
        r#"with ripe as materialized (
               select id from agent_jobs where status = 'pending' and not due and held_at is null and runs_on = 'container'
                   and run_at <= now()
               order by run_at limit $1 for update skip locked
           ), made as (
               update agent_jobs as job set due = true from ripe where job.id = ripe.id
               returning job.id, job.project_id, job.ticket_id
           ), recorded as (
               insert into events (kind, actor, project_id, ticket_id, job_id)
               select 'job.due', 'system', project_id, ticket_id, id from made where events_are_on()
           )
           select (select count(*) from made) as "made!",
               notify_due(array(select distinct project_id from made))::text as told,
               (select extract(epoch from min(run_at) - clock_timestamp())::float8 from agent_jobs
                where status = 'pending' and not due and held_at is null and runs_on = 'container'
                   and run_at > now()) as next_sec"#,
        BATCH
    )
    .fetch_one(conn)
    .await?;
    let next = row.next_sec.and_then(|seconds| Duration::try_from_secs_f64(seconds.max(MIN_WAIT_SEC)).ok());
    Ok(MadeDue { more: row.made == BATCH, made: row.made, next })
}

/// Deletes finished jobs that are older than `keep`, with their attempts, except those of open tickets. Returns how
/// many were deleted.
pub async fn delete_finished(conn: &mut PgConnection, keep: Duration, limit: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        // Skips rows that are locked: they are checked again next time.
        "delete from agent_jobs where id in (
             select id from agent_jobs as job
             where finished_at < now() - $1 * interval '1 second' and not exists (
                 select from tickets as ticket where ticket.id = job.ticket_id and ticket.column_id <> 'done'
             )
             limit $2 for update skip locked
         )",
        keep.as_secs_f64(),
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
