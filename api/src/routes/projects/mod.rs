//! Projects, and what belongs to one: board, graph, notes, memory.

pub mod board;
pub mod budgets;
pub mod graph;
pub mod memory;
pub mod notes;
pub mod proof;
pub mod secrets;

use crate::access::Caller;
use crate::actions;
use crate::db;
use crate::db::projects::Project;
use crate::domain::projects::{DeleteProject, NewProject, ProjectChanges};
use crate::domain::refusal::Refusal;
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path, ProjectPath};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use terarchitect_worker_api::{ErrorBody, Message};

/// All projects that the caller may see.
#[utoipa::path(get, path = "/api/projects", tag = "projects", security(("bearer" = []), ("session" = [])),
    responses((status = 200, body = Vec<Project>)))]
pub async fn list_projects(State(app): State<App>, caller: Caller) -> ApiResult<Json<Vec<Project>>> {
    let mut conn = app.database.read().await?;
    Ok(Json(db::projects::list(&mut conn, caller.visible().ids().as_deref()).await?))
}

/// Creates a project with an empty graph, a board and, unless the repository exists already, a setup ticket.
#[utoipa::path(post, path = "/api/projects", tag = "projects", security(("bearer" = []), ("session" = [])), request_body = NewProject,
    responses((status = 201, body = Project)))]
pub async fn create_project(
    State(app): State<App>,
    caller: Caller,
    JsonBody(new): JsonBody<NewProject>,
) -> ApiResult<(StatusCode, Json<Project>)> {
    let project = actions::projects::create::create_project(&app.database, &caller.actor(), new).await?;
    Ok((StatusCode::CREATED, Json(project)))
}

/// One project.
#[utoipa::path(get, path = "/api/projects/{project_id}", tag = "projects", security(("bearer" = []), ("session" = [])),
    params(ProjectPath), responses((status = 200, body = Project), (status = 404, body = ErrorBody)))]
pub async fn get_project(State(app): State<App>, Path(path): Path<ProjectPath>) -> ApiResult<Json<Project>> {
    let mut conn = app.database.read().await?;
    let project = db::projects::find(&mut conn, path.project_id).await?;
    Ok(Json(project.ok_or_else(|| Refusal::not_found("project", path.project_id))?))
}

/// Changes a project.
#[utoipa::path(put, path = "/api/projects/{project_id}", tag = "projects", security(("bearer" = []), ("session" = [])),
    params(ProjectPath), request_body = ProjectChanges,
    responses((status = 200, body = Project), (status = 404, body = ErrorBody)))]
pub async fn update_project(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<ProjectPath>,
    JsonBody(changes): JsonBody<ProjectChanges>,
) -> ApiResult<Json<Project>> {
    let (database, actor) = (&app.database, caller.actor());
    Ok(Json(actions::projects::update::update_project(database, &actor, path.project_id, changes).await?))
}

/// Deletes a project with everything in it. The body repeats its name.
#[utoipa::path(delete, path = "/api/projects/{project_id}", tag = "projects", security(("bearer" = []), ("session" = [])),
    params(ProjectPath), request_body = DeleteProject,
    responses((status = 200, body = Message), (status = 404, body = ErrorBody)))]
pub async fn delete_project(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<ProjectPath>,
    JsonBody(confirmation): JsonBody<DeleteProject>,
) -> ApiResult<Json<Message>> {
    let (database, actor) = (&app.database, caller.actor());
    actions::projects::delete::delete_project(database, &actor, path.project_id, &confirmation).await?;
    Ok(Json(Message { message: "Project deleted".to_owned() }))
}
