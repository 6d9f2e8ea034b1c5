//! Repositories of the catalogue: each is a project, under the same id.

use super::Done;
use crate::access::Caller;
use crate::actions;
use crate::db;
use crate::db::agents::repos::Repo;
use crate::domain::agents::repos::RepoChanges;
use crate::domain::projects::DeleteProject;
use crate::domain::refusal::Refusal;
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::{ErrorBody, ProjectId};
use utoipa::{IntoParams, ToSchema};

/// Which repository.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct RepoPath {
    /// The repository.
    #[param(value_type = uuid::Uuid)]
    repo_id: ProjectId,
}

/// The catalogue's repositories.
#[derive(Debug, Serialize, ToSchema)]
pub struct RepoList {
    repos: Vec<Repo>,
}

/// The repositories that the caller may see, the oldest first.
#[utoipa::path(get, path = "/api/v1/repos", tag = "agents", security(("bearer" = []), ("session" = [])),
    responses((status = 200, body = RepoList)))]
pub async fn list_repos(State(app): State<App>, caller: Caller) -> ApiResult<Json<RepoList>> {
    let visible = caller.visible().ids();
    let repos = db::agents::repos::list(&mut *app.database.read().await?, visible.as_deref()).await?;
    Ok(Json(RepoList { repos }))
}

/// Adds a repository: creates its project.
#[utoipa::path(post, path = "/api/v1/repos", tag = "agents", security(("bearer" = []), ("session" = [])),
    request_body = RepoChanges, responses((status = 201, body = Repo), (status = 409, body = ErrorBody)))]
pub async fn create_repo(
    State(app): State<App>,
    caller: Caller,
    JsonBody(new): JsonBody<RepoChanges>,
) -> ApiResult<(StatusCode, Json<Repo>)> {
    let repo = actions::agents::repos::create_repo(&app.database, &caller.actor(), new).await?;
    Ok((StatusCode::CREATED, Json(repo)))
}

/// One repository.
#[utoipa::path(get, path = "/api/v1/repos/{repo_id}", tag = "agents", security(("bearer" = []), ("session" = [])),
    params(RepoPath), responses((status = 200, body = Repo), (status = 404, body = ErrorBody)))]
pub async fn get_repo(State(app): State<App>, Path(path): Path<RepoPath>) -> ApiResult<Json<Repo>> {
    let repo = db::agents::repos::find(&mut *app.database.read().await?, path.repo_id).await?;
    Ok(Json(repo.ok_or_else(|| Refusal::not_found("project", path.repo_id))?))
}

/// Changes a repository.
#[utoipa::path(patch, path = "/api/v1/repos/{repo_id}", tag = "agents", security(("bearer" = []), ("session" = [])),
    params(RepoPath), request_body = RepoChanges,
    responses((status = 200, body = Repo), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn update_repo(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<RepoPath>,
    JsonBody(changes): JsonBody<RepoChanges>,
) -> ApiResult<Json<Repo>> {
    let (database, actor) = (&app.database, caller.actor());
    Ok(Json(actions::agents::repos::update_repo(database, &actor, path.repo_id, changes).await?))
}

/// Deletes a repository: its project with everything in it, where the request repeats the project's name.
#[utoipa::path(delete, path = "/api/v1/repos/{repo_id}", tag = "agents", security(("bearer" = []), ("session" = [])),
    params(RepoPath), request_body = DeleteProject,
    responses((status = 200, body = Done), (status = 404, body = ErrorBody)))]
pub async fn delete_repo(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<RepoPath>,
    JsonBody(confirmation): JsonBody<DeleteProject>,
) -> ApiResult<Json<Done>> {
    let (database, actor) = (&app.database, caller.actor());
    actions::projects::delete::delete_project(database, &actor, path.repo_id, &confirmation).await?;
    Ok(Json(Done { ok: true }))
}
