//! Sets a coordinator's directive, or removes it from the list.

use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::Refusal;
use serde_json::json;
use terarchitect_worker_api::{Directive, WorkerId};

/// Sets what a coordinator should do. The response to its next heartbeat carries it.
///
/// # Errors
/// When there is no such coordinator.
pub async fn direct(database: &Database, actor: &Actor, id: &WorkerId, directive: Directive) -> ActionResult<()> {
    let mut change = database.change(actor).await?;
    if !db::worker::coordinators::direct(&mut change, id, directive).await? {
        return Err(Refusal::not_found("coordinator", id).into());
    }
    let event = NewEvent::new(EventKind::CoordinatorDirected);
    change.record(event.with(json!({"worker_id": id, "directive": directive})));
    Ok(change.commit().await?)
}

/// Removes a coordinator from the list. One that still runs is listed again after its next heartbeat.
///
/// # Errors
/// When there is no such coordinator.
pub async fn forget(database: &Database, actor: &Actor, id: &WorkerId) -> ActionResult<()> {
    let mut change = database.change(actor).await?;
    if !db::worker::coordinators::delete(&mut change, id).await? {
        return Err(Refusal::not_found("coordinator", id).into());
    }
    change.record(NewEvent::new(EventKind::CoordinatorForgotten).with(json!({"worker_id": id})));
    Ok(change.commit().await?)
}
