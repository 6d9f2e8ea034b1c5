//! Execution logs: what runners reported, in order.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use std::time::Duration;
use terarchitect_worker_api::{LogId, ProjectId, TicketId};
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
        }
    }
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

/// Stores an entry and returns its id. An entry whose key is stored already is not stored again; the second value is
/// `false` then.
pub async fn insert(conn: &mut PgConnection, entry: &NewLogEntry) -> sqlx::Result<(LogId, bool)> {
    let row = sqlx::query!(
        r#"insert into execution_logs (id, project_id, ticket_id, session_id, step, summary, raw_output, success, entry_key)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict on constraint execution_logs_entry_key_key do update set entry_key = excluded.entry_key
         returning id, xmax = 0 as "is_new!""#,
        Uuid::now_v7(),
        entry.project_id.0,
        entry.ticket_id.0,
        entry.session_id,
        entry.step,
        entry.summary,
        entry.raw_output,
        entry.success,
        entry.entry_key
    )
    .fetch_one(conn)
    .await?;
    Ok((LogId(row.id), row.is_new))
}

/// Deletes entries that are older than `keep`, except those of a live job or an open ticket. Returns how many were
/// deleted.
pub async fn delete_old(conn: &mut PgConnection, keep: Duration, limit: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "delete from execution_logs where id in (
             select log.id from execution_logs as log
             where log.created_at < now() - $1 * interval '1 second' and not exists (
                 select from tickets as ticket where ticket.id = log.ticket_id and ticket.column_id <> 'done'
             ) and not exists (
                 select from agent_jobs as job
                 where job.ticket_id = log.ticket_id and job.status in ('pending', 'running')
             )
             limit $2
         )",
        keep.as_secs_f64(),
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
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

/// The `raw_output` of the newest entry of this step that the ticket's live job wrote.
pub async fn newest_of_live_job(conn: &mut PgConnection, ticket: TicketId, step: &str) -> sqlx::Result<Option<String>> {
    let found = sqlx::query_scalar!(
        "select log.raw_output
         from execution_logs as log join agent_jobs as job on job.ticket_id = log.ticket_id
         where log.ticket_id = $1 and log.step = $2 and log.success
             and job.kind = 'ticket' and job.status in ('pending', 'running') and log.created_at >= job.created_at
         order by log.seq desc limit 1",
        ticket.0,
        step
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.flatten())
}
