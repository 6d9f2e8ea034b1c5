//! Changes a work order, and cancels it.

use super::{end, missing, record_changed};
use crate::actions::ActionResult;
use crate::actions::tickets::cancel::cancel;
use crate::changes::{Change, Database};
use crate::db;
use crate::db::jobs::Live;
use crate::db::work_orders::WorkOrder;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::Refusal;
use crate::domain::tickets::{STATUS_CANCELLED, TicketFields};
use crate::domain::work_orders::{Asked, OrderChanges, OrderStatus, asked};
use serde_json::json;
use terarchitect_worker_api::{ProjectId, TicketId};

/// Changes what an order says, and cancels or ends it where its status is named.
///
/// # Errors
/// When a field is not valid, there is no such order, or its status can't be set.
pub async fn update_work_order(
    database: &Database,
    actor: &Actor,
    id: TicketId,
    changes: OrderChanges,
) -> ActionResult<WorkOrder> {
    let status = changes.status;
    let mut change = database.change(actor).await?;
    db::tickets::lock_moves(&mut change, id).await?;
    let project = db::work_orders::project_of(&mut change, id).await?.ok_or_else(|| missing(id))?;
    let live = match status {
        Some(_) => db::jobs::live_for_update(&mut change, id).await?,
        None => Vec::new(),
    };
    // In the order of locks: the ticket's row, then the order's.
    let ticket = db::tickets::find_for_update(&mut change, project, id).await?.ok_or_else(|| missing(id))?;
    let order = db::work_orders::list::find_for_update(&mut change, id).await?.ok_or_else(|| missing(id))?;
    let now = order.fields();
    let fields = changes.over(now.clone())?;
    if let Some(agent) = fields.agent_id.filter(|agent| Some(*agent) != now.agent_id) {
        let found = db::agents::find(&mut change, agent).await?;
        found.ok_or_else(|| Refusal::not_found("agent", agent))?;
    }
    if fields.content.objective != now.content.objective {
        let named = fields.content.ticket(&ticket.column_id);
        rename(
            &mut change,
            project,
            id,
            TicketFields { title: named.title, description: named.description, ..ticket.into() },
        )
        .await?;
    }
    if fields != now {
        db::work_orders::update(&mut change, id, &fields).await?;
        record_changed(&mut change, &order, order.status, &fields.content.lines);
    }
    if let Some(named) = status {
        set_status(&mut change, &order, &live, named).await?;
    }
    let order = db::work_orders::list::find(&mut change, id).await?.ok_or_else(|| missing(id))?;
    change.commit().await?;
    Ok(order)
}

/// Cancels an order: one that no worker has at once, else by a stop request to its worker.
///
/// # Errors
/// When there is no such order, or it has ended.
pub async fn cancel_work_order(database: &Database, actor: &Actor, id: TicketId) -> ActionResult<WorkOrder> {
    let changes = OrderChanges { status: Some(OrderStatus::Cancelled), ..OrderChanges::default() };
    update_work_order(database, actor, id, changes).await
}

async fn rename(change: &mut Change, project: ProjectId, id: TicketId, fields: TicketFields) -> ActionResult<()> {
    let ticket = db::tickets::update(change, project, id, &fields).await?.ok_or_else(|| missing(id))?;
    let title: String = ticket.title.chars().take(200).collect();
    let event = NewEvent::of_ticket(EventKind::TicketChanged, project, id);
    change.record(event.with(json!({"title": title, "status": ticket.status})));
    Ok(())
}

async fn set_status(change: &mut Change, order: &WorkOrder, live: &[Live], named: OrderStatus) -> ActionResult<()> {
    match asked(order.status, named, order.is_held)? {
        Asked::Nothing => Ok(()),
        Asked::End(status) => end(change, order, live, status).await,
        Asked::Cancel => {
            cancel(change, order.project_id, order.id).await?;
            if !order.is_held {
                db::tickets::set_status(change, order.id, STATUS_CANCELLED).await?;
                db::work_orders::end(change, order.id, OrderStatus::Cancelled).await?;
            }
            record_changed(change, order, OrderStatus::Cancelled, &order.lines.0);
            Ok(())
        }
    }
}
