//! How a claimed job ended, as its worker reports it.

use crate::access::Caller;
use crate::actions::jobs::report;
use crate::domain::refusal::ErrorCode;
use crate::domain::worker::limits::bounded;
use crate::http::error::{ApiError, ApiResult};
use crate::http::extract::{JobPath, JsonBody, OptionalJsonBody, Path, worker_id};
use crate::queue::Completion;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use terarchitect_worker_api::{ErrorBody, JobId, JobReport, JobReportResponse, JobStatus, Reason, ReleaseRequest};

/// Reports that a job's container exited successfully.
#[utoipa::path(post, path = "/api/worker/jobs/{job_id}/complete", tag = "worker", security(("bearer" = []), ("session" = [])),
    params(JobPath), request_body = JobReport,
    responses((status = 200, body = JobReportResponse), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub async fn complete_job(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<JobPath>,
    OptionalJsonBody(report): OptionalJsonBody<JobReport>,
) -> ApiResult<Json<JobReportResponse>> {
    let report = JobReport { reason: Some(Reason::Completed), ..bounded(report) };
    let completion = Completion { job_id: path.job_id, report };
    if app.queue.complete(completion.clone()).await? {
        return Ok(Json(JobReportResponse { job_id: path.job_id, status: JobStatus::Completed }));
    }
    // Anything but the plain end of a running attempt: repeated, too late, unknown, or with more to do for the ticket.
    let (actor, report) = (actor(&caller, &completion.report), completion.report);
    let ended = report::complete(&app.database, &actor, path.job_id, &report).await;
    respond(&app, path.job_id, ended.map_err(ApiError::from))
}

/// Reports that a job's container exited with a failure.
#[utoipa::path(post, path = "/api/worker/jobs/{job_id}/fail", tag = "worker", security(("bearer" = []), ("session" = [])),
    params(JobPath), request_body = JobReport,
    responses((status = 200, body = JobReportResponse), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub async fn fail_job(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<JobPath>,
    OptionalJsonBody(report): OptionalJsonBody<JobReport>,
) -> ApiResult<Json<JobReportResponse>> {
    let (actor, report) = (actor(&caller, &report), bounded(report));
    let ended = report::fail(&app.database, &actor, path.job_id, &report).await;
    respond(&app, path.job_id, ended.map_err(ApiError::from))
}

/// Hands back a job that was claimed but never started. The attempt is not counted.
#[utoipa::path(post, path = "/api/worker/jobs/{job_id}/release", tag = "worker", security(("bearer" = []), ("session" = [])),
    params(JobPath), request_body = ReleaseRequest,
    responses((status = 200, body = JobReportResponse), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub async fn release_job(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<JobPath>,
    JsonBody(request): JsonBody<ReleaseRequest>,
) -> ApiResult<Json<JobReportResponse>> {
    let worker = worker_id(&request.worker_id)?;
    let actor = caller.actor_as(Some(&worker));
    let ended = report::release(&app.database, &actor, path.job_id, request.attempt, &worker).await;
    respond(&app, path.job_id, ended.map_err(ApiError::from))
}

fn actor(caller: &Caller, report: &JobReport) -> crate::domain::actor::Actor {
    let worker = report.worker_id.as_deref().and_then(|id| worker_id(id).ok());
    caller.actor_as(worker.as_ref())
}

/// The response to a report; one that comes too late is counted.
fn respond(app: &App, id: JobId, ended: ApiResult<JobStatus>) -> ApiResult<Json<JobReportResponse>> {
    if let Err(error) = &ended
        && matches!(error.code(), ErrorCode::StaleAttempt | ErrorCode::NotRunning)
    {
        app.metrics.report_fenced();
    }
    Ok(Json(JobReportResponse { job_id: id, status: ended? }))
}
