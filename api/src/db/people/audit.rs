//! Who did what.

use crate::db::words::Word;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use std::time::Duration;
use terarchitect_worker_api::{ProjectId, TicketId};
use uuid::Uuid;

/// Something that someone did.
#[derive(Clone, Debug)]
pub struct AuditRow {
    /// Its place.
    pub seq: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: String,
    /// What that person or token was called.
    pub actor_name: Option<String>,
    /// What.
    pub kind: EventKind,
    /// In which project.
    pub project_id: Option<Uuid>,
    /// With which ticket.
    pub ticket_id: Option<Uuid>,
    /// With which job.
    pub job_id: Option<Uuid>,
    /// More about it.
    pub data: Value,
}

/// Which rows: all of them if nothing is set.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Of this actor, such as `person:<id>`, or of this kind of actor, such as `person`.
    pub actor: Option<String>,
    /// Of these kinds; empty: of all.
    pub kinds: Vec<EventKind>,
    /// In this project.
    pub project: Option<ProjectId>,
    /// With this ticket.
    pub ticket: Option<TicketId>,
    /// From this time on.
    pub from: Option<DateTime<Utc>>,
    /// Before this time.
    pub until: Option<DateTime<Utc>>,
    /// Before this place.
    pub before: Option<i64>,
}

/// Records what an actor did, under the name that it has now.
pub async fn append(conn: &mut PgConnection, actor: &Actor, events: &[NewEvent]) -> sqlx::Result<()> {
    let (person, token) = match actor {
        Actor::Person(id) => (Some(*id), None),
        Actor::Token(id) => (None, Some(*id)),
        _ => (None, None),
    };
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let projects: Vec<_> = events.iter().map(|event| event.project_id.map(|id| id.0)).collect();
    let tickets: Vec<_> = events.iter().map(|event| event.ticket_id.map(|id| id.0)).collect();
    let jobs: Vec<_> = events.iter().map(|event| event.job_id.map(|id| id.0)).collect();
    let data: Vec<_> = events.iter().map(|event| event.data.clone()).collect();
    sqlx::query!(
        "insert into audit (actor, actor_name, kind, project_id, ticket_id, job_id, data)
         select $1, coalesce((select name from people where id = $2), (select name from api_tokens where id = $3)),
             kind, project_id, ticket_id, job_id, data
         from unnest($4::text[], $5::uuid[], $6::uuid[], $7::uuid[], $8::jsonb[])
             with ordinality as new (kind, project_id, ticket_id, job_id, data, place)
         order by place",
        actor.to_string(),
        person,
        token,
        &kinds as &[&str],
        &projects as &[Option<Uuid>],
        &tickets as &[Option<Uuid>],
        &jobs as &[Option<Uuid>],
        &data
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What was done, the latest first.
pub async fn list(conn: &mut PgConnection, filter: &AuditFilter, limit: i64) -> sqlx::Result<Vec<AuditRow>> {
    let kinds: Vec<String> = filter.kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
    sqlx::query_as!(
        AuditRow,
        r#"select seq, at, actor, actor_name, kind as "kind: Word<EventKind>", project_id, ticket_id, job_id, data
           from audit
           where ($1::text is null or actor = $1 or split_part(actor, ':', 1) = $1)
             and (cardinality($2::text[]) = 0 or kind = any ($2))
             and ($3::uuid is null or project_id = $3) and ($4::uuid is null or ticket_id = $4)
             and ($5::timestamptz is null or at >= $5) and ($6::timestamptz is null or at < $6)
             and ($7::bigint is null or seq < $7)
           order by seq desc limit $8"#,
        filter.actor,
        &kinds,
        filter.project.map(|id| id.0),
        filter.ticket.map(|id| id.0),
        filter.from,
        filter.until,
        filter.before,
        limit
    )
    .fetch_all(conn)
    .await
}

/// Deletes entries that are older than `keep`, of the first so many. They are in the order of time, so that needs no index
/// of its own. Returns how many were deleted.
pub async fn delete_old(conn: &mut PgConnection, keep: Duration, limit: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "delete from audit where at < now() - $1 * interval '1 second'
             and seq in (select seq from audit order by seq limit $2)",
        keep.as_secs_f64(),
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
