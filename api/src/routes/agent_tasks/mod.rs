//! Jobs as the agent worker's guide has them: `POST /api/agent-jobs` and what belongs to it.

pub mod changes;
pub mod fleet;
pub mod view;

use crate::access::Caller;
use crate::actions::agent_tasks::read;
use crate::db::agent_tasks::TaskFilter;
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::http::error::ApiResult;
use crate::http::extract::{Path, Query};
use crate::routes::checkpoints::document::DocumentCheckpoint;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::{ErrorBody, TicketId};
use utoipa::{IntoParams, ToSchema};
use view::{AgentJob, AgentJobInList, AgentJobWithAll};

const DEFAULT_LIMIT: i64 = 20;
const MAX_LIMIT: i64 = 200;
/// The words that the guide has for a status.
const STATUSES: [&str; 7] = ["PENDING", "QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "RETRY"];

/// The id in the path of a job.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct AgentJobPath {
    /// The job: the same id as its ticket's.
    #[param(value_type = uuid::Uuid)]
    pub ticket_id: TicketId,
}

/// Which jobs to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct AgentJobQuery {
    /// `PENDING`, `RUNNING`, `COMPLETED`, `FAILED`, `CANCELLED` or `RETRY`.
    status: Option<String>,
    /// Only those of this agent.
    job_type: Option<String>,
    /// The maximum number of jobs: 20 if unset, at most 200.
    limit: Option<i64>,
    /// How many to skip.
    offset: Option<i64>,
}

/// Which part of a list this is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    total: i64,
    limit: i64,
    offset: i64,
    has_more: bool,
}

/// A page of jobs.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgentJobPage {
    success: bool,
    /// The newest first.
    jobs: Vec<AgentJobInList>,
    pagination: Pagination,
}

/// One job.
#[derive(Debug, Serialize, ToSchema)]
pub struct OneAgentJob {
    pub(super) success: bool,
    pub(super) job: AgentJob,
}

/// One job with everything about it.
#[derive(Debug, Serialize, ToSchema)]
pub struct WholeAgentJob {
    success: bool,
    job: AgentJobWithAll,
}

/// The checkpoints of a job.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgentJobCheckpoints {
    success: bool,
    /// The oldest first.
    checkpoints: Vec<DocumentCheckpoint>,
}

/// Jobs, the newest first.
#[utoipa::path(get, path = "/api/agent-jobs", tag = "agent-jobs", security(("bearer" = []), ("session" = [])),
    params(AgentJobQuery), responses((status = 200, body = AgentJobPage), (status = 400, body = ErrorBody)))]
pub async fn list_agent_jobs(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<AgentJobQuery>,
) -> ApiResult<Json<AgentJobPage>> {
    if let Some(status) = query.status.as_deref().filter(|status| !STATUSES.contains(status)) {
        let sentence = format!("'status' is {status:?}; it must be one of {}.", STATUSES.join(", "));
        return Err(Refusal::new(ErrorCode::InvalidQuery, sentence).into());
    }
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let offset = query.offset.unwrap_or(0).max(0);
    let filter = TaskFilter { status: query.status, job_type: query.job_type, visible: caller.visible().ids() };
    let (jobs, total) = read::page(&app.database, &filter, limit, offset).await?;
    let has_more = offset + i64::try_from(jobs.len()).unwrap_or(0) < total;
    let settings = app.hot_settings().await?;
    let jobs = jobs.into_iter().map(|job| AgentJobInList::new(job, &settings.prices)).collect();
    Ok(Json(AgentJobPage { success: true, jobs, pagination: Pagination { total, limit, offset, has_more } }))
}

/// One job with its checkpoints, its log and what happened when.
#[utoipa::path(get, path = "/api/agent-jobs/{ticket_id}", tag = "agent-jobs", security(("bearer" = []), ("session" = [])),
    params(AgentJobPath), responses((status = 200, body = WholeAgentJob), (status = 404, body = ErrorBody)))]
pub async fn get_agent_job(State(app): State<App>, Path(path): Path<AgentJobPath>) -> ApiResult<Json<WholeAgentJob>> {
    let whole = read::whole(&app.database, path.ticket_id).await?;
    let job = AgentJobWithAll::new(whole, &app.hot_settings().await?.prices);
    Ok(Json(WholeAgentJob { success: true, job }))
}

/// The checkpoints of a job, the oldest first.
#[utoipa::path(get, path = "/api/agent-jobs/{ticket_id}/checkpoints", tag = "agent-jobs",
    security(("bearer" = []), ("session" = [])), params(AgentJobPath),
    responses((status = 200, body = AgentJobCheckpoints), (status = 404, body = ErrorBody)))]
pub async fn list_agent_job_checkpoints(
    State(app): State<App>,
    Path(path): Path<AgentJobPath>,
) -> ApiResult<Json<AgentJobCheckpoints>> {
    let whole = read::whole(&app.database, path.ticket_id).await?;
    let checkpoints = whole.checkpoints.into_iter().map(Into::into).collect();
    Ok(Json(AgentJobCheckpoints { success: true, checkpoints }))
}
