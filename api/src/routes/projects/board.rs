//! A project's board.

use crate::access::Caller;
use crate::actions;
use crate::db;
use crate::db::projects::boards::Board;
use crate::domain::projects::board::Column;
use crate::domain::refusal::Refusal;
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path, ProjectPath};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use terarchitect_worker_api::ErrorBody;
use utoipa::ToSchema;

/// New columns.
#[derive(Debug, Deserialize, ToSchema)]
pub struct BoardChanges {
    /// All columns of the board.
    columns: Vec<Column>,
}

/// The project's board.
#[utoipa::path(get, path = "/api/projects/{project_id}/kanban", tag = "projects", security(("bearer" = []), ("session" = [])),
    params(ProjectPath), responses((status = 200, body = Board), (status = 404, body = ErrorBody)))]
pub async fn get_board(State(app): State<App>, Path(path): Path<ProjectPath>) -> ApiResult<Json<Board>> {
    let mut conn = app.database.read().await?;
    let board = db::projects::boards::find(&mut conn, path.project_id).await?;
    Ok(Json(board.ok_or_else(|| Refusal::not_found("project", path.project_id))?))
}

/// Replaces the columns. `in_progress` and `in_review` must stay, and so must every column that holds tickets.
#[utoipa::path(put, path = "/api/projects/{project_id}/kanban", tag = "projects", security(("bearer" = []), ("session" = [])),
    params(ProjectPath), request_body = BoardChanges,
    responses((status = 200, body = Board), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn update_board(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<ProjectPath>,
    JsonBody(changes): JsonBody<BoardChanges>,
) -> ApiResult<Json<Board>> {
    let (database, actor) = (&app.database, caller.actor());
    Ok(Json(actions::projects::board::update_board(database, &actor, path.project_id, changes.columns).await?))
}
