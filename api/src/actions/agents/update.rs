//! Changes an agent of the catalogue.

use super::event;
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::agents::Agent;
use crate::domain::actor::Actor;
use crate::domain::agents::AgentChanges;
use crate::domain::live::event::EventKind;
use crate::domain::refusal::Refusal;
use uuid::Uuid;

/// Changes an agent. Jobs that wait already keep where they run.
///
/// # Errors
/// When a field is not valid, the slug is taken, or there is no such agent.
pub async fn update_agent(database: &Database, actor: &Actor, id: Uuid, changes: AgentChanges) -> ActionResult<Agent> {
    let missing = || Refusal::not_found("agent", id);
    let mut change = database.change(actor).await?;
    let now = db::agents::find_for_update(&mut change, id).await?.ok_or_else(missing)?;
    let status = changes.status;
    let fields = changes.over(now.into())?;
    if let Some(status) = status {
        db::agents::seen(&mut change, id, status).await?;
    }
    let agent = db::agents::update(&mut change, id, &fields).await?.ok_or_else(missing)?;
    change.record(event(EventKind::AgentChanged, &agent));
    change.commit().await?;
    Ok(agent)
}
