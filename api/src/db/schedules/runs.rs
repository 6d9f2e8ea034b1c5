//! Runs of schedules: how one stands is read from its work order.

use crate::db::words::Word;
use crate::domain::schedules::RunStatus;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

/// How many of the newest runs with an order are looked at for one that is still going.
const LOOKED_AT: i64 = 50;

/// A run to note.
#[derive(Clone, Copy, Debug)]
pub struct NewRun<'a> {
    /// The run.
    pub id: Uuid,
    /// The schedule.
    pub schedule: Uuid,
    /// When it was due; none: a person started it.
    pub due_at: Option<DateTime<Utc>>,
    /// The order that was created.
    pub order: Option<Uuid>,
    /// How it ended, where there is no order.
    pub ended: Option<RunStatus>,
    /// Why there is none, or why it could not be launched.
    pub error: Option<&'a str>,
    /// How many times before it have passed.
    pub missed: u32,
    /// When it began; none: now, by the database's clock.
    pub started_at: Option<DateTime<Utc>>,
}

/// Notes a run. False: this time was fired before.
pub async fn insert(conn: &mut PgConnection, new: &NewRun<'_>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "insert into job_runs (id, job_id, due_at, work_order_id, status, error_message, missed, started_at)
         values ($1, $2, $3, $4, $5, $6, $7, coalesce($8, now()))
         on conflict on constraint job_runs_due_at_key do nothing",
        new.id,
        new.schedule,
        new.due_at,
        new.order,
        new.ended.map(RunStatus::as_str),
        new.error,
        i32::try_from(new.missed).unwrap_or(i32::MAX),
        new.started_at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives a run its order.
pub async fn set_order(conn: &mut PgConnection, id: Uuid, order: Uuid, error: Option<&str>) -> sqlx::Result<()> {
    sqlx::query!("update job_runs set work_order_id = $2, error_message = $3 where id = $1", id, order, error)
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether a run of this schedule is still going.
pub async fn is_going(conn: &mut PgConnection, schedule: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from (
                   select work_order_id from job_runs where job_id = $1 and work_order_id is not null
                   order by started_at desc limit $2
               ) as run
               join agent_jobs as job on job.ticket_id = run.work_order_id and job.kind = 'ticket'
               where job.status in ('pending', 'running')
           ) as "is_going!""#,
        schedule,
        LOOKED_AT
    )
    .fetch_one(conn)
    .await
}

/// The order of the run that was due within so long before now.
pub async fn order_due_within(
    conn: &mut PgConnection,
    schedule: Uuid,
    within: TimeDelta,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<Uuid>> {
    let found = sqlx::query_scalar!(
        "select work_order_id from job_runs where job_id = $1 and due_at > $2 and due_at <= $3
         order by due_at desc limit 1",
        schedule,
        now - within,
        now
    );
    Ok(found.fetch_optional(conn).await?.flatten())
}

/// A run as it is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Run {
    /// Its id.
    pub id: Uuid,
    /// The schedule.
    pub job_id: Uuid,
    /// When it was due; null: a person started it.
    pub due_at: Option<DateTime<Utc>>,
    /// Its order; null where none was created, or it was deleted.
    pub work_order_id: Option<Uuid>,
    /// How it stands.
    pub status: RunStatus,
    /// Why it failed or was skipped.
    pub error_message: Option<String>,
    /// How many times before it have passed without a run.
    pub missed: i32,
    /// Its order's pull request.
    pub pr_url: Option<String>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// The runs of a schedule that began before this time, the newest first. How one stands is what its order says, as lists of
/// orders have it; a cancelled one failed.
pub async fn list(
    conn: &mut PgConnection,
    schedule: Uuid,
    before: Option<DateTime<Utc>>,
    limit: i64,
) -> sqlx::Result<Vec<Run>> {
    sqlx::query_as!(
        Run,
        r#"select run.id as "id!", run.job_id as "job_id!", run.due_at as "due_at?", run.work_order_id as "work_order_id?",
               case stands.status when 'cancelled' then 'failed' else stands.status end as "status!: Word<RunStatus>",
               coalesce(run.error_message, work_order.error_message, job.outcome_reason,
                   case stands.status when 'cancelled' then 'It was cancelled.' end) as "error_message?",
               run.missed as "missed!", ticket.pr_url as "pr_url?", run.started_at as "started_at!",
               case
                   when run.status is not null then run.started_at
                   when work_order.ended_at is not null and job.finished_at is null then work_order.ended_at
                   else job.finished_at
               end as "finished_at?"
           from job_runs as run
           left join work_orders as work_order on work_order.ticket_id = run.work_order_id
           left join tickets as ticket on ticket.id = run.work_order_id
           left join lateral (
               select id, status, attempt, created_at, finished_at, outcome_reason from agent_jobs
               where ticket_id = run.work_order_id and kind = 'ticket' order by seq desc limit 1
           ) as job on true
           cross join lateral (
               select case
                   when run.status is not null then run.status
                   when run.work_order_id is null then 'failed'
                   when work_order.ended_at is not null and (job.id is null
                       or (job.finished_at is not null and work_order.ended_at >= job.created_at)) then work_order.ended_as
                   when job.status in ('completed', 'failed', 'cancelled') then job.status
                   when job.attempt > 0 or (job.id is null and work_order.started_at is not null) then 'running'
                   else 'pending'
               end as status
           ) as stands
           where run.job_id = $1 and ($2::timestamptz is null or run.started_at < $2)
           order by run.started_at desc, run.id limit $3"#,
        schedule,
        before,
        limit
    )
    .fetch_all(conn)
    .await
}

/// Deletes up to this many runs that began so long ago.
pub async fn delete_old(conn: &mut PgConnection, keep: Duration, limit: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "delete from job_runs where id in (
             select id from job_runs where started_at < now() - $1 * interval '1 second' limit $2
         )",
        keep.as_secs_f64(),
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
