//! The fleet as one worker: shown, resumed and drained.

use crate::access::Caller;
use crate::actions::agent_tasks::fleet::worker_state;
use crate::actions::live::fleet;
use crate::http::error::ApiResult;
use crate::http::extract::Query;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::ErrorBody;
use utoipa::{IntoParams, ToSchema};

/// How long a coordinator waits at most until it learns of a job, in milliseconds: the guide's number.
const POLL_INTERVAL_MS: u32 = 5_000;

/// The worker.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentWorker {
    /// Claims are allowed, and a coordinator is there.
    is_running: bool,
    /// Jobs that coordinators hold.
    active_jobs: i64,
    /// How many they may hold at once.
    max_concurrent_jobs: i64,
    /// In milliseconds.
    poll_interval: u32,
}

/// The jobs of the queue.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct AgentWorkerJobs {
    pending: i64,
    /// Those that wait for a person as well.
    running: i64,
    completed: i64,
    failed: i64,
}

/// How the fleet is doing.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct AgentWorkerState {
    success: bool,
    worker: AgentWorker,
    jobs: AgentWorkerJobs,
}

/// What was done.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct AgentWorkerChanged {
    success: bool,
    message: &'static str,
}

/// How to stop.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StopQuery {
    /// `now` also ends what runs.
    stop: Option<String>,
}

/// How the fleet is doing: all coordinators as one worker.
#[utoipa::path(get, path = "/api/admin/agent-worker", tag = "coordinators", security(("bearer" = []), ("session" = [])),
    responses((status = 200, body = AgentWorkerState)))]
pub async fn get_agent_worker(State(app): State<App>) -> ApiResult<Json<AgentWorkerState>> {
    let state = worker_state(&app.database).await?;
    let (worker, jobs) = (
        AgentWorker {
            is_running: state.is_running,
            active_jobs: state.jobs.active,
            max_concurrent_jobs: state.slots,
            poll_interval: POLL_INTERVAL_MS,
        },
        AgentWorkerJobs {
            pending: state.jobs.pending,
            running: state.jobs.running,
            completed: state.jobs.completed,
            failed: state.jobs.failed,
        },
    );
    Ok(Json(AgentWorkerState { success: true, worker, jobs }))
}

/// Lets coordinators claim again.
#[utoipa::path(post, path = "/api/admin/agent-worker", tag = "coordinators", security(("bearer" = []), ("session" = [])),
    responses((status = 200, body = AgentWorkerChanged)))]
pub async fn start_agent_worker(State(app): State<App>, caller: Caller) -> ApiResult<Json<AgentWorkerChanged>> {
    fleet::resume(&app.database, &caller.actor()).await?;
    Ok(Json(AgentWorkerChanged { success: true, message: "Worker started successfully" }))
}

/// Lets no coordinator claim any more, also after restarts of the API, until it is started again. What runs goes on to its end;
/// `?stop=now` ends it.
#[utoipa::path(delete, path = "/api/admin/agent-worker", tag = "coordinators", security(("bearer" = []), ("session" = [])),
    params(StopQuery), responses((status = 200, body = AgentWorkerChanged), (status = 400, body = ErrorBody)))]
pub async fn stop_agent_worker(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<StopQuery>,
) -> ApiResult<Json<AgentWorkerChanged>> {
    if query.stop.as_deref() == Some("now") {
        fleet::stop_everything(&app.database, &caller.actor()).await?;
    } else {
        fleet::drain_everything(&app.database, &caller.actor()).await?;
    }
    Ok(Json(AgentWorkerChanged { success: true, message: "Worker stopped successfully" }))
}
