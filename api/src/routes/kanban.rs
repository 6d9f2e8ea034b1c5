//! A project's board.

use super::ProjectPath;
use crate::db;
use crate::db::boards::Board;
use crate::domain::board::{Column, IN_PROGRESS, IN_REVIEW};
use crate::domain::text;
use crate::http::error::{ApiError, ApiResult};
use crate::http::extract::{Json, Path};
use crate::state::App;
use axum::Json as Answer;
use axum::extract::State;
use serde::Deserialize;
use std::collections::HashSet;
use terarchitect_worker_api::ErrorBody;
use utoipa::ToSchema;

/// The most columns of a board.
const MAX_COLUMNS: usize = 100;

/// New columns.
#[derive(Debug, Deserialize, ToSchema)]
pub struct BoardChanges {
    /// All columns of the board.
    columns: Vec<Column>,
}

/// The project's board.
#[utoipa::path(get, path = "/api/projects/{project_id}/kanban", tag = "projects", security(("bearer" = [])),
    params(ProjectPath), responses((status = 200, body = Board), (status = 404, body = ErrorBody)))]
pub async fn get_board(State(app): State<App>, Path(path): Path<ProjectPath>) -> ApiResult<Answer<Board>> {
    let mut conn = app.pool.acquire().await?;
    let board = db::boards::find(&mut conn, path.project_id).await?;
    board.map(Answer).ok_or_else(|| ApiError::not_found("project", path.project_id))
}

/// Replaces the columns. `in_progress` and `in_review` must stay, and so must every column that holds tickets.
#[utoipa::path(put, path = "/api/projects/{project_id}/kanban", tag = "projects", security(("bearer" = [])),
    params(ProjectPath), request_body = BoardChanges,
    responses((status = 200, body = Board), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub async fn update_board(
    State(app): State<App>,
    Path(path): Path<ProjectPath>,
    Json(changes): Json<BoardChanges>,
) -> ApiResult<Answer<Board>> {
    check(&changes.columns)?;
    let mut tx = app.pool.begin().await?;
    let board = db::boards::find_for_update(&mut tx, path.project_id)
        .await?
        .ok_or_else(|| ApiError::not_found("project", path.project_id))?;
    let ids: Vec<String> = changes.columns.iter().map(|column| column.id.clone()).collect();
    let orphaned = db::tickets::occupied_columns_other_than(&mut tx, path.project_id, &ids).await?;
    if let Some(column) = orphaned.first() {
        let sentence = format!("The column '{column}' holds tickets; move them before you remove it.");
        return Err(ApiError::conflict("column_in_use", sentence));
    }
    db::boards::update(&mut tx, path.project_id, &changes.columns).await?;
    tx.commit().await?;
    Ok(Answer(Board { columns: changes.columns, ..board }))
}

fn check(columns: &[Column]) -> ApiResult<()> {
    if columns.len() > MAX_COLUMNS {
        return Err(text::invalid(format!("A board has at most {MAX_COLUMNS} columns.")));
    }
    let mut ids = HashSet::new();
    for column in columns {
        text::title("id", &column.id)?;
        text::title("title", &column.title)?;
        if !ids.insert(column.id.as_str()) {
            return Err(text::invalid(format!("The column '{}' is there twice.", column.id)));
        }
    }
    if [IN_PROGRESS, IN_REVIEW].into_iter().all(|id| ids.contains(id)) {
        return Ok(());
    }
    Err(text::invalid("A board needs the columns 'in_progress' and 'in_review': agents work on what is in them."))
}
