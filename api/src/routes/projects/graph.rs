//! A project's architecture graph.

use crate::access::Caller;
use crate::actions;
use crate::actions::projects::graph::Items;
use crate::db;
use crate::db::projects::graphs::Graph;
use crate::domain::refusal::Refusal;
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path, ProjectPath};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::ErrorBody;
use utoipa::ToSchema;

/// New nodes, edges or both.
#[derive(Debug, Deserialize, ToSchema)]
pub struct GraphChanges {
    /// The nodes; if absent, they stay as they are.
    #[schema(value_type = Option<Vec<Object>>)]
    nodes: Option<Items>,
    /// The edges; if absent, they stay as they are.
    #[schema(value_type = Option<Vec<Object>>)]
    edges: Option<Items>,
}

/// The version after a change.
#[derive(Debug, Serialize, ToSchema)]
pub struct GraphVersion {
    version: i64,
}

/// The project's graph.
#[utoipa::path(get, path = "/api/projects/{project_id}/graph", tag = "projects", security(("bearer" = []), ("session" = [])),
    params(ProjectPath), responses((status = 200, body = Graph), (status = 404, body = ErrorBody)))]
pub async fn get_graph(State(app): State<App>, Path(path): Path<ProjectPath>) -> ApiResult<Json<Graph>> {
    let mut conn = app.database.read().await?;
    let graph = db::projects::graphs::find(&mut conn, path.project_id).await?;
    Ok(Json(graph.ok_or_else(|| Refusal::not_found("project", path.project_id))?))
}

/// Replaces nodes, edges or both.
#[utoipa::path(put, path = "/api/projects/{project_id}/graph", tag = "projects", security(("bearer" = []), ("session" = [])),
    params(ProjectPath), request_body = GraphChanges,
    responses((status = 200, body = GraphVersion), (status = 404, body = ErrorBody)))]
pub async fn update_graph(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<ProjectPath>,
    JsonBody(GraphChanges { nodes, edges }): JsonBody<GraphChanges>,
) -> ApiResult<Json<GraphVersion>> {
    let (database, actor) = (&app.database, caller.actor());
    let version = actions::projects::graph::update_graph(database, &actor, path.project_id, nodes, edges).await?;
    Ok(Json(GraphVersion { version }))
}
