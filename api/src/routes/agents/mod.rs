//! The catalogue of agents.

pub mod repos;

use crate::access::Caller;
use crate::actions;
use crate::db;
use crate::db::agents::Agent;
use crate::domain::agents::AgentChanges;
use crate::domain::refusal::Refusal;
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::ErrorBody;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Which agent.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct AgentPath {
    /// The agent.
    agent_id: Uuid,
}

/// The catalogue's agents.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgentList {
    agents: Vec<Agent>,
}

/// That something was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Done {
    /// Always true.
    pub ok: bool,
}

/// All agents, by name.
#[utoipa::path(get, path = "/api/v1/agents", tag = "agents", security(("bearer" = []), ("session" = [])),
    responses((status = 200, body = AgentList)))]
pub async fn list_agents(State(app): State<App>) -> ApiResult<Json<AgentList>> {
    Ok(Json(AgentList { agents: db::agents::list(&mut *app.database.read().await?).await? }))
}

/// Adds an agent. It is offline until it sends its first event.
#[utoipa::path(post, path = "/api/v1/agents", tag = "agents", security(("bearer" = []), ("session" = [])),
    request_body = AgentChanges, responses((status = 201, body = Agent), (status = 409, body = ErrorBody)))]
pub async fn create_agent(
    State(app): State<App>,
    caller: Caller,
    JsonBody(new): JsonBody<AgentChanges>,
) -> ApiResult<(StatusCode, Json<Agent>)> {
    let agent = actions::agents::create::create_agent(&app.database, &caller.actor(), new).await?;
    Ok((StatusCode::CREATED, Json(agent)))
}

/// One agent.
#[utoipa::path(get, path = "/api/v1/agents/{agent_id}", tag = "agents", security(("bearer" = []), ("session" = [])),
    params(AgentPath), responses((status = 200, body = Agent), (status = 404, body = ErrorBody)))]
pub async fn get_agent(State(app): State<App>, Path(path): Path<AgentPath>) -> ApiResult<Json<Agent>> {
    let agent = db::agents::find(&mut *app.database.read().await?, path.agent_id).await?;
    Ok(Json(agent.ok_or_else(|| Refusal::not_found("agent", path.agent_id))?))
}

/// Changes an agent. Jobs that wait already stay where they are to run.
#[utoipa::path(patch, path = "/api/v1/agents/{agent_id}", tag = "agents", security(("bearer" = []), ("session" = [])),
    params(AgentPath), request_body = AgentChanges,
    responses((status = 200, body = Agent), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn update_agent(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<AgentPath>,
    JsonBody(changes): JsonBody<AgentChanges>,
) -> ApiResult<Json<Agent>> {
    let (database, actor) = (&app.database, caller.actor());
    Ok(Json(actions::agents::update::update_agent(database, &actor, path.agent_id, changes).await?))
}

/// Deletes an agent. Its work orders stay.
#[utoipa::path(delete, path = "/api/v1/agents/{agent_id}", tag = "agents", security(("bearer" = []), ("session" = [])),
    params(AgentPath),
    responses((status = 200, body = Done), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn delete_agent(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<AgentPath>,
) -> ApiResult<Json<Done>> {
    actions::agents::delete::delete_agent(&app.database, &caller.actor(), path.agent_id).await?;
    Ok(Json(Done { ok: true }))
}
