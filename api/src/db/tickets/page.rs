//! What a ticket's page shows beside its card: attempts, messages, diffs, the plan and the to-do list.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use terarchitect_worker_api::{DiffInfo, JobKind, PersonMessage, TicketId};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::db::words::Word;

/// The most attempts that a page shows.
const MAX_ATTEMPTS: i64 = 200;
/// The most messages and diffs that a page shows.
const MAX_ITEMS: i64 = 500;

/// An attempt at a ticket: one that has ended, or the one that runs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TicketAttempt {
    /// The job.
    pub job_id: Uuid,
    /// Which try of it.
    pub attempt: i32,
    /// What the job asks for.
    pub kind: JobKind,
    /// The worker.
    pub worker_id: Option<String>,
    /// The worker's name, if it told one and is still known.
    pub worker_name: Option<String>,
    /// When it was claimed.
    pub claimed_at: Option<DateTime<Utc>>,
    /// When it ended; none while it runs.
    pub ended_at: Option<DateTime<Utc>>,
    /// What became of the job; none while it runs.
    pub outcome: Option<String>,
    /// Why it ended.
    pub reason: Option<String>,
    /// A sentence about the reason.
    pub detail: Option<String>,
    /// The runner's exit code.
    pub exit_code: Option<i32>,
    /// The last lines of output.
    pub log_tail: Option<String>,
}

/// The ticket's attempts, the oldest first, with the one that runs.
pub async fn attempts(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Vec<TicketAttempt>> {
    let rows = sqlx::query!(
        r#"select job_id as "job_id!", attempt as "attempt!", kind as "kind!: Word<JobKind>", worker_id, host.name as "worker_name?",
               claimed_at, ended_at, outcome, reason, detail, exit_code, log_tail
           from (
               select job.seq, job.kind, attempt.job_id, attempt.attempt, attempt.worker_id, attempt.claimed_at,
                   attempt.ended_at, attempt.outcome, attempt.reason, attempt.detail, attempt.exit_code, attempt.log_tail
               from agent_jobs as job join agent_job_attempts as attempt on attempt.job_id = job.id
               where job.ticket_id = $1
               union all
               select job.seq, job.kind, job.id, job.attempt, job.worker_id, job.claimed_at, null, null, null, null, null,
                   null
               from agent_jobs as job where job.ticket_id = $1 and job.lease_expires_at is not null
               order by seq desc, attempt desc limit $2
           ) as newest left join coordinators as host using (worker_id) order by seq, attempt"#,
        ticket.0,
        MAX_ATTEMPTS
    )
    .fetch_all(conn)
    .await?;
    let attempts = rows.into_iter().map(|row| TicketAttempt {
        job_id: row.job_id,
        attempt: row.attempt,
        kind: row.kind.into(),
        worker_id: row.worker_id,
        worker_name: row.worker_name,
        claimed_at: row.claimed_at,
        ended_at: row.ended_at,
        outcome: row.outcome,
        reason: row.reason,
        detail: row.detail,
        exit_code: row.exit_code,
        log_tail: row.log_tail,
    });
    Ok(attempts.collect())
}

/// The newest messages to the ticket's agent, the oldest first.
pub async fn messages(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Vec<PersonMessage>> {
    let mut newest = sqlx::query_as!(
        PersonMessage,
        r#"select id, seq as "seq!", text, author, created_at, delivered_at, attempt, turn
           from ticket_messages where ticket_id = $1 order by seq desc limit $2"#,
        ticket.0,
        MAX_ITEMS
    )
    .fetch_all(conn)
    .await?;
    newest.reverse();
    Ok(newest)
}

/// The newest diffs of the ticket, the oldest first.
pub async fn diffs(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Vec<DiffInfo>> {
    let mut newest = sqlx::query_as!(
        DiffInfo,
        r#"select id, attempt, turn, commit_id as commit, base_id as base, files, added, removed, patch_bytes as bytes,
               truncated, created_at
           from ticket_diffs where ticket_id = $1 order by created_at desc, id limit $2"#,
        ticket.0,
        MAX_ITEMS
    )
    .fetch_all(conn)
    .await?;
    newest.reverse();
    Ok(newest)
}

/// The newest plan of the ticket's agent, and when it was made.
pub async fn plan(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Option<(String, DateTime<Utc>)>> {
    let row = sqlx::query!(
        "select coalesce(raw_output, summary) as text, created_at from execution_logs
         where ticket_id = $1 and data ->> 'kind' = 'plan' order by seq desc limit 1",
        ticket.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.and_then(|row| Some((row.text?, row.created_at))))
}

/// The agent's to-do list, as its runner sent it.
pub async fn todo(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Option<Value>> {
    let todo = sqlx::query_scalar!("select todo from ticket_activity where ticket_id = $1", ticket.0);
    Ok(todo.fetch_optional(conn).await?.flatten())
}

/// What was last said about each acceptance line, as a runner sent it, and when.
pub async fn acceptance(
    conn: &mut PgConnection,
    ticket: TicketId,
) -> sqlx::Result<Option<(Option<Value>, DateTime<Utc>)>> {
    let row = sqlx::query!(
        "select data -> 'lines' as lines, created_at from execution_logs
         where ticket_id = $1 and data ->> 'kind' = 'acceptance' order by seq desc limit 1",
        ticket.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.lines, row.created_at)))
}
