//! Deletes a project.

use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::projects::DeleteProject;
use crate::domain::refusal::Refusal;
use terarchitect_worker_api::ProjectId;

/// Deletes a project with everything in it, if the request repeats its name.
///
/// # Errors
/// When the project does not exist, or its name is not repeated.
pub async fn delete_project(
    database: &Database,
    actor: &Actor,
    id: ProjectId,
    confirmation: &DeleteProject,
) -> ActionResult<()> {
    let mut change = database.change(actor).await?;
    let project = db::projects::find_for_update(&mut change, id).await?;
    confirmation.confirms(&project.ok_or_else(|| Refusal::not_found("project", id))?.name)?;
    db::jobs::lock_live_of_project(&mut change, id).await?;
    db::projects::delete(&mut change, id).await?;
    change.record(NewEvent::of_project(EventKind::ProjectDeleted, id));
    change.commit().await?;
    tracing::info!(project.id = %id, "deleted a project");
    Ok(())
}
