//! Secrets of a project. Their values go in, and out to its runners alone.

use crate::access::Caller;
use crate::actions;
use crate::db::projects::secrets::ProjectSecret;
use crate::domain::projects::secrets::SecretBody;
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path, ProjectPath};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use terarchitect_worker_api::{ErrorBody, Message, ProjectId};
use utoipa::IntoParams;

/// Which secret.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct SecretOfProjectPath {
    /// The project.
    #[param(value_type = uuid::Uuid)]
    project_id: ProjectId,
    /// The variable, such as `NPM_TOKEN`.
    name: String,
}

/// The secrets of a project, by name. Their values are never shown.
#[utoipa::path(get, path = "/api/projects/{project_id}/secrets", tag = "projects", security(("bearer" = []), ("session" = [])),
    params(ProjectPath), responses((status = 200, body = Vec<ProjectSecret>), (status = 404, body = ErrorBody)))]
pub async fn list_project_secrets(
    State(app): State<App>,
    Path(path): Path<ProjectPath>,
) -> ApiResult<Json<Vec<ProjectSecret>>> {
    Ok(Json(actions::projects::secrets::list_secrets(&app.database, path.project_id).await?))
}

/// Sets a secret of a project; one of this name is replaced. The commands of setup and verification find it in the variable of
/// this name, and so does the agent where `given_to_agent` says so. It is encrypted, and never shown again. It counts for
/// attempts that start from now on.
#[utoipa::path(put, path = "/api/projects/{project_id}/secrets/{name}", tag = "projects",
    security(("bearer" = []), ("session" = [])), params(SecretOfProjectPath), request_body = SecretBody,
    responses((status = 200, body = ProjectSecret), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn set_project_secret(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<SecretOfProjectPath>,
    JsonBody(body): JsonBody<SecretBody>,
) -> ApiResult<Json<ProjectSecret>> {
    let (database, sealer, actor) = (&app.database, &app.sealer, caller.actor());
    let of = (path.project_id, path.name.as_str());
    Ok(Json(actions::projects::secrets::set_secret(database, sealer, &actor, of, &body).await?))
}

/// Deletes a secret of a project. Attempts that run keep it to their end.
#[utoipa::path(delete, path = "/api/projects/{project_id}/secrets/{name}", tag = "projects",
    security(("bearer" = []), ("session" = [])), params(SecretOfProjectPath),
    responses((status = 200, body = Message), (status = 404, body = ErrorBody)))]
pub async fn delete_project_secret(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<SecretOfProjectPath>,
) -> ApiResult<Json<Message>> {
    let of = (path.project_id, path.name.as_str());
    actions::projects::secrets::delete_secret(&app.database, &caller.actor(), of).await?;
    Ok(Json(Message { message: "Secret deleted".to_owned() }))
}
