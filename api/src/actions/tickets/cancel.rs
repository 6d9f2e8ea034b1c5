//! Cancels a ticket's work.

use crate::actions::ActionResult;
use crate::actions::jobs::cancel::stop;
use crate::changes::{Change, Database};
use crate::db;
use crate::db::jobs::Live;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::Refusal;
use crate::domain::tickets::STATUS_CANCELLED;
use crate::domain::tickets::moves::LiveJob;
use terarchitect_worker_api::{JobKind, ProjectId, TicketId};

/// Cancels the ticket's work: a pending job at once, a running one by a stop request to its runner.
///
/// # Errors
/// When the ticket does not exist.
pub async fn cancel_ticket(database: &Database, actor: &Actor, project: ProjectId, id: TicketId) -> ActionResult<()> {
    let mut change = database.change(actor).await?;
    cancel(&mut change, project, id).await?;
    Ok(change.commit().await?)
}

/// The same as part of a change. Takes the ticket's move lock and locks its live jobs.
pub(in crate::actions) async fn cancel(change: &mut Change, project: ProjectId, id: TicketId) -> ActionResult<()> {
    db::tickets::lock_moves(change, id).await?;
    let live = db::jobs::live_for_update(change, id).await?;
    if db::tickets::find(change, project, id).await?.is_none() {
        return Err(Refusal::not_found("ticket", id).into());
    }
    for job in &live {
        stop(change, project, id, *job, true).await?;
    }
    let waits = |live: &Live| live.state == LiveJob::Pending;
    if live.iter().any(|live| waits(live) && live.kind == JobKind::Ticket) {
        db::tickets::set_status(change, id, STATUS_CANCELLED).await?;
    }
    if live.is_empty() || !live.iter().all(waits) {
        // Even without a job: a runner that was started from a shell polls only the ticket.
        db::tickets::set_cancel_requested(change, id, true).await?;
    }
    change.record(NewEvent::of_ticket(EventKind::TicketCancelRequested, project, id));
    Ok(())
}
