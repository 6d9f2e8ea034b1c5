//! Notes of a project.

use super::super::require_project;
use crate::access::Caller;
use crate::actions;
use crate::db;
use crate::db::projects::notes::Note;
use crate::domain::projects::notes::NoteChanges;
use crate::domain::refusal::Refusal;
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, NotePath, Path, ProjectPath};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use terarchitect_worker_api::{ErrorBody, Message};

/// All notes of a project.
#[utoipa::path(get, path = "/api/projects/{project_id}/notes", tag = "notes", security(("bearer" = []), ("session" = [])),
    params(ProjectPath), responses((status = 200, body = Vec<Note>), (status = 404, body = ErrorBody)))]
pub async fn list_notes(State(app): State<App>, Path(path): Path<ProjectPath>) -> ApiResult<Json<Vec<Note>>> {
    let mut conn = app.database.read().await?;
    require_project(&mut conn, path.project_id).await?;
    Ok(Json(db::projects::notes::list(&mut conn, path.project_id).await?))
}

/// Creates a note with a title, a text, or both.
#[utoipa::path(post, path = "/api/projects/{project_id}/notes", tag = "notes", security(("bearer" = []), ("session" = [])),
    params(ProjectPath), request_body = NoteChanges,
    responses((status = 201, body = Note), (status = 404, body = ErrorBody)))]
pub async fn create_note(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<ProjectPath>,
    JsonBody(new): JsonBody<NoteChanges>,
) -> ApiResult<(StatusCode, Json<Note>)> {
    let (database, actor) = (&app.database, caller.actor());
    let note = actions::projects::notes::create_note(database, &actor, path.project_id, new).await?;
    Ok((StatusCode::CREATED, Json(note)))
}

/// One note.
#[utoipa::path(get, path = "/api/projects/{project_id}/notes/{note_id}", tag = "notes", security(("bearer" = []), ("session" = [])),
    params(NotePath), responses((status = 200, body = Note), (status = 404, body = ErrorBody)))]
pub async fn get_note(State(app): State<App>, Path(path): Path<NotePath>) -> ApiResult<Json<Note>> {
    let mut conn = app.database.read().await?;
    let note = db::projects::notes::find(&mut conn, path.project_id, path.note_id).await?;
    Ok(Json(note.ok_or_else(|| Refusal::not_found("note", path.note_id))?))
}

/// Changes a note.
#[utoipa::path(patch, path = "/api/projects/{project_id}/notes/{note_id}", tag = "notes", security(("bearer" = []), ("session" = [])),
    params(NotePath), request_body = NoteChanges,
    responses((status = 200, body = Note), (status = 404, body = ErrorBody)))]
pub async fn update_note(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<NotePath>,
    JsonBody(changes): JsonBody<NoteChanges>,
) -> ApiResult<Json<Note>> {
    let (database, actor) = (&app.database, caller.actor());
    let note = actions::projects::notes::update_note(database, &actor, path.project_id, path.note_id, changes).await?;
    Ok(Json(note))
}

/// Deletes a note.
#[utoipa::path(delete, path = "/api/projects/{project_id}/notes/{note_id}", tag = "notes", security(("bearer" = []), ("session" = [])),
    params(NotePath), responses((status = 200, body = Message), (status = 404, body = ErrorBody)))]
pub async fn delete_note(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<NotePath>,
) -> ApiResult<Json<Message>> {
    let (database, actor) = (&app.database, caller.actor());
    actions::projects::notes::delete_note(database, &actor, path.project_id, path.note_id).await?;
    Ok(Json(Message { message: "Note deleted".to_owned() }))
}
