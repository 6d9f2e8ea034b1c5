//! A project's architecture graph.

use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use terarchitect_worker_api::ProjectId;
use utoipa::ToSchema;
use uuid::Uuid;

/// A graph as the application stores it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Graph {
    /// The graph.
    pub id: Uuid,
    /// Its project.
    pub project_id: ProjectId,
    /// The nodes.
    #[schema(value_type = Vec<Object>)]
    pub nodes: Vec<Value>,
    /// The edges.
    #[schema(value_type = Vec<Object>)]
    pub edges: Vec<Value>,
    /// Rises with every change.
    pub version: i64,
}

/// The project's graph.
pub async fn find(conn: &mut PgConnection, project: ProjectId) -> sqlx::Result<Option<Graph>> {
    let row = sqlx::query!(
        r#"select id, nodes as "nodes: Json<Vec<Value>>", edges as "edges: Json<Vec<Value>>", version
           from graphs where project_id = $1"#,
        project.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Graph {
        id: row.id,
        project_id: project,
        nodes: row.nodes.0,
        edges: row.edges.0,
        version: row.version,
    }))
}

/// Gives a new project its empty graph.
pub async fn insert_empty(conn: &mut PgConnection, project: ProjectId) -> sqlx::Result<()> {
    sqlx::query!("insert into graphs (project_id) values ($1)", project.0).execute(conn).await?;
    Ok(())
}

/// Replaces nodes, edges or both, and returns the new version.
pub async fn update(
    conn: &mut PgConnection,
    project: ProjectId,
    nodes: Option<Vec<Value>>,
    edges: Option<Vec<Value>>,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "update graphs set nodes = coalesce($2, nodes), edges = coalesce($3, edges), version = version + 1
         where project_id = $1 returning version",
        project.0,
        nodes.map(Value::Array),
        edges.map(Value::Array)
    )
    .fetch_optional(conn)
    .await
}
