//! Adds an agent to the catalogue.

use super::event;
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::agents::Agent;
use crate::domain::actor::Actor;
use crate::domain::agents::AgentChanges;
use crate::domain::live::event::EventKind;

/// Adds an agent. It is offline until it sends its first event.
///
/// # Errors
/// When a field is not valid, or the slug is taken.
pub async fn create_agent(database: &Database, actor: &Actor, new: AgentChanges) -> ActionResult<Agent> {
    let fields = new.into_new()?;
    let mut change = database.change(actor).await?;
    let agent = db::agents::insert(&mut change, &fields).await?;
    change.record(event(EventKind::AgentCreated, &agent));
    change.commit().await?;
    Ok(agent)
}
