//! The event log: append, read what a position has not seen, delete what is old.

use crate::db::words::Word;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::live::position::{Position, Snapshot};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use std::time::Duration;
use terarchitect_worker_api::{JobId, ProjectId, TicketId};
use utoipa::ToSchema;
use uuid::Uuid;

/// An event of the log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Event {
    /// Unique, and rising within the history of one object.
    pub seq: i64,
    /// What happened.
    pub kind: EventKind,
    /// Who made the change: `person:<id>`, `token:<id>`, `api-key`, `local`, `unknown`, `worker:<worker_id>`, `job:<job_id>`,
    /// `system` or `database:<role>`.
    pub actor: String,
    /// The project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<Uuid>,
    /// The ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket_id: Option<Uuid>,
    /// The job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<Uuid>,
    /// The attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i32>,
    /// What a live view needs to know; its fields depend on `kind`.
    #[schema(value_type = Object)]
    pub data: Value,
    /// When it was recorded, on the database's clock.
    pub created_at: DateTime<Utc>,
    /// The transaction that recorded it.
    #[serde(skip)]
    pub tx: i64,
}

/// Which events a reader wants: all of them if nothing is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only events of this project.
    pub project: Option<ProjectId>,
    /// Only events of this ticket.
    pub ticket: Option<TicketId>,
    /// Only events of this job.
    pub job: Option<JobId>,
    /// Of these kinds; empty means all.
    pub kinds: Vec<EventKind>,
    /// Only events of these projects; absent: of all, and of none.
    pub visible: Option<Vec<Uuid>>,
    /// Without what is about people and keys.
    pub hides_people: bool,
}

impl Filter {
    /// Whether nothing is left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the reader wants this event.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        self.project.is_none_or(|id| event.project_id == Some(id.0))
            && self.ticket.is_none_or(|id| event.ticket_id == Some(id.0))
            && self.job.is_none_or(|id| event.job_id == Some(id.0))
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && self.visible.as_ref().is_none_or(|ids| event.project_id.is_some_and(|id| ids.contains(&id)))
            && !(self.hides_people && event.kind.is_for_admins())
    }

    /// The words of the kinds that the reader wants; empty means all. Where it may see none of those that it names, a word
    /// that no event has.
    fn words(&self) -> Vec<String> {
        if !self.hides_people {
            return self.kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
        }
        let named = if self.kinds.is_empty() { EventKind::ALL } else { &self.kinds };
        let shown: Vec<String> =
            named.iter().filter(|kind| !kind.is_for_admins()).map(|kind| kind.as_str().to_owned()).collect();
        if shown.is_empty() { vec![String::new()] } else { shown }
    }
}

/// Appends events, in this order, made by this actor.
pub async fn append(conn: &mut PgConnection, actor: &Actor, events: &[NewEvent]) -> sqlx::Result<()> {
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let projects: Vec<_> = events.iter().map(|event| event.project_id.map(|id| id.0)).collect();
    let tickets: Vec<_> = events.iter().map(|event| event.ticket_id.map(|id| id.0)).collect();
    let jobs: Vec<_> = events.iter().map(|event| event.job_id.map(|id| id.0)).collect();
    let attempts: Vec<_> = events.iter().map(|event| event.attempt).collect();
    let data: Vec<_> = events.iter().map(|event| event.data.clone()).collect();
    sqlx::query!(
        "insert into events (kind, actor, project_id, ticket_id, job_id, attempt, data)
         select kind, $1, project_id, ticket_id, job_id, attempt, data
         from unnest($2::text[], $3::uuid[], $4::uuid[], $5::uuid[], $6::integer[], $7::jsonb[])
             with ordinality as new (kind, project_id, ticket_id, job_id, attempt, data, place)
         where events_are_on() order by place",
        actor.to_string(),
        &kinds as &[&str],
        &projects as &[Option<Uuid>],
        &tickets as &[Option<Uuid>],
        &jobs as &[Option<Uuid>],
        &attempts as &[Option<i32>],
        &data
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What is visible now.
pub async fn snapshot(conn: &mut PgConnection) -> sqlx::Result<Snapshot> {
    let text = sqlx::query_scalar!(r#"select pg_current_snapshot()::text as "now!""#).fetch_one(conn).await?;
    parse_snapshot(&text)
}

fn parse_snapshot(text: &str) -> sqlx::Result<Snapshot> {
    Snapshot::from_postgres(text).ok_or_else(|| sqlx::Error::Protocol(format!("'{text}' is not a snapshot")))
}

/// Events that a reader has not seen.
#[derive(Clone, Debug)]
pub struct Unseen {
    /// The events in order.
    pub events: Vec<Event>,
    /// Everything that was visible when they were read.
    pub until: Snapshot,
    /// There are more that were visible then: continue at the last of these events.
    pub more: bool,
}

impl Unseen {
    /// The position after these events, which were read from `from` on.
    #[must_use]
    pub fn end(&self, from: &Position) -> Position {
        match self.events.last() {
            Some(last) if self.more => from.within(&self.until, last.seq),
            _ => Position::after(self.until.clone()),
        }
    }
}

macro_rules! events_where {
    ($conn:expr, $conditions:literal, $($parameter:expr),+) => {
        sqlx::query_as!(
            Event,
            r#"select seq, tx::text::bigint as "tx!", kind as "kind: Word<EventKind>", actor, project_id, ticket_id, job_id,
                   attempt, data, created_at
               from events
               where "# + $conditions + r#"
                 and ($1::uuid is null or project_id = $1) and ($2::uuid is null or ticket_id = $2)
                 and ($3::uuid is null or job_id = $3) and (cardinality($4::text[]) = 0 or kind = any ($4))
                 and ($6::uuid[] is null or project_id = any ($6))
               order by seq limit $5"#,
            $($parameter),+
        )
        .fetch_all($conn)
        .await
    };
}

/// The next events that the position has not seen and that were visible at `until` (absent: now), at most `limit`. A
/// position in the middle of a batch gets the rest of that batch first.
pub async fn unseen(
    conn: &mut PgConnection,
    position: &Position,
    until: Option<&Snapshot>,
    filter: &Filter,
    limit: u16,
) -> sqlx::Result<Unseen> {
    let kinds = filter.words();
    let (project, ticket, job) =
        (filter.project.map(|id| id.0), filter.ticket.map(|id| id.0), filter.job.map(|id| id.0));
    let (kinds, wanted) = (&kinds, i64::from(limit) + 1);
    let seen = position.seen.to_postgres();
    let until = match (&position.partly, until) {
        (Some((until, _)), _) | (None, Some(until)) => until.clone(),
        (None, None) => snapshot(conn).await?,
    };
    let visible = until.to_postgres();
    let shown = filter.visible.as_deref();
    let rows = if let Some((_, seq)) = &position.partly {
        events_where!(
            conn,
            "seq > $7 and not pg_visible_in_snapshot(tx, $8::text::pg_snapshot)
             and pg_visible_in_snapshot(tx, $9::text::pg_snapshot)",
            project,
            ticket,
            job,
            kinds,
            wanted,
            shown,
            seq,
            seen,
            visible
        )?
    } else if position.seen.xmax == 0 {
        // From the start: in the order of the primary key, without sorting the whole log.
        events_where!(
            conn,
            "seq > 0 and pg_visible_in_snapshot(tx, $7::text::pg_snapshot)",
            project,
            ticket,
            job,
            kinds,
            wanted,
            shown,
            visible
        )?
    } else {
        // By transactions: what became visible since then is little, wherever it is in the sequence.
        events_where!(
            conn,
            "tx >= pg_snapshot_xmin($7::text::pg_snapshot) and not pg_visible_in_snapshot(tx, $7::text::pg_snapshot)
             and pg_visible_in_snapshot(tx, $8::text::pg_snapshot)",
            project,
            ticket,
            job,
            kinds,
            wanted,
            shown,
            seen,
            visible
        )?
    };
    let mut events = rows;
    let more = events.len() > usize::from(limit);
    events.truncate(limit.into());
    Ok(Unseen { events, until, more })
}

/// Whether events that this position has not seen may have been deleted, or whether the position belongs to another
/// database.
pub async fn is_too_old(conn: &mut PgConnection, position: &Position) -> sqlx::Result<bool> {
    if position.seen.xmax == 0 {
        return Ok(false);
    }
    sqlx::query_scalar!(
        r#"select exists (select from event_retention where deleted_tx >= $1::text::xid8)
               or pg_snapshot_xmax(pg_current_snapshot()) < $2::text::xid8 as "too_old!""#,
        position.seen.xmin.to_string(),
        position.newest().xmax.to_string()
    )
    .fetch_one(conn)
    .await
}

/// Deletes events older than `keep`, the oldest first, except those of a live job or an open ticket. Returns how many
/// were deleted.
pub async fn delete_old(conn: &mut PgConnection, keep: Duration, limit: i64) -> sqlx::Result<u64> {
    let deleted = sqlx::query_scalar!(
        r#"with old as materialized (
               select event.seq from events as event
               where event.created_at < now() - $1 * interval '1 second' and not exists (
                   select from tickets as ticket where ticket.id = event.ticket_id and ticket.column_id <> 'done'
               ) and not exists (
                   select from agent_jobs as job
                   where job.ticket_id = event.ticket_id and job.status in ('pending', 'running')
               )
               order by event.seq limit $2
           ), deleted as (
               delete from events as event using old where event.seq = old.seq returning event.tx
           ), marked as (
               update event_retention set deleted_tx = newest.tx
               from (select max(tx::text::numeric)::text::xid8 as tx from deleted) as newest where newest.tx > deleted_tx
           )
           select count(*) as "deleted!" from deleted"#,
        keep.as_secs_f64(),
        limit
    )
    .fetch_one(conn)
    .await?;
    Ok(u64::try_from(deleted).unwrap_or_default())
}

/// After a restore into another cluster, the log holds transaction ids that lie in this cluster's future. This assigns
/// their events to the present transaction, so that readers from the start find them.
pub async fn adopt_restored(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "with adopted as (
             update events set tx = pg_current_xact_id() where tx >= pg_snapshot_xmax(pg_current_snapshot())
         )
         update event_retention set deleted_tx = '0' where deleted_tx >= pg_snapshot_xmax(pg_current_snapshot())"
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notifies other processes of new events, or of readers. Its commit is not waited for: nothing is lost with it, and a
/// notification that flushed the log would cost the queue a commit each time.
pub async fn notify(conn: &mut PgConnection, payload: &str) -> sqlx::Result<()> {
    sqlx::query!("select set_config('synchronous_commit', 'off', true), pg_notify('terarchitect_events', $1)", payload)
        .fetch_one(conn)
        .await?;
    Ok(())
}
