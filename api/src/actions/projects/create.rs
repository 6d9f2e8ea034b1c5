//! Creates a project.

use crate::actions::ActionResult;
use crate::actions::tickets::create::insert;
use crate::changes::{Change, Database};
use crate::db;
use crate::db::projects::Project;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::projects::{
    NewProject, ProjectFields, WITHOUT_REPOSITORY, WITHOUT_REPOSITORY_NAME, board, setup_ticket,
};
use serde_json::json;
use terarchitect_worker_api::ProjectId;

/// Creates a project with an empty graph, a board and, unless the repository exists already, a setup ticket.
///
/// # Errors
/// When a field is not valid.
pub async fn create_project(database: &Database, actor: &Actor, new: NewProject) -> ActionResult<Project> {
    let with_setup = !new.is_existing_repo;
    let fields = new.into_fields()?;
    let mut change = database.change(actor).await?;
    let project = insert_project(&mut change, &fields).await?;
    if with_setup {
        insert(&mut change, project.id, &setup_ticket()).await?;
    }
    change.commit().await?;
    tracing::info!(project.id = %project.id, "created a project");
    Ok(project)
}

/// Creates a project with an empty graph and a board, as part of a change.
pub(in crate::actions) async fn insert_project(change: &mut Change, fields: &ProjectFields) -> ActionResult<Project> {
    let project = db::projects::insert(change, fields).await?;
    complete(change, project.id, &project.name).await?;
    Ok(project)
}

/// The built-in project for work that names no repository, which is created where it is not there yet.
pub(in crate::actions) async fn without_repository(change: &mut Change) -> ActionResult<ProjectId> {
    let (id, name) = (ProjectId(WITHOUT_REPOSITORY), WITHOUT_REPOSITORY_NAME);
    if !db::projects::exists(change, id).await? && db::projects::insert_built_in(change, id, name).await? {
        complete(change, id, name).await?;
    }
    Ok(id)
}

async fn complete(change: &mut Change, id: ProjectId, name: &str) -> ActionResult<()> {
    db::projects::graphs::insert_empty(change, id).await?;
    db::projects::boards::insert(change, id, &board::default_columns()).await?;
    let event = NewEvent::of_project(EventKind::ProjectCreated, id);
    change.record(event.with(json!({"name": name.chars().take(200).collect::<String>()})));
    Ok(())
}
