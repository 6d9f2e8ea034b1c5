//! Heartbeats of coordinators, and what one of them is believed to hold.

use crate::db;
use crate::domain::text;
use crate::http::error::ApiResult;
use crate::http::extract::{Json, Query};
use crate::queue;
use crate::state::App;
use axum::Json as Answer;
use axum::extract::State;
use serde::Deserialize;
use std::collections::HashMap;
use terarchitect_worker_api::{
    ErrorBody, HeartbeatRequest, HeartbeatResponse, HeldJobStatus, HeldState, JobId, WorkerJobs,
};
use utoipa::IntoParams;

/// The longest name, id or version, in bytes.
const MAX_WORD_BYTES: usize = 200;
/// The most jobs in one heartbeat.
const MAX_JOBS: usize = 10_000;

/// Renews every lease that a coordinator holds, and tells it what became of each job.
#[utoipa::path(post, path = "/api/worker/heartbeat", tag = "worker", security(("bearer" = [])),
    request_body = HeartbeatRequest,
    responses((status = 200, body = HeartbeatResponse), (status = 400, body = ErrorBody)))]
pub async fn heartbeat(
    State(app): State<App>,
    Json(beat): Json<HeartbeatRequest>,
) -> ApiResult<Answer<HeartbeatResponse>> {
    let words = [Some(&beat.worker_id), beat.name.as_ref(), beat.version.as_ref()];
    if words.into_iter().flatten().any(|word| word.len() > MAX_WORD_BYTES) || beat.jobs.len() > MAX_JOBS {
        return Err(text::invalid("A name in the heartbeat is too long, or it names too many jobs."));
    }
    if beat.worker_id.trim().is_empty() {
        return Err(text::invalid("'worker_id' must not be empty."));
    }
    let lease = app.config.limits.lease;
    let renewed = renew(&app, &beat).await?;
    let directive = app.presence.heard(&app.pool, &app.queue.signals, &beat).await?;
    let max_concurrent_agents = app.hot_settings().await?.max_concurrent_agents;
    let state = |job: &terarchitect_worker_api::HeldJob| match renewed.get(&job.job_id) {
        Some((attempt, cancel)) if *attempt == job.attempt => {
            if *cancel {
                HeldState::Cancel
            } else {
                HeldState::Held
            }
        }
        _ => HeldState::Lost,
    };
    Ok(Answer(HeartbeatResponse {
        jobs: beat
            .jobs
            .iter()
            .map(|job| HeldJobStatus { job_id: job.job_id, attempt: job.attempt, state: state(job) })
            .collect(),
        directive,
        max_concurrent_agents,
        lease_ms: u64::try_from(lease.as_millis()).unwrap_or(u64::MAX),
    }))
}

/// What is still held, with its attempt and whether it should be stopped.
async fn renew(app: &App, beat: &HeartbeatRequest) -> ApiResult<HashMap<JobId, (i32, bool)>> {
    if beat.jobs.is_empty() {
        return Ok(HashMap::new());
    }
    let lease = app.config.limits.lease;
    let mut conn = app.pool.acquire().await?;
    let mut tries = 0;
    let renewed = loop {
        tries += 1;
        match db::jobs::renew_leases(&mut conn, &beat.worker_id, &beat.jobs, lease).await {
            // Another statement that locks several jobs was faster.
            Err(error) if queue::is_deadlock(&error) && tries < 4 => {}
            renewed => break renewed?,
        }
    };
    Ok(renewed.into_iter().map(|(job, cancel)| (job.job_id, (job.attempt, cancel))).collect())
}

/// Which worker.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WorkerQuery {
    /// The worker's name for itself.
    worker_id: String,
}

/// What this coordinator is believed to hold, for its recovery.
#[utoipa::path(get, path = "/api/worker/jobs", tag = "worker", security(("bearer" = [])), params(WorkerQuery),
    responses((status = 200, body = WorkerJobs), (status = 400, body = ErrorBody)))]
pub async fn held_jobs(State(app): State<App>, Query(query): Query<WorkerQuery>) -> ApiResult<Answer<WorkerJobs>> {
    let mut conn = app.pool.acquire().await?;
    Ok(Answer(WorkerJobs { jobs: db::jobs::held_by(&mut conn, &query.worker_id).await? }))
}
