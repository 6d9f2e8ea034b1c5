//! A project's board.

use crate::domain::projects::board::Column;
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use terarchitect_worker_api::ProjectId;
use utoipa::ToSchema;
use uuid::Uuid;

/// A board with its columns.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Board {
    /// The board.
    pub id: Uuid,
    /// Its project.
    pub project_id: ProjectId,
    /// Its columns.
    pub columns: Vec<Column>,
}

/// The project's board.
pub async fn find(conn: &mut PgConnection, project: ProjectId) -> sqlx::Result<Option<Board>> {
    let row = sqlx::query!(
        r#"select id, columns as "columns: Json<Vec<Column>>" from kanban_boards where project_id = $1"#,
        project.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Board { id: row.id, project_id: project, columns: row.columns.0 }))
}

/// The project's board, locked: tickets move only between columns that stay.
pub async fn find_for_update(conn: &mut PgConnection, project: ProjectId) -> sqlx::Result<Option<Board>> {
    let row = sqlx::query!(
        // Locks the board, so that two changes of its columns happen one after the other.
        r#"select id, columns as "columns: Json<Vec<Column>>" from kanban_boards where project_id = $1 for update"#,
        project.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Board { id: row.id, project_id: project, columns: row.columns.0 }))
}

/// Gives a new project its board.
pub async fn insert(conn: &mut PgConnection, project: ProjectId, columns: &[Column]) -> sqlx::Result<()> {
    sqlx::query!("insert into kanban_boards (project_id, columns) values ($1, $2)", project.0, Json(columns) as _)
        .execute(conn)
        .await?;
    Ok(())
}

/// Replaces the columns.
pub async fn update(conn: &mut PgConnection, project: ProjectId, columns: &[Column]) -> sqlx::Result<()> {
    sqlx::query!("update kanban_boards set columns = $2 where project_id = $1", project.0, Json(columns) as _)
        .execute(conn)
        .await?;
    Ok(())
}
