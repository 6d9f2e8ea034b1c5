//! The queue as workers see it: claim a job, report how it ended.

use crate::db;
use crate::db::jobs::ReportedJob;
use crate::domain::outcome::Ending;
use crate::domain::text;
use crate::http::error::{ApiError, ApiResult};
use crate::http::extract::{Json, OptionalJson, Path};
use crate::queue::{self, Claim, Completion, Grant};
use crate::state::App;
use axum::Json as Answer;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use sqlx::PgConnection;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use terarchitect_worker_api::{
    ErrorBody, Job, JobId, JobReport, JobReportResponse, JobStatus, MAX_WAIT_MS, Reason, ReleaseRequest,
    StartJobRequest,
};
use tokio::time::Instant;

/// The longest log tail that is kept, in bytes.
const MAX_LOG_TAIL_BYTES: usize = 64 * 1024;
/// The longest word or sentence of a report, in bytes.
const MAX_WORD_BYTES: usize = 4 * 1024;

/// How much longer than the job's time a token may live: the attempt's end is what ends it.
const TOKEN_SLACK: Duration = Duration::from_secs(3600);

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
    let worker_id = request.worker_id.filter(|id| !id.is_empty());
    if worker_id.as_ref().is_some_and(|id| id.len() > MAX_WORD_BYTES) {
        return Err(text::invalid("'worker_id' is too long."));
    }
    let limits = app.config.limits;
    let claim = Claim {
        projects: request.project_id.into_iter().chain(request.project_ids).collect(),
        // Who names itself sends heartbeats; a client of the plain contract sends none, so its lease is the job's time.
        lease: if worker_id.is_some() { limits.lease } else { limits.job_timeout },
        worker_id,
        request_id: request.request_id,
    };
    let wait = request.wait_ms.filter(|&wait| wait > 0).map(|wait| Duration::from_millis(wait.min(MAX_WAIT_MS).into()));
    let Some(grant) = app.queue.claim(claim, wait.map(|wait| Instant::now() + wait)).await? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    answer_grant(&app, grant)
}

/// The answer gives the job back if the client goes away before it was sent.
fn answer_grant(app: &App, grant: Grant) -> ApiResult<Response> {
    let job = grant.job();
    let timeout = app.config.limits.job_timeout;
    let attempt = job.attempt.unwrap_or_default();
    tracing::info!(job.id = %job.job_id, ticket.id = %job.ticket_id, attempt, "a job was claimed");
    let answer = Job {
        job_timeout_sec: Some(timeout.as_secs()),
        job_token: Some(app.job_tokens.issue(job.job_id, attempt, timeout + TOKEN_SLACK)),
        ..job.clone()
    };
    let bytes = serde_json::to_vec(&answer).map_err(ApiError::internal)?;
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((headers, Body::new(GrantBody { bytes: Some(bytes.into()), grant: Some(grant) })).into_response())
}

/// A body that passes a grant on when the connection takes it.
struct GrantBody {
    bytes: Option<Bytes>,
    grant: Option<Grant>,
}

impl http_body::Body for GrantBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        if let Some(grant) = self.grant.take() {
            grant.passed_on();
        }
        Poll::Ready(self.bytes.take().map(|bytes| Ok(http_body::Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
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
    let completion = Completion { job_id: path.job_id, report };
    if app.queue.complete(completion.clone()).await? {
        return Ok(Answer(JobReportResponse { job_id: path.job_id, status: JobStatus::Completed }));
    }
    let report = completion.report;
    // Anything but the plain end of a running attempt: repeated, too late, unknown, or with more to do for the ticket.
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
    match already_ended(&mut tx, id, &job, reported, &report).await {
        Ok(Some(repeated)) => return Ok(Answer(repeated)),
        Ok(None) => {}
        Err(refused) => {
            app.metrics.report_fenced();
            return Err(refused);
        }
    }
    let ending = match reported {
        JobStatus::Completed => Ending::Completed,
        _ => Ending::Failed(report.reason.clone().unwrap_or(Reason::AgentFailed)),
    };
    let reason = report.reason.clone().unwrap_or(Reason::AgentFailed);
    let status = queue::end_attempt(&mut tx, id, &job, ending, &report).await?;
    tx.commit().await?;
    app.metrics.ended(status, &reason, job.claimed_at);
    Ok(Answer(JobReportResponse { job_id: id, status }))
}

/// Hands back a job that was claimed and never started; it costs the job nothing.
#[utoipa::path(post, path = "/api/worker/jobs/{job_id}/release", tag = "worker", security(("bearer" = [])),
    params(JobPath), request_body = ReleaseRequest,
    responses((status = 200, body = JobReportResponse), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub async fn release_job(
    State(app): State<App>,
    Path(path): Path<JobPath>,
    Json(request): Json<ReleaseRequest>,
) -> ApiResult<Answer<JobReportResponse>> {
    let id = path.job_id;
    let mut tx = app.pool.begin().await?;
    let job = db::jobs::find_for_report(&mut tx, id).await?.ok_or_else(|| ApiError::not_found("job", id))?;
    let ours = job.worker_id.as_deref() == Some(request.worker_id.as_str());
    if job.status != JobStatus::Running || job.attempt != request.attempt || !ours {
        if let Some(status) = reported_before(&mut tx, id, request.attempt, "released").await? {
            return Ok(Answer(JobReportResponse { job_id: id, status }));
        }
        app.metrics.report_fenced();
        return Err(stale(request.attempt, job.status));
    }
    let status = queue::end_attempt(&mut tx, id, &job, Ending::Released, &JobReport::default()).await?;
    tx.commit().await?;
    app.metrics.ended(status, &Reason::Other("released".to_owned()), job.claimed_at);
    Ok(Answer(JobReportResponse { job_id: id, status }))
}

fn stale(attempt: i32, status: JobStatus) -> ApiError {
    let sentence = format!("Attempt {attempt} of this job is over; the report changes nothing.");
    ApiError::conflict("stale_attempt", sentence).with_job_status(status)
}

/// What the same report about this attempt was answered, if it was made before.
async fn reported_before(
    conn: &mut PgConnection,
    id: JobId,
    attempt: i32,
    reported: &str,
) -> sqlx::Result<Option<JobStatus>> {
    let ended = db::attempts::find(conn, id, attempt).await?;
    Ok(ended.filter(|ended| ended.reported.as_deref() == Some(reported)).map(|ended| match ended.outcome.as_str() {
        "completed" => JobStatus::Completed,
        "cancelled" => JobStatus::Cancelled,
        "failed" => JobStatus::Failed,
        _ => JobStatus::Pending,
    }))
}

/// Refuses a report that is not about the running attempt; recognises one that was made before.
async fn already_ended(
    conn: &mut PgConnection,
    id: JobId,
    job: &ReportedJob,
    reported: JobStatus,
    report: &JobReport,
) -> ApiResult<Option<JobReportResponse>> {
    let holds = report.worker_id.as_deref().is_none_or(|worker| job.worker_id.as_deref() == Some(worker));
    let current = report.attempt.is_none_or(|attempt| attempt == job.attempt) && holds;
    if job.status == JobStatus::Running && current {
        return Ok(None);
    }
    if let Some(attempt) = report.attempt {
        if let Some(status) = reported_before(conn, id, attempt, reported.as_str()).await? {
            return Ok(Some(JobReportResponse { job_id: id, status }));
        }
        return Err(stale(attempt, job.status));
    }
    let sentence = format!("This job is {}, not running; the report changes nothing.", job.status.as_str());
    Err(ApiError::conflict("not_running", sentence).with_job_status(job.status))
}
