//! Issues that became tickets.

use sqlx::PgConnection;
use terarchitect_worker_api::{ProjectId, TicketId};

/// Which of these issues have become tickets before, also where the ticket was deleted since.
pub async fn known(conn: &mut PgConnection, project: ProjectId, numbers: &[i64]) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "select number from ticket_issues where project_id = $1 and number = any ($2)",
        project.0,
        numbers
    )
    .fetch_all(conn)
    .await
}

/// Notes that an issue became this ticket; false if it had become one before.
pub async fn insert(
    conn: &mut PgConnection,
    project: ProjectId,
    number: i64,
    ticket: TicketId,
    url: &str,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "insert into ticket_issues (project_id, number, ticket_id, url) values ($1, $2, $3, $4)
         on conflict on constraint ticket_issues_pkey do nothing",
        project.0,
        number,
        ticket.0,
        url
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The number of the issue that a ticket was made of.
pub async fn of_ticket(conn: &mut PgConnection, project: ProjectId, ticket: TicketId) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "select number from ticket_issues where ticket_id = $1 and project_id = $2",
        ticket.0,
        project.0
    )
    .fetch_optional(conn)
    .await
}
