//! What a person has put off in the inbox.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::collections::HashMap;
use terarchitect_worker_api::{ProjectId, TicketId};
use uuid::Uuid;

/// The ticket's project; none if there is no such ticket.
pub async fn project_of(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Option<ProjectId>> {
    let project = sqlx::query_scalar!("select project_id from tickets where id = $1", ticket.0);
    Ok(project.fetch_optional(conn).await?.map(ProjectId))
}

/// The titles of these tickets.
pub async fn titles(conn: &mut PgConnection, tickets: &[Uuid]) -> sqlx::Result<HashMap<Uuid, String>> {
    let rows = sqlx::query!("select id, title from tickets where id = any ($1)", tickets).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.title)).collect())
}

/// Puts a ticket off for this long, from now on; zero ends that. Returns until when.
pub async fn snooze(
    conn: &mut PgConnection,
    ticket: TicketId,
    for_sec: f64,
    by: &str,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    if for_sec == 0.0 {
        sqlx::query!("delete from inbox_snoozes where ticket_id = $1", ticket.0).execute(conn).await?;
        return Ok(None);
    }
    let until = sqlx::query_scalar!(
        "insert into inbox_snoozes (ticket_id, until, snoozed_by) values ($1, now() + $2 * interval '1 second', $3)
         on conflict (ticket_id) do update
         set until = excluded.until, snoozed_by = excluded.snoozed_by, created_at = now()
         returning until",
        ticket.0,
        for_sec,
        by
    )
    .fetch_one(conn)
    .await?;
    Ok(Some(until))
}
