//! Heartbeats of coordinators, and the jobs that one of them holds.

use crate::actions;
use crate::db;
use crate::domain::worker::limits::check_heartbeat;
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Query, worker_id};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use terarchitect_worker_api::{HeartbeatRequest, HeartbeatResponse, WorkerJobs};
use utoipa::IntoParams;

/// Renews every lease that a coordinator holds, and returns the state of each job.
#[utoipa::path(post, path = "/api/worker/heartbeat", tag = "worker", security(("bearer" = []), ("session" = [])),
    request_body = HeartbeatRequest, responses((status = 200, body = HeartbeatResponse)))]
pub async fn heartbeat(
    State(app): State<App>,
    JsonBody(beat): JsonBody<HeartbeatRequest>,
) -> ApiResult<Json<HeartbeatResponse>> {
    let worker = worker_id(&beat.worker_id)?;
    check_heartbeat(&beat)?;
    let lease = app.config.limits.lease;
    let jobs = actions::worker::leases::renew(&app.database, &worker, &beat.jobs, lease).await?;
    let orders = app.presence.seen(&app.database, &app.queue.signals, worker, &beat).await?;
    let max_concurrent_agents = app.hot_settings().await?.max_concurrent_agents;
    let lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
    let (directive, slot_limit) = (orders.directive, orders.limit.and_then(|limit| u32::try_from(limit).ok()));
    Ok(Json(HeartbeatResponse { jobs, directive, max_concurrent_agents, slot_limit, lease_ms }))
}

/// Which worker.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WorkerQuery {
    /// The worker's name for itself.
    worker_id: String,
}

/// The jobs that this coordinator holds according to the API, for its recovery after a restart.
#[utoipa::path(get, path = "/api/worker/jobs", tag = "worker", security(("bearer" = []), ("session" = [])), params(WorkerQuery),
    responses((status = 200, body = WorkerJobs)))]
pub async fn held_jobs(State(app): State<App>, Query(query): Query<WorkerQuery>) -> ApiResult<Json<WorkerJobs>> {
    let worker = worker_id(&query.worker_id)?;
    let mut conn = app.database.read().await?;
    Ok(Json(WorkerJobs { jobs: db::worker::leases::held_by(&mut conn, &worker).await? }))
}
