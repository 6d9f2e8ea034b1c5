//! Creates a ticket.

use super::apply_move::apply_move;
use crate::actions::ActionResult;
use crate::changes::{Change, Database};
use crate::db;
use crate::db::tickets::Ticket;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::projects::board;
use crate::domain::refusal::Refusal;
use crate::domain::tickets::{TicketChanges, TicketFields};
use serde_json::json;
use sqlx::PgConnection;
use terarchitect_worker_api::ProjectId;

/// Creates a ticket. One that is created in In Progress is enqueued at once.
///
/// # Errors
/// When a field is not valid, the project does not exist, or has nothing to work on.
pub async fn create_ticket(
    database: &Database,
    actor: &Actor,
    project: ProjectId,
    new: TicketChanges,
) -> ActionResult<Ticket> {
    let fields = new.into_new()?;
    let mut change = database.change(actor).await?;
    require_column(&mut change, project, &fields.column_id).await?;
    let mut ticket = insert(&mut change, project, &fields).await?;
    if ticket.column_id == board::IN_PROGRESS {
        ticket = apply_move(&mut change, board::BACKLOG, ticket, &[]).await?;
    }
    change.commit().await?;
    Ok(ticket)
}

/// Stores a new ticket.
pub(in crate::actions) async fn insert(
    change: &mut Change,
    project: ProjectId,
    fields: &TicketFields,
) -> ActionResult<Ticket> {
    let ticket = db::tickets::insert(change, project, fields).await?;
    let event = NewEvent::of_ticket(EventKind::TicketCreated, project, ticket.id);
    change.record(event.with(json!({"title": shortened(&ticket.title), "column_id": ticket.column_id})));
    Ok(ticket)
}

/// A title as events carry it.
pub(super) fn shortened(title: &str) -> String {
    title.chars().take(200).collect()
}

/// Checks that the project's board has this column.
pub(in crate::actions) async fn require_column(
    conn: &mut PgConnection,
    project: ProjectId,
    column: &str,
) -> ActionResult<()> {
    let board = db::projects::boards::find(conn, project).await?;
    let board = board.ok_or_else(|| Refusal::not_found("project", project))?;
    Ok(board::require_column(&board.columns, column)?)
}
