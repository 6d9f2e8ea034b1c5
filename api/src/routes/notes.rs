//! Notes of a project.

use super::{NotePath, ProjectPath, present, require_project};
use crate::db;
use crate::db::notes::{Note, NoteFields};
use crate::domain::text;
use crate::http::error::{ApiError, ApiResult};
use crate::http::extract::{Json, Path};
use crate::state::App;
use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use terarchitect_worker_api::{ErrorBody, Message};
use utoipa::ToSchema;

/// A new note, or changes of one; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct NoteBody {
    /// Nodes that it is about.
    node_ids: Option<Vec<String>>,
    /// Edges that it is about.
    edge_ids: Option<Vec<String>>,
    /// Its title.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    title: Option<Option<String>>,
    /// Its text.
    content: Option<String>,
}

impl NoteBody {
    fn over(self, now: NoteFields) -> ApiResult<NoteFields> {
        Ok(NoteFields {
            node_ids: self.node_ids.map_or(Ok(now.node_ids), |ids| text::associations("node_ids", ids))?,
            edge_ids: self.edge_ids.map_or(Ok(now.edge_ids), |ids| text::associations("edge_ids", ids))?,
            title: match self.title {
                Some(title) => title.filter(|t| !t.trim().is_empty()).map(|t| text::title("title", &t)).transpose()?,
                None => now.title,
            },
            content: self.content.map_or(Ok(now.content), |content| text::long_text("content", content))?,
        })
    }
}

/// All notes of a project.
#[utoipa::path(get, path = "/api/projects/{project_id}/notes", tag = "notes", security(("bearer" = [])),
    params(ProjectPath), responses((status = 200, body = Vec<Note>), (status = 404, body = ErrorBody)))]
pub async fn list_notes(State(app): State<App>, Path(path): Path<ProjectPath>) -> ApiResult<Answer<Vec<Note>>> {
    let mut conn = app.pool.acquire().await?;
    require_project(&mut conn, path.project_id).await?;
    Ok(Answer(db::notes::list(&mut conn, path.project_id).await?))
}

/// Makes a note with a title, a text, or both.
#[utoipa::path(post, path = "/api/projects/{project_id}/notes", tag = "notes", security(("bearer" = [])),
    params(ProjectPath), request_body = NoteBody,
    responses((status = 201, body = Note), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn create_note(
    State(app): State<App>,
    Path(path): Path<ProjectPath>,
    Json(body): Json<NoteBody>,
) -> ApiResult<(StatusCode, Answer<Note>)> {
    let empty = NoteFields { node_ids: Vec::new(), edge_ids: Vec::new(), title: None, content: String::new() };
    let fields = body.over(empty)?;
    if fields.title.is_none() && fields.content.trim().is_empty() {
        return Err(text::invalid("A note needs a 'title' or a 'content'."));
    }
    let mut conn = app.pool.acquire().await?;
    require_project(&mut conn, path.project_id).await?;
    let note = db::notes::insert(&mut conn, path.project_id, &fields).await?;
    Ok((StatusCode::CREATED, Answer(note)))
}

/// One note.
#[utoipa::path(get, path = "/api/projects/{project_id}/notes/{note_id}", tag = "notes", security(("bearer" = [])),
    params(NotePath), responses((status = 200, body = Note), (status = 404, body = ErrorBody)))]
pub async fn get_note(State(app): State<App>, Path(path): Path<NotePath>) -> ApiResult<Answer<Note>> {
    let mut conn = app.pool.acquire().await?;
    let note = db::notes::find(&mut conn, path.project_id, path.note_id).await?;
    note.map(Answer).ok_or_else(|| ApiError::not_found("note", path.note_id))
}

/// Changes a note.
#[utoipa::path(patch, path = "/api/projects/{project_id}/notes/{note_id}", tag = "notes", security(("bearer" = [])),
    params(NotePath), request_body = NoteBody,
    responses((status = 200, body = Note), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn update_note(
    State(app): State<App>,
    Path(path): Path<NotePath>,
    Json(body): Json<NoteBody>,
) -> ApiResult<Answer<Note>> {
    let mut tx = app.pool.begin().await?;
    let now = db::notes::find_for_update(&mut tx, path.project_id, path.note_id)
        .await?
        .ok_or_else(|| ApiError::not_found("note", path.note_id))?;
    let now = NoteFields { node_ids: now.node_ids, edge_ids: now.edge_ids, title: now.title, content: now.content };
    let note = db::notes::update(&mut tx, path.note_id, &body.over(now)?).await?;
    tx.commit().await?;
    Ok(Answer(note))
}

/// Deletes a note.
#[utoipa::path(delete, path = "/api/projects/{project_id}/notes/{note_id}", tag = "notes", security(("bearer" = [])),
    params(NotePath), responses((status = 200, body = Message), (status = 404, body = ErrorBody)))]
pub async fn delete_note(State(app): State<App>, Path(path): Path<NotePath>) -> ApiResult<Answer<Message>> {
    let mut conn = app.pool.acquire().await?;
    if db::notes::delete(&mut conn, path.project_id, path.note_id).await? {
        return Ok(Answer(Message { message: "Note deleted".to_owned() }));
    }
    Err(ApiError::not_found("note", path.note_id))
}
