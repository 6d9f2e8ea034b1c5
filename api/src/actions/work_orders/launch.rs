//! Launches a work order that was not launched, or that has ended.

use super::create::why_not_launched;
use super::{missing, record_changed};
use crate::actions::ActionResult;
use crate::actions::jobs::enqueue::enqueue_and_start_ticket;
use crate::changes::Database;
use crate::db;
use crate::db::work_orders::WorkOrder;
use crate::domain::actor::Actor;
use crate::domain::jobs::terms::NewJob;
use crate::domain::refusal::Refusal;
use crate::domain::work_orders::{OrderStatus, Source};
use terarchitect_worker_api::{JobKind, TicketId};

/// Launches an order. One that waits or runs already stays as it is.
///
/// # Errors
/// When there is no such order, or it is a local one. A launch that can't be is noted in the order, and no error.
pub async fn launch_work_order(database: &Database, actor: &Actor, id: TicketId) -> ActionResult<WorkOrder> {
    let mut change = database.change(actor).await?;
    db::tickets::lock_moves(&mut change, id).await?;
    let live = db::jobs::live_for_update(&mut change, id).await?;
    let project = db::work_orders::project_of(&mut change, id).await?.ok_or_else(|| missing(id))?;
    let ticket = db::tickets::find_for_update(&mut change, project, id).await?.ok_or_else(|| missing(id))?;
    let order = db::work_orders::list::find_for_update(&mut change, id).await?.ok_or_else(|| missing(id))?;
    if order.source == Source::Local {
        let sentence = "A local work order is not launched: an agent of one's own works on it.";
        return Err(Refusal::invalid(sentence).into());
    }
    if !live.iter().any(|job| job.kind == JobKind::Ticket) {
        let error = why_not_launched(&mut change, project, Some(id)).await?;
        db::work_orders::set_launch_error(&mut change, id, error.as_deref()).await?;
        if error.is_none() {
            enqueue_and_start_ticket(&mut change, ticket.into(), &NewJob::of_ticket(project, id, JobKind::Ticket))
                .await?;
        }
        record_changed(&mut change, &order, OrderStatus::Pending, &order.lines.0);
    }
    let order = db::work_orders::list::find(&mut change, id).await?.ok_or_else(|| missing(id))?;
    change.commit().await?;
    Ok(order)
}
