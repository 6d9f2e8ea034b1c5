//! Coordinators that have sent heartbeats.

use crate::db::words::Word;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use std::collections::HashMap;
use std::time::Duration;
use terarchitect_worker_api::{Directive, HeartbeatRequest, WorkerId};
use utoipa::ToSchema;

/// A heartbeat after a silence of this length is recorded as an event.
const SILENCE: Duration = Duration::from_secs(60);

/// What a heartbeat reports about the coordinator itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// The coordinator.
    pub worker_id: WorkerId,
    /// A name for people.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// How many jobs it can run at once.
    pub slots: Option<i32>,
    /// How many it holds.
    pub held: i32,
}

impl Beat {
    /// What this coordinator's heartbeat reports.
    #[must_use]
    pub fn new(worker_id: WorkerId, request: &HeartbeatRequest) -> Self {
        Self {
            worker_id,
            name: request.name.clone(),
            version: request.version.clone(),
            slots: request.slots.and_then(|slots| i32::try_from(slots).ok()),
            held: i32::try_from(request.jobs.len()).unwrap_or(i32::MAX),
        }
    }
}

/// A coordinator as applications see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Coordinator {
    /// Its name for itself.
    pub worker_id: String,
    /// A name for people, such as its host's.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// How many jobs it can run at once.
    pub slots: Option<i32>,
    /// How many jobs it held at its last heartbeat.
    pub held: i32,
    /// What it should do.
    pub directive: Directive,
    /// When it sent its first heartbeat.
    pub first_seen_at: DateTime<Utc>,
    /// When it sent its last heartbeat. This may be up to ten seconds out of date.
    pub last_heartbeat_at: DateTime<Utc>,
    /// How long ago that was, in seconds.
    pub last_heartbeat_sec: f64,
}

/// Stores that coordinators sent heartbeats, and returns what each should do.
pub async fn seen(conn: &mut PgConnection, beats: &[&Beat]) -> sqlx::Result<HashMap<WorkerId, Directive>> {
    let ids: Vec<_> = beats.iter().map(|beat| beat.worker_id.to_string()).collect();
    let names: Vec<_> = beats.iter().map(|beat| beat.name.clone()).collect();
    let versions: Vec<_> = beats.iter().map(|beat| beat.version.clone()).collect();
    let slots: Vec<_> = beats.iter().map(|beat| beat.slots).collect();
    let held: Vec<_> = beats.iter().map(|beat| beat.held).collect();
    let rows = sqlx::query!(
        // In one order everywhere, so that two processes don't wait for each other's rows.
        r#"with before as materialized (
             select worker_id, last_heartbeat_at from coordinators where worker_id = any ($1)
         ), written as (
             insert into coordinators as coordinator (worker_id, name, version, slots, held)
             select * from unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::integer[])
                 as beat (worker_id, name, version, slots, held) order by beat.worker_id
             on conflict on constraint coordinators_pkey do update
             set name = excluded.name, version = excluded.version, slots = excluded.slots, held = excluded.held,
                 last_heartbeat_at = now()
             returning coordinator.worker_id, coordinator.name, coordinator.version, coordinator.directive
         ), recorded as (
             insert into events (kind, actor, data)
             select 'coordinator.seen', 'worker:' || written.worker_id, jsonb_build_object('worker_id', written.worker_id,
                 'name', written.name, 'version', written.version, 'directive', written.directive)
             from written left join before on before.worker_id = written.worker_id
             where events_are_on() and coalesce(before.last_heartbeat_at < now() - $6 * interval '1 second', true)
         )
         select worker_id as "worker_id!", directive as "directive!: Word<Directive>" from written"#,
        &ids,
        &names as &[Option<String>],
        &versions as &[Option<String>],
        &slots as &[Option<i32>],
        &held,
        SILENCE.as_secs_f64()
    )
    .fetch_all(conn)
    .await?;
    let known = beats.iter().map(|beat| &beat.worker_id).zip(&ids);
    let directives: HashMap<String, Directive> =
        rows.into_iter().map(|row| (row.worker_id, row.directive.into())).collect();
    Ok(known.filter_map(|(id, text)| Some((id.clone(), *directives.get(text)?))).collect())
}

/// All coordinators, the one with the latest heartbeat first.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<Coordinator>> {
    sqlx::query_as!(
        Coordinator,
        r#"select worker_id, name, version, slots, held, directive as "directive: Word<Directive>", first_seen_at, last_heartbeat_at,
               extract(epoch from now() - last_heartbeat_at)::float8 as "last_heartbeat_sec!"
           from coordinators order by last_heartbeat_at desc, worker_id"#
    )
    .fetch_all(conn)
    .await
}

/// Sets what a coordinator should do; returns false if there is no such coordinator.
pub async fn direct(conn: &mut PgConnection, worker_id: &WorkerId, directive: Directive) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update coordinators set directive = $2 where worker_id = $1",
        worker_id.as_str(),
        directive.as_str()
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes a coordinator; returns false if there is no such coordinator.
pub async fn delete(conn: &mut PgConnection, worker_id: &WorkerId) -> sqlx::Result<bool> {
    let done = sqlx::query!("delete from coordinators where worker_id = $1", worker_id.as_str()).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}
