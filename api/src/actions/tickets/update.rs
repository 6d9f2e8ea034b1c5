//! Changes a ticket, and moves it.

use super::apply_move::apply_move;
use super::create::{require_column, shortened};
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::tickets::Ticket;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::Refusal;
use crate::domain::tickets::TicketChanges;
use serde_json::json;
use terarchitect_worker_api::{ProjectId, TicketId};

/// Changes a ticket. Moving it to In Progress enqueues a job, moving it away cancels.
///
/// # Errors
/// When a field is not valid, the ticket does not exist, or its project has nothing to work on.
pub async fn update_ticket(
    database: &Database,
    actor: &Actor,
    project: ProjectId,
    id: TicketId,
    changes: TicketChanges,
) -> ActionResult<Ticket> {
    let missing = || Refusal::not_found("ticket", id);
    let names_column = changes.column_id.is_some();
    let mut change = database.change(actor).await?;
    db::tickets::lock_moves(&mut change, id).await?;
    // Reports lock a job and then its ticket. This uses the same order, so that it neither deadlocks with a report nor
    // overwrites a status that a report has just set.
    let live = if names_column { db::jobs::live_for_update(&mut change, id).await? } else { Vec::new() };
    let now = db::tickets::find_for_update(&mut change, project, id).await?.ok_or_else(missing)?;
    let from = now.column_id.clone();
    let fields = changes.over(now.into())?;
    if names_column {
        require_column(&mut change, project, &fields.column_id).await?;
    }
    let mut ticket = db::tickets::update(&mut change, project, id, &fields).await?.ok_or_else(missing)?;
    if names_column {
        ticket = apply_move(&mut change, &from, ticket, &live).await?;
    }
    let event = if from == ticket.column_id {
        let data = json!({"title": shortened(&ticket.title), "status": ticket.status});
        NewEvent::of_ticket(EventKind::TicketChanged, project, id).with(data)
    } else {
        let data = json!({"from": from, "to": ticket.column_id, "status": ticket.status});
        NewEvent::of_ticket(EventKind::TicketMoved, project, id).with(data)
    };
    change.record(event);
    change.commit().await?;
    Ok(ticket)
}
