//! Notes of a project.

use crate::domain::projects::notes::NoteFields;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use terarchitect_worker_api::{NoteId, ProjectId};
use utoipa::ToSchema;
use uuid::Uuid;

/// A note, attached to parts of the graph.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Note {
    /// The note.
    pub id: NoteId,
    /// Its project.
    pub project_id: ProjectId,
    /// Nodes that it is about.
    pub node_ids: Vec<String>,
    /// Edges that it is about.
    pub edge_ids: Vec<String>,
    /// Its title.
    pub title: Option<String>,
    /// Its text.
    pub content: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

impl From<Note> for NoteFields {
    fn from(note: Note) -> Self {
        Self { node_ids: note.node_ids, edge_ids: note.edge_ids, title: note.title, content: note.content }
    }
}

/// All notes of a project, the oldest first.
pub async fn list(conn: &mut PgConnection, project: ProjectId) -> sqlx::Result<Vec<Note>> {
    sqlx::query_as!(
        Note,
        "select id, project_id, node_ids, edge_ids, title, content, created_at
         from notes where project_id = $1 order by created_at, id",
        project.0
    )
    .fetch_all(conn)
    .await
}

/// One note.
pub async fn find(conn: &mut PgConnection, project: ProjectId, id: NoteId) -> sqlx::Result<Option<Note>> {
    sqlx::query_as!(
        Note,
        "select id, project_id, node_ids, edge_ids, title, content, created_at
         from notes where project_id = $1 and id = $2",
        project.0,
        id.0
    )
    .fetch_optional(conn)
    .await
}

/// One note, locked against changes until the transaction ends.
pub async fn find_for_update(conn: &mut PgConnection, project: ProjectId, id: NoteId) -> sqlx::Result<Option<Note>> {
    sqlx::query_as!(
        Note,
        // Locks the note's row, so that two changes of it happen one after the other.
        "select id, project_id, node_ids, edge_ids, title, content, created_at
         from notes where project_id = $1 and id = $2 for update",
        project.0,
        id.0
    )
    .fetch_optional(conn)
    .await
}

/// Creates a note.
pub async fn insert(conn: &mut PgConnection, project: ProjectId, fields: &NoteFields) -> sqlx::Result<Note> {
    sqlx::query_as!(
        Note,
        "insert into notes (id, project_id, node_ids, edge_ids, title, content) values ($1, $2, $3, $4, $5, $6)
         returning id, project_id, node_ids, edge_ids, title, content, created_at",
        Uuid::now_v7(),
        project.0,
        &fields.node_ids,
        &fields.edge_ids,
        fields.title,
        fields.content
    )
    .fetch_one(conn)
    .await
}

/// Changes a note.
pub async fn update(conn: &mut PgConnection, id: NoteId, fields: &NoteFields) -> sqlx::Result<Note> {
    sqlx::query_as!(
        Note,
        "update notes set node_ids = $2, edge_ids = $3, title = $4, content = $5, updated_at = now() where id = $1
         returning id, project_id, node_ids, edge_ids, title, content, created_at",
        id.0,
        &fields.node_ids,
        &fields.edge_ids,
        fields.title,
        fields.content
    )
    .fetch_one(conn)
    .await
}

/// Deletes a note.
pub async fn delete(conn: &mut PgConnection, project: ProjectId, id: NoteId) -> sqlx::Result<bool> {
    let done =
        sqlx::query!("delete from notes where project_id = $1 and id = $2", project.0, id.0).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}
