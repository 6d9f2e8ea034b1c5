//! Deletes a ticket.

use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::Refusal;
use terarchitect_worker_api::{ProjectId, TicketId};

/// Deletes a ticket with its jobs and logs. The coordinator of a running attempt learns that from its next heartbeat,
/// and stops it.
///
/// # Errors
/// When the ticket does not exist.
pub async fn delete_ticket(database: &Database, actor: &Actor, project: ProjectId, id: TicketId) -> ActionResult<()> {
    let mut change = database.change(actor).await?;
    db::tickets::lock_moves(&mut change, id).await?;
    let live = db::jobs::live_for_update(&mut change, id).await?;
    if !db::tickets::delete(&mut change, project, id).await? {
        return Err(Refusal::not_found("ticket", id).into());
    }
    if !live.is_empty() {
        db::worker::claims::notify_freed(&mut change, project).await?;
    }
    change.record(NewEvent::of_ticket(EventKind::TicketDeleted, project, id));
    Ok(change.commit().await?)
}
