//! When forges are asked for what has changed there, and what they said.

use crate::domain::forges::ForgeKind;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::time::Duration;
use terarchitect_worker_api::ProjectId;
use uuid::Uuid;

/// A project whose forge is asked next.
#[derive(Clone, Debug)]
pub struct DueSweep {
    /// The project.
    pub project_id: Uuid,
    /// Its repository; none where it has none any more.
    pub github_url: Option<String>,
    /// Which forge that is at, where a person has set it.
    pub forge_kind: Option<ForgeKind>,
    /// The label whose issues become tickets.
    pub issue_label: Option<String>,
    /// The entity tag of the last response.
    pub etag: Option<String>,
    /// The latest change that was seen, in the forge's words; where none was, an hour before now.
    pub since: String,
    /// How many responses in turn had nothing new.
    pub quiet: i32,
    /// How many times in turn there was no response, this time included.
    pub tries: i32,
    /// Until when no other process asks.
    pub leased_until: DateTime<Utc>,
    /// Whether it has an open pull request.
    pub has_pulls: bool,
}

/// Takes the next project whose forge is to be asked. No other process takes it for as long as `lease`.
pub async fn claim_next(conn: &mut PgConnection, lease: Duration) -> sqlx::Result<Option<DueSweep>> {
    sqlx::query_as!(
        DueSweep,
        r#"with next as materialized (
               select project_id from forge_sweeps where next_at <= now() order by next_at limit 1 for update skip locked
           ), claimed as (
               update forge_sweeps as sweep
               set next_at = clock_timestamp() + $1 * interval '1 second', tries = tries + 1, asked_at = now()
               from next where sweep.project_id = next.project_id returning sweep.*
           )
           select project.id as "project_id!", project.github_url, project.forge_kind as "forge_kind: ForgeKind",
               project.issue_label, claimed.etag,
               coalesce(claimed.since, to_char(now() at time zone 'utc' - interval '1 hour', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
                   as "since!",
               claimed.quiet as "quiet!", claimed.tries as "tries!", claimed.next_at as "leased_until!",
               exists (select from pull_requests as pull where pull.project_id = project.id and pull.state = 'open')
                   as "has_pulls!"
           from claimed join projects as project on project.id = claimed.project_id"#,
        lease.as_secs_f64()
    )
    .fetch_optional(conn)
    .await
}

/// What came of a sweep.
#[derive(Clone, Copy, Debug)]
pub struct Swept<'a> {
    /// The entity tag for the next question.
    pub etag: Option<&'a str>,
    /// The latest change that was seen.
    pub since: Option<&'a str>,
    /// How many responses in turn had nothing new.
    pub quiet: i32,
    /// When it is asked again; none: not by itself.
    pub wait: Option<Duration>,
}

/// Notes what came of a sweep. One that was asked for meanwhile is not put off.
pub async fn finish(conn: &mut PgConnection, of: &DueSweep, swept: &Swept<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "update forge_sweeps set etag = $3, since = coalesce($4, since), quiet = $5, tries = 0, reason = null,
             next_at = case when next_at = $2 then clock_timestamp() + $6::float8 * interval '1 second' else next_at end
         where project_id = $1",
        of.project_id,
        of.leased_until,
        swept.etag,
        swept.since,
        swept.quiet,
        swept.wait.map(|wait| wait.as_secs_f64())
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes why a forge gave no response, and when it is asked again.
pub async fn put_off(conn: &mut PgConnection, of: &DueSweep, wait: Duration, reason: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update forge_sweeps set reason = $2, next_at = clock_timestamp() + $3 * interval '1 second'
         where project_id = $1",
        of.project_id,
        reason,
        wait.as_secs_f64()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets a project's forge be asked soon.
pub async fn wake(conn: &mut PgConnection, project: ProjectId) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into forge_sweeps (project_id) values ($1)
         on conflict on constraint forge_sweeps_pkey do update set next_at = now(), quiet = 0",
        project.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How asking a project's forge has gone.
#[derive(Clone, Debug)]
pub struct SweepState {
    /// When it was asked last.
    pub asked_at: Option<DateTime<Utc>>,
    /// Why there was no response; none: there was one.
    pub reason: Option<String>,
}

/// How asking a project's forge has gone; none where it never was asked.
pub async fn find(conn: &mut PgConnection, project: ProjectId) -> sqlx::Result<Option<SweepState>> {
    sqlx::query_as!(SweepState, "select asked_at, reason from forge_sweeps where project_id = $1", project.0)
        .fetch_optional(conn)
        .await
}
