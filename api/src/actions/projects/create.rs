//! Creates a project.

use crate::actions::ActionResult;
use crate::actions::tickets::create::insert;
use crate::changes::Database;
use crate::db;
use crate::db::projects::Project;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::projects::{NewProject, board, setup_ticket};
use serde_json::json;

/// Creates a project with an empty graph, a board and, unless the repository exists already, a setup ticket.
///
/// # Errors
/// When a field is not valid.
pub async fn create_project(database: &Database, actor: &Actor, new: NewProject) -> ActionResult<Project> {
    let with_setup = !new.is_existing_repo;
    let fields = new.into_fields()?;
    let mut change = database.change(actor).await?;
    let project = db::projects::insert(&mut change, &fields).await?;
    db::projects::graphs::insert_empty(&mut change, project.id).await?;
    db::projects::boards::insert(&mut change, project.id, &board::default_columns()).await?;
    let event = NewEvent::of_project(EventKind::ProjectCreated, project.id);
    change.record(event.with(json!({"name": project.name.chars().take(200).collect::<String>()})));
    if with_setup {
        insert(&mut change, project.id, &setup_ticket()).await?;
    }
    change.commit().await?;
    tracing::info!(project.id = %project.id, "created a project");
    Ok(project)
}
