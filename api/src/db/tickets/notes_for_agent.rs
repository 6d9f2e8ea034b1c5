//! A person's note for the next attempt at a ticket.

use sqlx::PgConnection;
use terarchitect_worker_api::{ProjectId, TicketId};
use uuid::Uuid;

/// Stores a message that the next attempt at the ticket gets, and returns its id.
pub async fn insert(
    conn: &mut PgConnection,
    project: ProjectId,
    ticket: TicketId,
    author: &str,
    text: &str,
) -> sqlx::Result<Uuid> {
    sqlx::query_scalar!(
        "insert into ticket_messages (id, project_id, ticket_id, author, text) values ($1, $2, $3, $4, $5) returning id",
        Uuid::now_v7(),
        project.0,
        ticket.0,
        author,
        text
    )
    .fetch_one(conn)
    .await
}
