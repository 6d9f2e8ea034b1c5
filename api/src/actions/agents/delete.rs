//! Deletes an agent from the catalogue.

use super::event;
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::domain::actor::Actor;
use crate::domain::live::event::EventKind;
use crate::domain::refusal::{ErrorCode, Refusal};
use uuid::Uuid;

/// Deletes an agent. Its orders stay.
///
/// # Errors
/// When there is no such agent, or it works on something in its cloud.
pub async fn delete_agent(database: &Database, actor: &Actor, id: Uuid) -> ActionResult<()> {
    let mut change = database.change(actor).await?;
    let found = db::agents::find_for_update(&mut change, id).await?;
    let agent = found.ok_or_else(|| Refusal::not_found("agent", id))?;
    if db::agents::has_live_cloud_job(&mut change, id).await? {
        let sentence = "A work order of this agent waits or runs in its cloud; cancel the order first.";
        return Err(Refusal::new(ErrorCode::JobExists, sentence).into());
    }
    db::agents::delete(&mut change, id).await?;
    change.record(event(EventKind::AgentDeleted, &agent));
    Ok(change.commit().await?)
}
