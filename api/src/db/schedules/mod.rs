//! Schedules: rows of `scheduled_jobs`, and the next one that is due.

pub mod runs;

use crate::db::words::Word;
use crate::domain::schedules::{Missed, Overlap, ScheduleFields};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use std::time::Duration;
use terarchitect_worker_api::ProjectId;
use uuid::Uuid;

/// The most schedules in one list.
const MAX_LISTED: i64 = 1_000;

/// A schedule.
#[derive(Clone, Debug)]
pub struct ScheduleRow {
    /// Its id.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// When it is due.
    pub cron_expression: String,
    /// Where that time is.
    pub timezone: String,
    /// The repository of its orders.
    pub project_id: Option<Uuid>,
    /// The agent of its orders.
    pub agent_id: Option<Uuid>,
    /// What its orders say.
    pub template: Value,
    /// Whether it is fired by itself.
    pub enabled: bool,
    /// What happens to times that passed.
    pub missed: Missed,
    /// What happens while an earlier run is still going.
    pub overlap: Overlap,
    /// When it was run last.
    pub last_run_at: Option<DateTime<Utc>>,
    /// When it is due next.
    pub next_run_at: Option<DateTime<Utc>>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// The database's time.
    pub now: DateTime<Utc>,
}

impl ScheduleRow {
    /// What can be changed of it.
    #[must_use]
    pub fn fields(&self) -> ScheduleFields {
        ScheduleFields {
            name: self.name.clone(),
            description: self.description.clone(),
            cron_expression: self.cron_expression.clone(),
            timezone: self.timezone.clone(),
            repo: self.project_id.map(ProjectId),
            agent: self.agent_id,
            template: self.template.clone(),
            enabled: self.enabled,
            missed: self.missed,
            overlap: self.overlap,
        }
    }
}

/// Schedules with these conditions.
macro_rules! schedules_where {
    ($rest:literal, $($parameter:expr),*) => {
        sqlx::query_as!(
            ScheduleRow,
            r#"select id, name, description, cron_expression, timezone, project_id, agent_id,
                   work_order_template as "template", enabled, missed as "missed: Word<Missed>",
                   overlap as "overlap: Word<Overlap>", last_run_at, next_run_at, created_at, updated_at,
                   now() as "now!"
               from scheduled_jobs "# + $rest,
            $($parameter),*
        )
    };
}

/// The database's time.
pub async fn now(conn: &mut PgConnection) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(r#"select now() as "now!""#).fetch_one(conn).await
}

/// Stores a schedule. Returns its id.
pub async fn insert(
    conn: &mut PgConnection,
    fields: &ScheduleFields,
    next_run_at: Option<DateTime<Utc>>,
    created_by: &str,
) -> sqlx::Result<Uuid> {
    let id = Uuid::now_v7();
    sqlx::query!(
        "insert into scheduled_jobs (id, name, description, cron_expression, timezone, project_id, agent_id,
             work_order_template, enabled, missed, overlap, next_run_at, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        id,
        fields.name,
        fields.description,
        fields.cron_expression,
        fields.timezone,
        fields.repo.map(|repo| repo.0),
        fields.agent,
        fields.template,
        fields.enabled,
        fields.missed.as_str(),
        fields.overlap.as_str(),
        next_run_at,
        created_by
    )
    .execute(conn)
    .await?;
    Ok(id)
}

/// Changes a schedule.
pub async fn update(
    conn: &mut PgConnection,
    id: Uuid,
    fields: &ScheduleFields,
    next_run_at: Option<DateTime<Utc>>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update scheduled_jobs set name = $2, description = $3, cron_expression = $4, timezone = $5, project_id = $6,
             agent_id = $7, work_order_template = $8, enabled = $9, missed = $10, overlap = $11, next_run_at = $12,
             updated_at = now()
         where id = $1",
        id,
        fields.name,
        fields.description,
        fields.cron_expression,
        fields.timezone,
        fields.repo.map(|repo| repo.0),
        fields.agent,
        fields.template,
        fields.enabled,
        fields.missed.as_str(),
        fields.overlap.as_str(),
        next_run_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes a schedule with its runs; their orders stay.
pub async fn delete(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("delete from scheduled_jobs where id = $1", id).execute(conn).await?;
    Ok(())
}

/// The schedules of these projects, the oldest first; all of them if absent.
pub async fn list(conn: &mut PgConnection, visible: Option<&[Uuid]>) -> sqlx::Result<Vec<ScheduleRow>> {
    schedules_where!(
        "where $1::uuid[] is null or project_id = any ($1) order by created_at, id limit $2",
        visible,
        MAX_LISTED
    )
    .fetch_all(conn)
    .await
}

/// One schedule.
pub async fn find(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<ScheduleRow>> {
    schedules_where!("where id = $1", id).fetch_optional(conn).await
}

/// One schedule, locked until the transaction ends: it is fired and changed by one at a time.
pub async fn find_for_update(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<ScheduleRow>> {
    schedules_where!("where id = $1 for update", id).fetch_optional(conn).await
}

/// The schedule that is due longest, locked; what another process fires is left to it. `at` is the time for what has a clock
/// of its own; none: the database's.
pub async fn lock_due(conn: &mut PgConnection, at: Option<DateTime<Utc>>) -> sqlx::Result<Option<ScheduleRow>> {
    schedules_where!(
        "where enabled and next_run_at <= coalesce($1, now()) order by next_run_at limit 1 for update skip locked",
        at
    )
    .fetch_optional(conn)
    .await
}

/// How long it is until the next schedule is due; none: there is none.
pub async fn until_next(conn: &mut PgConnection) -> sqlx::Result<Option<Duration>> {
    let seconds = sqlx::query_scalar!(
        r#"select extract(epoch from next_run_at - clock_timestamp())::float8 as "seconds!"
           from scheduled_jobs where enabled and next_run_at is not null order by next_run_at limit 1"#
    )
    .fetch_optional(conn)
    .await?;
    Ok(seconds.map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)))
}

/// Notes that a schedule was fired, and when it is due next.
pub async fn fired(
    conn: &mut PgConnection,
    id: Uuid,
    ran_at: Option<DateTime<Utc>>,
    next_run_at: Option<DateTime<Utc>>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update scheduled_jobs set last_run_at = coalesce($2, last_run_at), next_run_at = $3 where id = $1",
        id,
        ran_at,
        next_run_at
    )
    .execute(conn)
    .await?;
    Ok(())
}
