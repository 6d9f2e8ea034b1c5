//! A project's architecture graph.

use super::ProjectPath;
use crate::db;
use crate::db::graphs::Graph;
use crate::domain::text;
use crate::http::error::{ApiError, ApiResult};
use crate::http::extract::{Json, Path};
use crate::state::App;
use axum::Json as Answer;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use terarchitect_worker_api::ErrorBody;
use utoipa::ToSchema;

/// New nodes, edges or both.
#[derive(Debug, Deserialize, ToSchema)]
pub struct GraphChanges {
    /// The nodes; absent leaves them.
    nodes: Option<Vec<Map<String, Value>>>,
    /// The edges; absent leaves them.
    edges: Option<Vec<Map<String, Value>>>,
}

/// The version after a change.
#[derive(Debug, Serialize, ToSchema)]
pub struct GraphVersion {
    version: i64,
}

/// The project's graph.
#[utoipa::path(get, path = "/api/projects/{project_id}/graph", tag = "projects", security(("bearer" = [])),
    params(ProjectPath), responses((status = 200, body = Graph), (status = 404, body = ErrorBody)))]
pub async fn get_graph(State(app): State<App>, Path(path): Path<ProjectPath>) -> ApiResult<Answer<Graph>> {
    let mut conn = app.pool.acquire().await?;
    let graph = db::graphs::find(&mut conn, path.project_id).await?;
    graph.map(Answer).ok_or_else(|| ApiError::not_found("project", path.project_id))
}

/// Replaces nodes, edges or both.
#[utoipa::path(put, path = "/api/projects/{project_id}/graph", tag = "projects", security(("bearer" = [])),
    params(ProjectPath), request_body = GraphChanges,
    responses((status = 200, body = GraphVersion), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn update_graph(
    State(app): State<App>,
    Path(path): Path<ProjectPath>,
    Json(changes): Json<GraphChanges>,
) -> ApiResult<Answer<GraphVersion>> {
    if changes.nodes.is_none() && changes.edges.is_none() {
        return Err(text::invalid("Send 'nodes', 'edges' or both, as lists of objects."));
    }
    let values = |items: Vec<Map<String, Value>>| items.into_iter().map(Value::Object).collect();
    let mut conn = app.pool.acquire().await?;
    let version =
        db::graphs::update(&mut conn, path.project_id, changes.nodes.map(values), changes.edges.map(values)).await?;
    version
        .map(|version| Answer(GraphVersion { version }))
        .ok_or_else(|| ApiError::not_found("project", path.project_id))
}
