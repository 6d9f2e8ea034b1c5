//! The catalogue: agents and repositories.

pub mod create;
pub mod delete;
pub mod repos;
pub mod update;

use crate::db::agents::Agent;
use crate::domain::live::event::{EventKind, NewEvent};
use serde_json::json;

fn event(kind: EventKind, agent: &Agent) -> NewEvent {
    let name: String = agent.name.chars().take(200).collect();
    NewEvent::new(kind).with(json!({"agent_id": agent.id, "slug": agent.slug, "name": name, "program": agent.program}))
}
