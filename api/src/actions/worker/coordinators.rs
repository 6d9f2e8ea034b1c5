//! Sets a coordinator's directive, or removes it from the list.

use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::Refusal;
use serde_json::json;
use terarchitect_worker_api::{Directive, WorkerId};

/// Sets what a coordinator should do, and how many of its slots it may use. The response to its next heartbeat carries it.
///
/// # Errors
/// When nothing is given, the limit is not valid, or there is no such coordinator.
pub async fn direct(
    database: &Database,
    actor: &Actor,
    id: &WorkerId,
    directive: Option<Directive>,
    limit: Option<Option<i32>>,
) -> ActionResult<()> {
    if directive.is_none() && limit.is_none() {
        return Err(Refusal::invalid("Send 'directive', 'limit' or both.").into());
    }
    if limit.flatten().is_some_and(|limit| limit < 1) {
        let sentence = "'limit' must be at least 1, or null for none; to stop all claims, set 'directive' to drain.";
        return Err(Refusal::invalid(sentence).into());
    }
    let mut change = database.change(actor).await?;
    if !db::worker::coordinators::direct(&mut change, id, directive, limit).await? {
        return Err(Refusal::not_found("coordinator", id).into());
    }
    let event = NewEvent::new(EventKind::CoordinatorDirected);
    let mut data = json!({"worker_id": id});
    if let Some(directive) = directive {
        data["directive"] = json!(directive);
    }
    if let Some(limit) = limit {
        data["limit"] = json!(limit);
    }
    change.record(event.with(data));
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
