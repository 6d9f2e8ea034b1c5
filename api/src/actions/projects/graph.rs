//! Changes a project's architecture graph.

use super::record_changed;
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::domain::actor::Actor;
use crate::domain::refusal::Refusal;
use serde_json::{Map, Value};
use terarchitect_worker_api::ProjectId;

/// Nodes or edges of a graph.
pub type Items = Vec<Map<String, Value>>;

/// Replaces nodes, edges or both, and returns the new version.
///
/// # Errors
/// When neither is sent, or the project does not exist.
pub async fn update_graph(
    database: &Database,
    actor: &Actor,
    project: ProjectId,
    nodes: Option<Items>,
    edges: Option<Items>,
) -> ActionResult<i64> {
    if nodes.is_none() && edges.is_none() {
        return Err(Refusal::invalid("Send 'nodes', 'edges' or both, as lists of objects.").into());
    }
    let values = |items: Items| items.into_iter().map(Value::Object).collect();
    let mut change = database.change(actor).await?;
    let version = db::projects::graphs::update(&mut change, project, nodes.map(values), edges.map(values)).await?;
    let version = version.ok_or_else(|| Refusal::not_found("project", project))?;
    record_changed(&mut change, project, "graph");
    change.commit().await?;
    Ok(version)
}
