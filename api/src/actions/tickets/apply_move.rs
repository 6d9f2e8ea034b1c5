//! What a move of a ticket does to its job: enqueue it, cancel it, or request that it stops. Part of the move's own
//! transaction.

use crate::actions::ActionResult;
use crate::actions::jobs::cancel::stop;
use crate::actions::jobs::enqueue::{put_into_queue, require_work};
use crate::changes::Change;
use crate::db;
use crate::db::jobs::Live;
use crate::db::tickets::Ticket;
use crate::domain::jobs::terms::NewJob;
use crate::domain::refusal::Refusal;
use crate::domain::tickets::moves::{JobEffect, LiveJob, effect_of_move};
use crate::domain::tickets::{STATUS_CANCELLED, STATUS_IN_PROGRESS, TicketFields};
use terarchitect_worker_api::JobKind;

/// Applies the ticket's move from `from` to its present column to its job, and returns the ticket afterwards. `live`
/// are its live jobs, locked before its row was read.
///
/// # Errors
/// When the project has nothing to work on: no repository address, or no path for local execution.
pub(in crate::actions) async fn apply_move(
    change: &mut Change,
    from: &str,
    ticket: Ticket,
    live: &[Live],
) -> ActionResult<Ticket> {
    // Reviews are not work on the ticket itself: no move starts or ends them.
    let live: Vec<Live> = live.iter().copied().filter(|live| live.kind == JobKind::Ticket).collect();
    let status = match effect_of_move(from, &ticket.column_id, live.first().map(|live| live.state)) {
        JobEffect::None => {
            if live.iter().any(|live| live.state == LiveJob::Pending) {
                // A claim that ran while the job was locked has skipped it.
                db::worker::claims::notify_due(change, ticket.project_id).await?;
            }
            return Ok(ticket);
        }
        JobEffect::Enqueue => {
            require_work(change, ticket.project_id).await?;
            put_into_queue(change, &NewJob::of_ticket(ticket.project_id, ticket.id, JobKind::Ticket)).await?;
            STATUS_IN_PROGRESS
        }
        JobEffect::EnqueueAfterStop => {
            require_work(change, ticket.project_id).await?;
            for job in &live {
                db::jobs::request_requeue(change, job.id).await?;
            }
            STATUS_IN_PROGRESS
        }
        JobEffect::Cancel => {
            for job in live {
                stop(change, ticket.project_id, ticket.id, job, true).await?;
            }
            STATUS_CANCELLED
        }
    };
    let (project, id) = (ticket.project_id, ticket.id);
    let fields = TicketFields { status: status.to_owned(), ..ticket.into() };
    let ticket = db::tickets::update(change, project, id, &fields).await?;
    Ok(ticket.ok_or_else(|| Refusal::not_found("ticket", id))?)
}
