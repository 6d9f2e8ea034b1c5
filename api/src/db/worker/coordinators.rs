//! Coordinators that have sent heartbeats.

use crate::db::words::Word;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgConnection;
use std::collections::HashMap;
use std::time::Duration;
use terarchitect_worker_api::{Directive, HeartbeatRequest, HostFinding, ProjectId, WorkerId};
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
    /// The projects that it claims for; none: any.
    pub projects: Option<Vec<ProjectId>>,
    /// How much space is free on the engine's disk.
    pub disk_free_bytes: Option<i64>,
    /// How large that disk is.
    pub disk_total_bytes: Option<i64>,
    /// The container engine and its version.
    pub engine: Option<String>,
    /// How many jobs of an earlier process it took over.
    pub adopted: Option<i32>,
    /// What its checks found.
    pub findings: Option<Value>,
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
            projects: Some(request.projects.clone()).filter(|projects| !projects.is_empty()),
            disk_free_bytes: request.disk_free_bytes.and_then(|bytes| i64::try_from(bytes).ok()),
            disk_total_bytes: request.disk_total_bytes.and_then(|bytes| i64::try_from(bytes).ok()),
            engine: request.engine.clone(),
            adopted: request.adopted.and_then(|jobs| i32::try_from(jobs).ok()),
            findings: request.findings.as_ref().map(|findings| json!(findings)),
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
    /// How many jobs it may run at once, where a person wants fewer than its slots.
    pub limit: Option<i32>,
    /// How much space is free on its engine's disk.
    pub disk_free_bytes: Option<i64>,
    /// How large that disk is.
    pub disk_total_bytes: Option<i64>,
    /// Its container engine, with the version.
    pub engine: Option<String>,
    /// How many jobs of an earlier process it took over at its start.
    pub adopted: Option<i32>,
    /// What its checks found: entries with `check`, `ok`, `sentence` and, where something has to be done, `fix`.
    #[schema(value_type = Vec<HostFinding>)]
    pub findings: Value,
    /// When it sent its first heartbeat.
    pub first_seen_at: DateTime<Utc>,
    /// When it sent its last heartbeat. This may be up to ten seconds out of date.
    pub last_heartbeat_at: DateTime<Utc>,
    /// How long ago that was, in seconds.
    pub last_heartbeat_sec: f64,
}

/// What a coordinator should do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// Whether it should claim.
    pub directive: Directive,
    /// How many jobs it may run at once, where that is limited.
    pub limit: Option<i32>,
}

/// Stores that coordinators sent heartbeats, and returns what each should do.
pub async fn seen(conn: &mut PgConnection, beats: &[&Beat]) -> sqlx::Result<HashMap<WorkerId, Orders>> {
    let ids: Vec<_> = beats.iter().map(|beat| beat.worker_id.to_string()).collect();
    let names: Vec<_> = beats.iter().map(|beat| beat.name.clone()).collect();
    let versions: Vec<_> = beats.iter().map(|beat| beat.version.clone()).collect();
    let slots: Vec<_> = beats.iter().map(|beat| beat.slots).collect();
    let held: Vec<_> = beats.iter().map(|beat| beat.held).collect();
    // As text: a list of lists of different lengths is nothing that Postgres takes.
    let projects: Vec<_> = beats.iter().map(|beat| beat.projects.as_deref().map(array_text)).collect();
    let free: Vec<_> = beats.iter().map(|beat| beat.disk_free_bytes).collect();
    let total: Vec<_> = beats.iter().map(|beat| beat.disk_total_bytes).collect();
    let engines: Vec<_> = beats.iter().map(|beat| beat.engine.clone()).collect();
    let adopted: Vec<_> = beats.iter().map(|beat| beat.adopted).collect();
    let findings: Vec<_> = beats.iter().map(|beat| beat.findings.clone()).collect();
    let rows = sqlx::query!(
        // In one order everywhere, so that two processes don't wait for each other's rows.
        r#"with before as materialized (
             select worker_id, last_heartbeat_at, findings from coordinators where worker_id = any ($1)
         ), written as (
             insert into coordinators as coordinator (worker_id, name, version, slots, held, projects, disk_free_bytes,
                 disk_total_bytes, engine, adopted, findings)
             select worker_id, name, version, slots, held, projects::uuid[], disk_free_bytes, disk_total_bytes, engine,
                 adopted, findings
             from unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::integer[], $7::text[], $8::bigint[],
                     $9::bigint[], $10::text[], $11::integer[], $12::jsonb[])
                 as beat (worker_id, name, version, slots, held, projects, disk_free_bytes, disk_total_bytes, engine,
                     adopted, findings)
             order by beat.worker_id
             on conflict on constraint coordinators_pkey do update
             set name = excluded.name, version = excluded.version, slots = excluded.slots, held = excluded.held,
                 projects = excluded.projects, disk_free_bytes = excluded.disk_free_bytes,
                 disk_total_bytes = excluded.disk_total_bytes, engine = excluded.engine, adopted = excluded.adopted,
                 findings = excluded.findings, last_heartbeat_at = now()
             returning coordinator.worker_id, coordinator.name, coordinator.version, coordinator.directive,
                 coordinator.slot_limit, coordinator.findings
         ), recorded as (
             insert into events (kind, actor, data)
             select 'coordinator.seen', 'worker:' || written.worker_id, jsonb_build_object('worker_id', written.worker_id,
                 'name', written.name, 'version', written.version, 'directive', written.directive)
             from written left join before on before.worker_id = written.worker_id
             where events_are_on() and (
                 coalesce(before.last_heartbeat_at < now() - $6 * interval '1 second', true)
                 -- Not the sentences, which may contain a number that changes all the time.
                 or jsonb_path_query_array(before.findings, '$[*].ok')
                     is distinct from jsonb_path_query_array(written.findings, '$[*].ok')
             )
         )
         select worker_id as "worker_id!", directive as "directive!: Word<Directive>", slot_limit from written"#,
        &ids,
        &names as &[Option<String>],
        &versions as &[Option<String>],
        &slots as &[Option<i32>],
        &held,
        SILENCE.as_secs_f64(),
        &projects as &[Option<String>],
        &free as &[Option<i64>],
        &total as &[Option<i64>],
        &engines as &[Option<String>],
        &adopted as &[Option<i32>],
        &findings as &[Option<Value>]
    )
    .fetch_all(conn)
    .await?;
    let known = beats.iter().map(|beat| &beat.worker_id).zip(&ids);
    let orders = rows.into_iter().map(|row| {
        let orders = Orders { directive: row.directive.into(), limit: row.slot_limit };
        (row.worker_id, orders)
    });
    let orders: HashMap<String, Orders> = orders.collect();
    Ok(known.filter_map(|(id, text)| Some((id.clone(), *orders.get(text)?))).collect())
}

fn array_text(projects: &[ProjectId]) -> String {
    let ids: Vec<_> = projects.iter().map(ToString::to_string).collect();
    format!("{{{}}}", ids.join(","))
}

/// All coordinators, the one with the latest heartbeat first.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<Coordinator>> {
    sqlx::query_as!(
        Coordinator,
        r#"select worker_id, name, version, slots, held, directive as "directive: Word<Directive>",
               slot_limit as "limit", disk_free_bytes, disk_total_bytes, engine, adopted,
               coalesce(findings, '[]') as "findings!", first_seen_at, last_heartbeat_at,
               extract(epoch from now() - last_heartbeat_at)::float8 as "last_heartbeat_sec!"
           from coordinators order by last_heartbeat_at desc, worker_id"#
    )
    .fetch_all(conn)
    .await
}

/// Sets what a coordinator should do, as far as it is given; `Some(None)` lifts the limit. Returns false if there is no such
/// coordinator.
pub async fn direct(
    conn: &mut PgConnection,
    worker_id: &WorkerId,
    directive: Option<Directive>,
    limit: Option<Option<i32>>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update coordinators
         set directive = coalesce($2, directive), slot_limit = case when $3 then $4 else slot_limit end
         where worker_id = $1",
        worker_id.as_str(),
        directive.map(Directive::as_str),
        limit.is_some(),
        limit.flatten()
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
