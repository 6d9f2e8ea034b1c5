//! Changes a project.

use super::record_changed;
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::projects::Project;
use crate::domain::actor::Actor;
use crate::domain::projects::ProjectChanges;
use crate::domain::refusal::Refusal;
use terarchitect_worker_api::ProjectId;

/// Changes a project.
///
/// # Errors
/// When a field is not valid, or the project does not exist.
pub async fn update_project(
    database: &Database,
    actor: &Actor,
    id: ProjectId,
    changes: ProjectChanges,
) -> ActionResult<Project> {
    let missing = || Refusal::not_found("project", id);
    let mut change = database.change(actor).await?;
    let now = db::projects::find_for_update(&mut change, id).await?.ok_or_else(missing)?;
    let fields = changes.over(now.into())?;
    let project = db::projects::update(&mut change, id, &fields).await?.ok_or_else(missing)?;
    record_changed(&mut change, id, "project");
    if project.issue_label.is_some() {
        db::forges::sweeps::wake(&mut change, id).await?;
    }
    change.commit().await?;
    Ok(project)
}
