//! Tickets and their execution logs.

pub mod activity;
pub mod cards;
pub mod diffs;
pub mod expected;
pub mod inbox;
pub mod logs;
pub mod messages;
pub mod old;
pub mod page;
pub mod usage;

use crate::db::words::Word;
use crate::domain::tickets::{Priority, TicketFields};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use terarchitect_worker_api::{CompleteTicketRequest, ContextTicket, ProjectId, TicketId};
use utoipa::ToSchema;
use uuid::Uuid;

/// A ticket as the application shows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Ticket {
    /// The ticket.
    pub id: TicketId,
    /// Its project.
    pub project_id: ProjectId,
    /// The column of the board that it is in.
    pub column_id: String,
    /// Its title.
    pub title: String,
    /// What it asks for.
    pub description: Option<String>,
    /// Nodes of the graph that it is about; `["*"]` means all.
    pub associated_node_ids: Vec<String>,
    /// Edges of the graph that it is about; `["*"]` means all.
    pub associated_edge_ids: Vec<String>,
    /// How urgent it is.
    pub priority: Priority,
    /// The state of the work on it, such as `todo`, `in_progress`, `completed`, `failed` or `cancelled`.
    pub status: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Its pull request.
    pub pr_url: Option<String>,
    /// The pull request's number at its forge.
    pub pr_number: Option<i64>,
}

impl From<Ticket> for TicketFields {
    fn from(ticket: Ticket) -> Self {
        Self {
            column_id: ticket.column_id,
            title: ticket.title,
            description: ticket.description,
            associated_node_ids: ticket.associated_node_ids,
            associated_edge_ids: ticket.associated_edge_ids,
            priority: ticket.priority,
            status: ticket.status,
        }
    }
}

/// All tickets of a project, the oldest first.
pub async fn list(conn: &mut PgConnection, project: ProjectId) -> sqlx::Result<Vec<Ticket>> {
    sqlx::query_as!(
        Ticket,
        r#"select id, project_id, column_id, title, description, associated_node_ids, associated_edge_ids,
             priority as "priority: Word<Priority>",
             status, created_at, updated_at, pr_url, pr_number
         from tickets where project_id = $1 order by created_at, id"#,
        project.0
    )
    .fetch_all(conn)
    .await
}

/// One ticket of a project.
pub async fn find(conn: &mut PgConnection, project: ProjectId, id: TicketId) -> sqlx::Result<Option<Ticket>> {
    sqlx::query_as!(
        Ticket,
        r#"select id, project_id, column_id, title, description, associated_node_ids, associated_edge_ids,
             priority as "priority: Word<Priority>",
             status, created_at, updated_at, pr_url, pr_number
         from tickets where project_id = $1 and id = $2"#,
        project.0,
        id.0
    )
    .fetch_optional(conn)
    .await
}

/// The ticket, locked until the transaction ends.
pub async fn find_for_update(
    conn: &mut PgConnection,
    project: ProjectId,
    id: TicketId,
) -> sqlx::Result<Option<Ticket>> {
    sqlx::query_as!(
        Ticket,
        // Locks the ticket: what the end of its job writes comes before or after, not in between.
        r#"select id, project_id, column_id, title, description, associated_node_ids, associated_edge_ids,
             priority as "priority: Word<Priority>",
             status, created_at, updated_at, pr_url, pr_number
         from tickets where project_id = $1 and id = $2 for update"#,
        project.0,
        id.0
    )
    .fetch_optional(conn)
    .await
}

/// Lets everything that moves this ticket wait for the end of the transaction: moves, cancellation, completion. A lock
/// of its own, not the ticket's row, because a job's row is locked before its ticket's.
pub async fn lock_moves(conn: &mut PgConnection, id: TicketId) -> sqlx::Result<()> {
    // Locks an advisory key made of the ticket's id until the transaction ends.
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended($1::uuid::text, 0))", id.0).execute(conn).await?;
    Ok(())
}

/// Creates a ticket.
pub async fn insert(conn: &mut PgConnection, project: ProjectId, fields: &TicketFields) -> sqlx::Result<Ticket> {
    sqlx::query_as!(
        Ticket,
        r#"insert into tickets (id, project_id, column_id, title, description, associated_node_ids, associated_edge_ids,
             priority, status)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         returning id, project_id, column_id, title, description, associated_node_ids, associated_edge_ids,
             priority as "priority: Word<Priority>",
             status, created_at, updated_at, pr_url, pr_number"#,
        Uuid::now_v7(),
        project.0,
        fields.column_id,
        fields.title,
        fields.description,
        &fields.associated_node_ids,
        &fields.associated_edge_ids,
        fields.priority.as_str(),
        fields.status
    )
    .fetch_one(conn)
    .await
}

/// Changes a ticket.
pub async fn update(
    conn: &mut PgConnection,
    project: ProjectId,
    id: TicketId,
    fields: &TicketFields,
) -> sqlx::Result<Option<Ticket>> {
    sqlx::query_as!(
        Ticket,
        r#"update tickets set column_id = $3, title = $4, description = $5, associated_node_ids = $6,
             associated_edge_ids = $7, priority = $8, status = $9, updated_at = now()
         where project_id = $1 and id = $2
         returning id, project_id, column_id, title, description, associated_node_ids, associated_edge_ids,
             priority as "priority: Word<Priority>",
             status, created_at, updated_at, pr_url, pr_number"#,
        project.0,
        id.0,
        fields.column_id,
        fields.title,
        fields.description,
        &fields.associated_node_ids,
        &fields.associated_edge_ids,
        fields.priority.as_str(),
        fields.status
    )
    .fetch_optional(conn)
    .await
}

/// Deletes a ticket with its jobs and logs.
pub async fn delete(conn: &mut PgConnection, project: ProjectId, id: TicketId) -> sqlx::Result<bool> {
    let done =
        sqlx::query!("delete from tickets where project_id = $1 and id = $2", project.0, id.0).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

/// Sets or clears the ticket's stop request.
pub async fn set_cancel_requested(conn: &mut PgConnection, id: TicketId, requested: bool) -> sqlx::Result<()> {
    sqlx::query!(
        "update tickets set cancel_requested_at = case when $2 then coalesce(cancel_requested_at, now()) end,
             updated_at = now()
         where id = $1 and (cancel_requested_at is not null) <> $2",
        id.0,
        requested
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether the ticket has a stop request; none if there is no such ticket.
pub async fn cancel_requested(conn: &mut PgConnection, project: ProjectId, id: TicketId) -> sqlx::Result<Option<bool>> {
    sqlx::query_scalar!(
        r#"select cancel_requested_at is not null as "requested!" from tickets where project_id = $1 and id = $2"#,
        project.0,
        id.0
    )
    .fetch_optional(conn)
    .await
}

/// Keeps the ticket from being deleted until the transaction ends; false if there is no such ticket. What follows locks
/// its activity, and the deletion of a ticket locks in the same order.
pub async fn hold(conn: &mut PgConnection, project: ProjectId, id: TicketId) -> sqlx::Result<bool> {
    let found = sqlx::query_scalar!(
        // Locks the ticket against its deletion alone; whatever else changes it does not wait.
        r#"select true as "found!" from tickets where project_id = $1 and id = $2 for key share"#,
        project.0,
        id.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// Clears a stop request that no live job of the ticket has.
pub async fn forget_old_cancellation(conn: &mut PgConnection, id: TicketId) -> sqlx::Result<()> {
    sqlx::query!(
        "update tickets set cancel_requested_at = null
         where id = $1 and cancel_requested_at is not null and not exists (
             select from agent_jobs
             where ticket_id = $1 and status in ('pending', 'running') and cancel_requested_at is not null
         )",
        id.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets the ticket's status.
pub async fn set_status(conn: &mut PgConnection, id: TicketId, status: &str) -> sqlx::Result<()> {
    sqlx::query!("update tickets set status = $2, updated_at = now() where id = $1", id.0, status)
        .execute(conn)
        .await?;
    Ok(())
}

/// Sets the status that the end of a job means, unless the ticket has left In Progress: completed, or moved by a person.
/// Returns whether it was set.
pub async fn settle(conn: &mut PgConnection, id: TicketId, status: &str) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update tickets set status = $2, updated_at = now() where id = $1 and column_id = 'in_progress'",
        id.0,
        status
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Records that the runner is done: status `completed`, column `in_review`, and the pull request where there is one.
pub async fn complete(
    conn: &mut PgConnection,
    project: ProjectId,
    id: TicketId,
    request: &CompleteTicketRequest,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update tickets set status = 'completed', column_id = 'in_review', cancel_requested_at = null,
             pr_url = coalesce($3, pr_url), pr_number = coalesce($4, pr_number), updated_at = now()
         where project_id = $1 and id = $2",
        project.0,
        id.0,
        request.pr_url,
        request.pr_number
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The columns other than these that hold tickets.
pub async fn occupied_columns_other_than(
    conn: &mut PgConnection,
    project: ProjectId,
    columns: &[String],
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select distinct column_id from tickets where project_id = $1 and column_id <> all($2) order by 1",
        project.0,
        columns
    )
    .fetch_all(conn)
    .await
}

/// Tickets of a column for a runner's context: the named one first, then the latest changed.
pub async fn list_for_context(
    conn: &mut PgConnection,
    project: ProjectId,
    column: &str,
    first: TicketId,
    limit: i64,
) -> sqlx::Result<Vec<ContextTicket>> {
    let rows = sqlx::query!(
        "select id, title, description, priority, column_id, status
         from tickets where project_id = $1 and column_id = $2
         order by (id = $3) desc, updated_at desc, id limit $4",
        project.0,
        column,
        first.0,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ContextTicket {
            id: row.id.into(),
            title: row.title,
            description: row.description,
            priority: row.priority,
            column_id: row.column_id,
            status: row.status,
            is_current: (row.id == first.0).then_some(true),
        })
        .collect())
}
