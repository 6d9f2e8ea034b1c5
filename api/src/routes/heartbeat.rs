//! Heartbeats of coordinators, and what one of them is believed to hold.

use crate::db;
use crate::domain::{settings, text};
use crate::http::error::ApiResult;
use crate::http::extract::{Json, Query};
use crate::state::App;
use axum::Json as Answer;
use axum::extract::State;
use secrecy::ExposeSecret;
use serde::Deserialize;
use std::collections::HashMap;
use terarchitect_worker_api::{ErrorBody, HeartbeatRequest, HeartbeatResponse, HeldJobStatus, HeldState, WorkerJobs};
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
    let mut conn = app.pool.acquire().await?;
    let renewed: HashMap<_, _> = db::jobs::renew_leases(&mut conn, &beat.worker_id, &beat.jobs, lease)
        .await?
        .into_iter()
        .map(|(job, cancel)| (job.job_id, (job.attempt, cancel)))
        .collect();
    let directive = db::coordinators::seen(&mut conn, &beat).await?;
    let slots = app.setting(&mut conn, settings::MAX_CONCURRENT_AGENTS).await?;
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
        max_concurrent_agents: slots.and_then(|slots| slots.expose_secret().parse().ok()),
        lease_ms: u64::try_from(lease.as_millis()).unwrap_or(u64::MAX),
    }))
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
