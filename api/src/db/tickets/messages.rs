//! People's words to the agents of tickets.

use crate::domain::tickets::activity::AttemptOf;
use sqlx::PgConnection;
use terarchitect_worker_api::{PersonMessage, ProjectId, TicketId};
use uuid::Uuid;

/// Stores a message. A person is shown by name, also after the account is deleted; others as the event log names them.
pub async fn insert(
    conn: &mut PgConnection,
    project: ProjectId,
    ticket: TicketId,
    author: &str,
    text: &str,
) -> sqlx::Result<PersonMessage> {
    sqlx::query_as!(
        PersonMessage,
        r#"insert into ticket_messages (id, project_id, ticket_id, author, text) values ($1, $2, $3, coalesce((select name from people where 'person:' || id = $4), $4), $5)
         returning id, seq, text, author, created_at, delivered_at, attempt, turn"#,
        Uuid::now_v7(),
        project.0,
        ticket.0,
        author,
        text
    )
    .fetch_one(conn)
    .await
}

/// A ticket's messages, the oldest first.
pub async fn list(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Vec<PersonMessage>> {
    sqlx::query_as!(
        PersonMessage,
        "select id, seq, text, author, created_at, delivered_at, attempt, turn
         from ticket_messages where ticket_id = $1 order by seq",
        ticket.0
    )
    .fetch_all(conn)
    .await
}

/// What a turn took before, in order. The caller has locked the ticket.
pub async fn taken(
    conn: &mut PgConnection,
    ticket: TicketId,
    by: AttemptOf,
    turn: i32,
) -> sqlx::Result<Vec<PersonMessage>> {
    sqlx::query_as!(
        PersonMessage,
        "select id, seq, text, author, created_at, delivered_at, attempt, turn
         from ticket_messages
         where ticket_id = $1 and job_id is not distinct from $2 and attempt is not distinct from $3 and turn = $4
         order by seq",
        ticket.0,
        by.job.map(|job| job.0),
        by.attempt,
        turn
    )
    .fetch_all(conn)
    .await
}

/// Takes what waits for a turn: what was not taken, and what was taken but never confirmed by an earlier turn of the same
/// attempt or by an attempt that is over. The caller has locked the ticket.
pub async fn take(conn: &mut PgConnection, ticket: TicketId, by: AttemptOf, turn: i32) -> sqlx::Result<()> {
    sqlx::query!(
        "update ticket_messages as message set job_id = $2, attempt = $3, turn = $4
         where ticket_id = $1 and delivered_at is null and not exists (
             select from agent_jobs as job
             where job.id = message.job_id and job.attempt = message.attempt and job.status = 'running'
                 and (job.id, job.attempt) is distinct from ($2, $3)
         )",
        ticket.0,
        by.job.map(|job| job.0),
        by.attempt,
        turn
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Confirms what a turn took. Returns the messages that were not confirmed before.
pub async fn confirm(conn: &mut PgConnection, ticket: TicketId, by: AttemptOf, turn: i32) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "update ticket_messages set delivered_at = now()
         where ticket_id = $1 and job_id is not distinct from $2 and attempt is not distinct from $3 and turn = $4
             and delivered_at is null
         returning id",
        ticket.0,
        by.job.map(|job| job.0),
        by.attempt,
        turn
    )
    .fetch_all(conn)
    .await
}
