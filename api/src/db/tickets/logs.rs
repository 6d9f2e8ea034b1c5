//! Execution logs: what runners reported, in order.

use crate::domain::tickets::activity::AttemptOf;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use terarchitect_worker_api::{EntryData, LogId, ProjectId, TicketId};
use utoipa::ToSchema;
use uuid::Uuid;

/// An entry of a ticket's execution log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LogEntry {
    /// The entry.
    pub id: LogId,
    /// What kind of step this was.
    pub step: String,
    /// What happened, for a person.
    pub summary: String,
    /// The agent's output or answer.
    pub raw_output: Option<String>,
    /// Whether the step went well.
    pub success: bool,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
}

/// An entry to store.
#[derive(Clone, Debug)]
pub struct NewLogEntry {
    /// Its project.
    pub project_id: ProjectId,
    /// Its ticket.
    pub ticket_id: TicketId,
    /// The attempt that it belongs to.
    pub session_id: String,
    /// What kind of step this was.
    pub step: String,
    /// What happened.
    pub summary: String,
    /// The agent's output or answer.
    pub raw_output: Option<String>,
    /// Whether the step went well.
    pub success: bool,
    /// The sender's key of the entry.
    pub entry_key: Option<Uuid>,
    /// The attempt that wrote it.
    pub by: AttemptOf,
    /// What it is about, as it came.
    pub data: Option<Value>,
}

impl NewLogEntry {
    /// What a runner reported about its ticket at the end.
    #[must_use]
    pub fn outcome(project_id: ProjectId, ticket_id: TicketId, step: &str, summary: String) -> Self {
        Self {
            project_id,
            ticket_id,
            session_id: "outcome".to_owned(),
            step: step.to_owned(),
            summary,
            raw_output: None,
            success: true,
            entry_key: None,
            by: AttemptOf::default(),
            data: None,
        }
    }
}

/// An entry as a timeline shows it: without its output, which can be long.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TimelineEntry {
    /// Rises with each entry of a ticket, in the order in which they become visible.
    pub seq: i64,
    /// The entry.
    pub id: LogId,
    /// What kind of step this was.
    pub step: String,
    /// What happened, for a person.
    pub summary: String,
    /// Whether the step went well.
    pub success: bool,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
    /// Groups the entries of one run of a runner.
    pub session_id: String,
    /// The attempt that wrote it, where that is known.
    pub attempt: Option<i32>,
    /// What it is about, for programs.
    #[schema(value_type = Option<EntryData>)]
    pub data: Option<Value>,
    /// How long its output is; the entry itself has it.
    pub raw_bytes: i32,
}

/// An entry with its output.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WholeEntry {
    /// The entry.
    #[serde(flatten)]
    pub entry: TimelineEntry,
    /// The agent's output or answer.
    pub raw_output: Option<String>,
}

/// Which part of a timeline: the entries with a number between these, both left out.
#[derive(Clone, Copy, Debug)]
pub struct Between {
    /// Only those after this number; then the oldest of them come first.
    pub after: Option<i64>,
    /// Only those before this number.
    pub before: Option<i64>,
}

macro_rules! timeline_where {
    ($conn:expr, $conditions:literal, $($parameter:expr),+) => {
        sqlx::query_as!(
            TimelineEntry,
            r#"select seq, id, step, summary, success, created_at, session_id, attempt, data,
                   coalesce(octet_length(raw_output), 0) as "raw_bytes!"
               from execution_logs where ticket_id = $1 and "# + $conditions,
            $($parameter),+
        )
        .fetch_all($conn)
        .await
    };
}

/// At most `limit` entries of a ticket's timeline, by number: the first after a number, or else the last.
pub async fn timeline(
    conn: &mut PgConnection,
    ticket: TicketId,
    between: Between,
    limit: i64,
) -> sqlx::Result<Vec<TimelineEntry>> {
    let before = between.before.unwrap_or(i64::MAX);
    if let Some(after) = between.after {
        return timeline_where!(conn, "seq > $2 and seq < $3 order by seq limit $4", ticket.0, after, before, limit);
    }
    let mut entries = timeline_where!(conn, "seq < $2 order by seq desc limit $3", ticket.0, before, limit)?;
    entries.reverse();
    Ok(entries)
}

/// Whether the ticket has entries with lower and with higher numbers than these.
pub async fn beyond(conn: &mut PgConnection, ticket: TicketId, first: i64, last: i64) -> sqlx::Result<(bool, bool)> {
    let row = sqlx::query!(
        r#"select exists (select from execution_logs where ticket_id = $1 and seq < $2) as "older!",
               exists (select from execution_logs where ticket_id = $1 and seq > $3) as "newer!""#,
        ticket.0,
        first,
        last
    )
    .fetch_one(conn)
    .await?;
    Ok((row.older, row.newer))
}

/// One entry of a ticket, with its output.
pub async fn find(conn: &mut PgConnection, ticket: TicketId, id: LogId) -> sqlx::Result<Option<WholeEntry>> {
    let row = sqlx::query!(
        "select seq, id, step, summary, success, created_at, session_id, attempt, data, raw_output
         from execution_logs where ticket_id = $1 and id = $2",
        ticket.0,
        id.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| WholeEntry {
        entry: TimelineEntry {
            seq: row.seq,
            id: LogId(row.id),
            step: row.step,
            summary: row.summary,
            success: row.success,
            created_at: row.created_at,
            session_id: row.session_id,
            attempt: row.attempt,
            data: row.data,
            raw_bytes: row.raw_output.as_ref().map_or(0, |raw| i32::try_from(raw.len()).unwrap_or(i32::MAX)),
        },
        raw_output: row.raw_output,
    }))
}

/// A ticket's entries, the oldest first.
pub async fn list(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Vec<LogEntry>> {
    sqlx::query_as!(
        LogEntry,
        "select id, step, summary, raw_output, success, created_at
         from execution_logs where ticket_id = $1 order by seq",
        ticket.0
    )
    .fetch_all(conn)
    .await
}

/// An entry that is stored.
#[derive(Clone, Copy, Debug)]
pub struct StoredEntry {
    /// The entry.
    pub id: LogId,
    /// Its number.
    pub seq: i64,
    /// Whether it was stored just now, and not before under the same key.
    pub is_new: bool,
}

/// Stores an entry. One whose key is stored already is not stored again. The caller has locked the ticket's activity.
pub async fn insert(conn: &mut PgConnection, entry: &NewLogEntry) -> sqlx::Result<StoredEntry> {
    let row = sqlx::query!(
        r#"insert into execution_logs (id, project_id, ticket_id, session_id, step, summary, raw_output, success, entry_key,
             attempt, data)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         on conflict on constraint execution_logs_entry_key_key do update set entry_key = excluded.entry_key
         returning id, seq, xmax = 0 as "is_new!""#,
        Uuid::now_v7(),
        entry.project_id.0,
        entry.ticket_id.0,
        entry.session_id,
        entry.step,
        entry.summary,
        entry.raw_output,
        entry.success,
        entry.entry_key,
        entry.by.attempt,
        entry.data
    )
    .fetch_one(conn)
    .await?;
    Ok(StoredEntry { id: LogId(row.id), seq: row.seq, is_new: row.is_new })
}

/// Stores entries of one ticket in their order, and returns those that are new. One whose key is stored already is not stored
/// again. The caller has locked the ticket's activity.
pub async fn insert_many(
    conn: &mut PgConnection,
    project: ProjectId,
    ticket: TicketId,
    entries: &[NewLogEntry],
) -> sqlx::Result<Vec<Option<StoredEntry>>> {
    let ids: Vec<Uuid> = entries.iter().map(|_| Uuid::now_v7()).collect();
    let texts = |of: fn(&NewLogEntry) -> &str| entries.iter().map(|entry| of(entry).to_owned()).collect::<Vec<_>>();
    let outputs: Vec<Option<String>> = entries.iter().map(|entry| entry.raw_output.clone()).collect();
    let successes: Vec<bool> = entries.iter().map(|entry| entry.success).collect();
    let keys: Vec<Option<Uuid>> = entries.iter().map(|entry| entry.entry_key).collect();
    let data: Vec<Option<Value>> = entries.iter().map(|entry| entry.data.clone()).collect();
    let rows = sqlx::query!(
        "insert into execution_logs (id, project_id, ticket_id, session_id, step, summary, raw_output, success, entry_key, data)
         select new.id, $1, $2, new.session_id, new.step, new.summary, new.raw_output, new.success, new.entry_key, new.data
         from unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bool[], $9::uuid[], $10::jsonb[])
             with ordinality as new (id, session_id, step, summary, raw_output, success, entry_key, data, place)
         order by new.place
         on conflict on constraint execution_logs_entry_key_key do nothing
         returning id, seq",
        project.0,
        ticket.0,
        &ids,
        &texts(|entry| &entry.session_id),
        &texts(|entry| &entry.step),
        &texts(|entry| &entry.summary),
        &outputs as &[Option<String>],
        &successes,
        &keys as &[Option<Uuid>],
        &data as &[Option<Value>]
    )
    .fetch_all(conn)
    .await?;
    let stored = |id: &Uuid| {
        let row = rows.iter().find(|row| row.id == *id)?;
        Some(StoredEntry { id: LogId(row.id), seq: row.seq, is_new: true })
    };
    Ok(ids.iter().map(stored).collect())
}

/// A ticket's latest entries from a span of time, the oldest first.
pub async fn list_between(
    conn: &mut PgConnection,
    ticket: TicketId,
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
    limit: i64,
) -> sqlx::Result<Vec<LogEntry>> {
    let mut entries = sqlx::query_as!(
        LogEntry,
        "select id, step, summary, raw_output, success, created_at
         from execution_logs
         where ticket_id = $1 and created_at >= $2 and ($3::timestamptz is null or created_at <= $3)
         order by seq desc limit $4",
        ticket.0,
        from,
        until,
        limit
    )
    .fetch_all(conn)
    .await?;
    entries.reverse();
    Ok(entries)
}

/// The `raw_output` of the newest entry of this step since a live job of the ticket was created, of whichever kind.
pub async fn newest_of_live_job(conn: &mut PgConnection, ticket: TicketId, step: &str) -> sqlx::Result<Option<String>> {
    let found = sqlx::query_scalar!(
        "select log.raw_output
         from execution_logs as log join agent_jobs as job on job.ticket_id = log.ticket_id
         where log.ticket_id = $1 and log.step = $2 and log.success
             and job.status in ('pending', 'running') and log.created_at >= job.created_at
         order by log.seq desc limit 1",
        ticket.0,
        step
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.flatten())
}
