//! The queue as workers see it: claim a job, report how it ended.

use crate::app::App;
use crate::db;
use crate::db::attempts::EndedAttempt;
use crate::db::jobs::{Claim, ReportedJob};
use crate::domain::board;
use crate::domain::text;
use crate::http::error::{ApiError, ApiResult};
use crate::http::extract::{OptionalJson, Path};
use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use sqlx::PgConnection;
use terarchitect_worker_api::{
    ErrorBody, Job, JobId, JobReport, JobReportResponse, JobStatus, ProjectId, Reason, StartJobRequest,
};

/// The longest log tail that is kept, in bytes.
const MAX_LOG_TAIL_BYTES: usize = 64 * 1024;
/// The longest word or sentence of a report, in bytes.
const MAX_WORD_BYTES: usize = 4 * 1024;

/// The id in the path of a job.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct JobPath {
    /// The job.
    #[param(value_type = uuid::Uuid)]
    pub job_id: JobId,
}

/// Claims the next job: of one project, of several, or of any.
#[utoipa::path(post, path = "/api/worker/jobs/start", tag = "worker", security(("bearer" = [])),
    request_body = StartJobRequest,
    responses((status = 200, body = Job), (status = 204, description = "There is no work"),
        (status = 400, body = ErrorBody)))]
pub async fn start_job(
    State(app): State<App>,
    OptionalJson(request): OptionalJson<StartJobRequest>,
) -> ApiResult<Response> {
    let worker_id = request.worker_id.as_deref().filter(|id| !id.is_empty());
    if worker_id.is_some_and(|id| id.len() > MAX_WORD_BYTES) {
        return Err(text::invalid("'worker_id' is too long."));
    }
    let projects: Vec<ProjectId> = request.project_id.into_iter().chain(request.project_ids.iter().copied()).collect();
    let timeout = app.config.limits.job_timeout;
    let claim = Claim { projects: &projects, worker_id, request_id: request.request_id, lease: timeout };
    let mut conn = app.pool.acquire().await?;
    let Some(job) = db::jobs::claim_next(&mut conn, &claim).await? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    tracing::info!(job.id = %job.job_id, ticket.id = %job.ticket_id, attempt = job.attempt, worker.id = worker_id, "a job was claimed");
    Ok(Answer(Job { job_timeout_sec: Some(timeout.as_secs()), ..job }).into_response())
}

/// Reports that a job's container exited successfully.
#[utoipa::path(post, path = "/api/worker/jobs/{job_id}/complete", tag = "worker", security(("bearer" = [])),
    params(JobPath), request_body = JobReport,
    responses((status = 200, body = JobReportResponse), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub async fn complete_job(
    State(app): State<App>,
    Path(path): Path<JobPath>,
    OptionalJson(report): OptionalJson<JobReport>,
) -> ApiResult<Answer<JobReportResponse>> {
    let report = JobReport { reason: Some(Reason::Completed), ..bounded(report) };
    end_attempt(&app, path.job_id, JobStatus::Completed, report).await
}

/// Reports that a job's container exited with a failure.
#[utoipa::path(post, path = "/api/worker/jobs/{job_id}/fail", tag = "worker", security(("bearer" = [])),
    params(JobPath), request_body = JobReport,
    responses((status = 200, body = JobReportResponse), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub async fn fail_job(
    State(app): State<App>,
    Path(path): Path<JobPath>,
    OptionalJson(report): OptionalJson<JobReport>,
) -> ApiResult<Answer<JobReportResponse>> {
    end_attempt(&app, path.job_id, JobStatus::Failed, bounded(report)).await
}

/// Keeps the end of a tail that is too long, and the beginning of other texts.
fn bounded(mut report: JobReport) -> JobReport {
    if let Some(tail) = report.log_tail.as_mut().filter(|tail| tail.len() > MAX_LOG_TAIL_BYTES) {
        let from = (tail.len() - MAX_LOG_TAIL_BYTES..=tail.len()).find(|&at| tail.is_char_boundary(at));
        tail.drain(..from.unwrap_or_default());
    }
    if let Some(detail) = report.detail.as_mut() {
        detail.truncate(detail.floor_char_boundary(MAX_WORD_BYTES));
    }
    if let Some(Reason::Other(word)) = report.reason.as_mut() {
        word.truncate(word.floor_char_boundary(100));
    }
    report
}

async fn end_attempt(
    app: &App,
    id: JobId,
    reported: JobStatus,
    report: JobReport,
) -> ApiResult<Answer<JobReportResponse>> {
    let mut tx = app.pool.begin().await?;
    let job = db::jobs::find_for_report(&mut tx, id).await?.ok_or_else(|| ApiError::not_found("job", id))?;
    if let Some(repeated) = already_ended(&mut tx, id, &job, reported, &report).await? {
        return Ok(Answer(repeated));
    }
    let cancelled = reported == JobStatus::Failed && (job.cancel_requested || report.reason == Some(Reason::Cancelled));
    let status = if cancelled { JobStatus::Cancelled } else { reported };
    let reason = if cancelled { Reason::Cancelled } else { report.reason.clone().unwrap_or(Reason::AgentFailed) };
    db::jobs::finish(&mut tx, id, status, reason.as_str()).await?;
    let ended = EndedAttempt {
        job_id: id,
        attempt: job.attempt,
        worker_id: job.worker_id.as_deref(),
        claimed_at: job.claimed_at,
        outcome: status.as_str(),
        reason: reason.as_str(),
    };
    db::attempts::insert(&mut tx, &ended, &report).await?;
    settle_ticket(&mut tx, &job, status).await?;
    tx.commit().await?;
    tracing::info!(job.id = %id, attempt = job.attempt, status = status.as_str(), reason = reason.as_str(), "a job ended");
    Ok(Answer(JobReportResponse { job_id: id, status }))
}

/// Refuses a report that is not about the running attempt; recognises one that was made before.
async fn already_ended(
    conn: &mut PgConnection,
    id: JobId,
    job: &ReportedJob,
    reported: JobStatus,
    report: &JobReport,
) -> ApiResult<Option<JobReportResponse>> {
    let current = report.attempt.is_none_or(|attempt| attempt == job.attempt);
    if job.status == JobStatus::Running && current {
        return Ok(None);
    }
    if let Some(attempt) = report.attempt {
        let outcome = db::attempts::outcome(conn, id, attempt).await?;
        let same = match outcome.as_deref() {
            Some("completed") => reported == JobStatus::Completed,
            Some(_) => reported == JobStatus::Failed,
            None => false,
        };
        if same {
            return Ok(Some(JobReportResponse { job_id: id, status: job.status }));
        }
        let sentence = format!("Attempt {attempt} of this job is over; the report changes nothing.");
        return Err(ApiError::conflict("stale_attempt", sentence).with_job_status(job.status));
    }
    let sentence = format!("This job is {}, not running; the report changes nothing.", job.status.as_str());
    Err(ApiError::conflict("not_running", sentence).with_job_status(job.status))
}

/// What the end of a job means for its ticket. A completed one says so by itself, through its runner.
async fn settle_ticket(conn: &mut PgConnection, job: &ReportedJob, status: JobStatus) -> ApiResult<()> {
    if job.requeue_requested {
        db::tickets::set_cancel_requested(conn, job.ticket_id, false).await?;
        db::jobs::enqueue(conn, job.project_id, job.ticket_id, job.kind).await?;
        return Ok(());
    }
    match status {
        JobStatus::Cancelled => {
            db::tickets::settle(conn, job.ticket_id, board::STATUS_CANCELLED).await?;
            db::tickets::set_cancel_requested(conn, job.ticket_id, false).await?;
        }
        JobStatus::Failed => db::tickets::settle(conn, job.ticket_id, board::STATUS_FAILED).await?,
        JobStatus::Pending | JobStatus::Running | JobStatus::Completed => {}
    }
    Ok(())
}
