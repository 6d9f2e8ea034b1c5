//! Work orders: tickets that are launched as they are created.

pub mod create;
pub mod ingest;
pub mod knowledge;
pub mod launch;
pub mod lines;
pub mod prompt;
pub mod update;

use crate::actions::ActionResult;
use crate::actions::jobs::cancel::stop;
use crate::changes::Change;
use crate::db;
use crate::db::jobs::Live;
use crate::db::work_orders::WorkOrder;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::Refusal;
use crate::domain::tickets::STATUS_FAILED;
use crate::domain::work_orders::OrderStatus;
use crate::domain::work_orders::lines::{Line, open_titles};
use serde_json::json;
use terarchitect_worker_api::{CompleteTicketRequest, JobKind, TicketId};

/// How much of the open lines' titles an event carries, in characters.
const OPEN_CHARS: usize = 1_000;

fn missing(id: TicketId) -> Refusal {
    Refusal::not_found("work order", id)
}

/// Records that an order was changed, and how it stands.
pub(in crate::actions) fn record_changed(change: &mut Change, order: &WorkOrder, status: OrderStatus, lines: &[Line]) {
    let open: String = open_titles(lines).join("\n").chars().take(OPEN_CHARS).collect();
    let event = NewEvent::of_ticket(EventKind::WorkOrderChanged, order.project_id, order.id);
    change.record(event.with(json!({"status": status, "open": open})));
}

/// Ends an order that no worker works on. A job of it that was not claimed is not needed any more. `live` are its ticket's live
/// jobs, locked before the order was.
pub(in crate::actions) async fn end(
    change: &mut Change,
    order: &WorkOrder,
    live: &[Live],
    status: OrderStatus,
) -> ActionResult<()> {
    for job in live.iter().filter(|job| job.kind == JobKind::Ticket) {
        stop(change, order.project_id, order.id, *job, live.len() == 1).await?;
    }
    if status == OrderStatus::Completed {
        let nothing = CompleteTicketRequest::default();
        db::tickets::complete(change, order.project_id, order.id, &nothing).await?;
        let event = NewEvent::of_ticket(EventKind::TicketCompleted, order.project_id, order.id);
        change.record(event.with(json!({"pr_url": order.pr_url, "pr_number": order.pr_number, "status": status})));
    } else if status == OrderStatus::Failed {
        db::tickets::set_status(change, order.id, STATUS_FAILED).await?;
    }
    db::work_orders::end(change, order.id, status).await?;
    record_changed(change, order, status, &order.lines.0);
    Ok(())
}
