//! What applications do with jobs beside moving tickets: enqueue one with its own terms, retry one, cancel one.

use crate::access::Caller;
use crate::actions;
use crate::actions::jobs::cancel::Cancelled;
use crate::actions::jobs::enqueue::Enqueued;
use crate::db::jobs::list::JobEntry;
use crate::domain::jobs::terms::JobTerms;
use crate::http::error::ApiResult;
use crate::http::extract::{JobPath, OptionalJsonBody, Path, TicketPath};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use terarchitect_worker_api::{ErrorBody, Message};
use utoipa::ToSchema;

/// Enqueues a job for a ticket, with a priority, a time and an idempotency key. A job of kind `ticket` moves its
/// ticket to In Progress.
#[utoipa::path(post, path = "/api/projects/{project_id}/tickets/{ticket_id}/jobs", tag = "jobs",
    security(("bearer" = []), ("session" = [])), params(TicketPath), request_body = JobTerms,
    responses((status = 201, description = "Enqueued", body = JobEntry),
        (status = 200, description = "A job was enqueued with this idempotency key before", body = JobEntry),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn enqueue_job(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
    OptionalJsonBody(terms): OptionalJsonBody<JobTerms>,
) -> ApiResult<(StatusCode, Json<JobEntry>)> {
    let (database, actor) = (&app.database, caller.actor());
    let enqueued =
        actions::jobs::enqueue::enqueue_job(database, &actor, path.project_id, path.ticket_id, terms).await?;
    Ok(match enqueued {
        Enqueued::New(job) => (StatusCode::CREATED, Json(job)),
        Enqueued::Before(job) => (StatusCode::OK, Json(job)),
    })
}

/// What may come with a retry.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct RetryRequest {
    /// Words to the agent of the new job, as with `POST …/messages`.
    #[serde(default)]
    note: Option<String>,
}

/// Retries a failed or cancelled job: enqueues a new one with its terms. A note is in the first prompt of its agent.
#[utoipa::path(post, path = "/api/jobs/{job_id}/retry", tag = "jobs", security(("bearer" = []), ("session" = [])), params(JobPath),
    request_body = RetryRequest, responses((status = 201, body = JobEntry), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn retry_job(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<JobPath>,
    OptionalJsonBody(request): OptionalJsonBody<RetryRequest>,
) -> ApiResult<(StatusCode, Json<JobEntry>)> {
    let (database, actor, note) = (&app.database, caller.actor(), request.note.as_deref());
    let again = actions::jobs::retry::retry_job(database, &actor, path.job_id, note).await?;
    Ok((StatusCode::CREATED, Json(again)))
}

/// Cancels a job: a pending one at once, a running one by a stop request.
#[utoipa::path(post, path = "/api/jobs/{job_id}/cancel", tag = "jobs", security(("bearer" = []), ("session" = [])), params(JobPath),
    responses((status = 200, body = Message), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn cancel_job(State(app): State<App>, caller: Caller, Path(path): Path<JobPath>) -> ApiResult<Json<Message>> {
    let message = match actions::jobs::cancel::cancel_job(&app.database, &caller.actor(), path.job_id).await? {
        Cancelled::Now | Cancelled::Before => "The job is cancelled",
        Cancelled::Requested => "Cancellation requested",
    };
    Ok(Json(Message { message: message.to_owned() }))
}
