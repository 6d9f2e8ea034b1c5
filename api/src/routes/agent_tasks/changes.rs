//! Creates such jobs, cancels and retries them.

use super::view::AgentJob;
use super::{AgentJobPath, OneAgentJob};
use crate::access::Caller;
use crate::actions::agent_tasks::change::{TaskAction, change};
use crate::actions::agent_tasks::create::create;
use crate::actions::agent_tasks::read;
use crate::domain::agent_tasks::NewTaskRequest;
use crate::domain::people::Role;
use crate::domain::tickets::usage::UsageTotal;
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use terarchitect_worker_api::{ErrorBody, TicketId};
use utoipa::ToSchema;

/// What to do with a job.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
pub struct ChangeAgentJob {
    /// `cancel` or `retry`.
    action: TaskAction,
}

/// Creates a job by an agent's name. One whose agent wants a person's approval first waits for that without a container.
#[utoipa::path(post, path = "/api/agent-jobs", tag = "agent-jobs", security(("bearer" = []), ("session" = [])),
    request_body = NewTaskRequest,
    responses((status = 201, body = OneAgentJob), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn create_agent_job(
    State(app): State<App>,
    caller: Caller,
    JsonBody(request): JsonBody<NewTaskRequest>,
) -> ApiResult<(StatusCode, Json<OneAgentJob>)> {
    let (task, rights) = (request.into_task()?, caller.rights());
    let may_in = |project| rights.require_in(project, Role::Member);
    let id = create(&app.database, &caller.actor(), &task, may_in).await?;
    Ok((StatusCode::CREATED, one(&app, id).await?))
}

/// Cancels a job, or retries one that failed.
#[utoipa::path(patch, path = "/api/agent-jobs/{ticket_id}", tag = "agent-jobs", security(("bearer" = []), ("session" = [])),
    params(AgentJobPath), request_body = ChangeAgentJob,
    responses((status = 200, body = OneAgentJob), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn change_agent_job(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<AgentJobPath>,
    JsonBody(request): JsonBody<ChangeAgentJob>,
) -> ApiResult<Json<OneAgentJob>> {
    change(&app.database, &caller.actor(), path.ticket_id, request.action).await?;
    one(&app, path.ticket_id).await
}

async fn one(app: &App, id: TicketId) -> ApiResult<Json<OneAgentJob>> {
    let (task, usage) = read::one(&app.database, id).await?;
    let used = UsageTotal::of(&usage, &app.hot_settings().await?.prices);
    Ok(Json(OneAgentJob { success: true, job: AgentJob::new(task, used) }))
}
