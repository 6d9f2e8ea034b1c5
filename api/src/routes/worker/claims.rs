//! Claims: the next job for a worker.

use crate::actions::worker::review::review_of;
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::http::error::{ApiError, ApiResult};
use crate::http::extract::{OptionalJsonBody, worker_id};
use crate::queue::{Claim, Grant};
use crate::state::App;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use terarchitect_worker_api::{ErrorBody, Job, MAX_WAIT_MS, ProjectId, StartJobRequest};
use tokio::time::Instant;

/// How much longer than the job's timeout a token may be valid. It stops working at the end of the attempt anyway.
const TOKEN_SLACK: Duration = Duration::from_secs(3600);

/// Claims the next job: of one project, of several, or of any.
#[utoipa::path(post, path = "/api/worker/jobs/start", tag = "worker", security(("bearer" = []), ("session" = [])),
    request_body = StartJobRequest,
    responses((status = 200, body = Job), (status = 204, description = "There is no work"),
        (status = 404, body = ErrorBody)))]
pub async fn start_job(
    State(app): State<App>,
    OptionalJsonBody(request): OptionalJsonBody<StartJobRequest>,
) -> ApiResult<Response> {
    let named = request.worker_id.as_deref().filter(|id| !id.is_empty());
    let worker_id = named.map(worker_id).transpose()?;
    let limits = app.config.limits;
    let claim = Claim {
        projects: request.project_id.into_iter().chain(request.project_ids).collect(),
        // A worker that names itself sends heartbeats; a client of the plain contract sends none, so its lease is as
        // long as the job's timeout.
        lease: if worker_id.is_some() { limits.lease } else { limits.job_timeout },
        worker_id,
        request_id: request.request_id,
    };
    let wait = request.wait_ms.filter(|&wait| wait > 0).map(|wait| Duration::from_millis(wait.min(MAX_WAIT_MS).into()));
    let projects = claim.projects.clone();
    // Before a wait, so that a wrong id is refused at once; without one, only where there is no job, at the end.
    if wait.is_some() && !app.known_projects.has_seen(&projects) {
        require_one_of(&app, &projects).await?;
    }
    match app.queue.claim(claim, wait.map(|wait| Instant::now() + wait)).await? {
        Some(grant) => respond(&app, grant).await,
        None => {
            require_one_of(&app, &projects).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
    }
}

/// Refuses a claim for projects of which none exists. A claim that names no project is for any.
async fn require_one_of(app: &App, projects: &[ProjectId]) -> ApiResult<()> {
    if projects.is_empty() || app.known_projects.check(&app.database, projects).await? {
        return Ok(());
    }
    Err(match projects {
        [project] => Refusal::not_found("project", project),
        _ => Refusal::new(ErrorCode::NotFound, "None of the projects in this claim exists; check their ids."),
    }
    .into())
}

/// A response that gives the job back if the client goes away before it was sent.
async fn respond(app: &App, grant: Grant) -> ApiResult<Response> {
    let job = grant.job();
    let timeout = app.config.limits.job_timeout;
    let attempt = job.attempt.unwrap_or_default();
    tracing::info!(job.id = %job.job_id, ticket.id = %job.ticket_id, attempt, "a job was claimed");
    let response = Job {
        review: review_of(&app.database, job.job_id, job.kind).await?,
        job_timeout_sec: Some(timeout.as_secs()),
        job_token: Some(app.job_tokens.issue(job.job_id, attempt, timeout + TOKEN_SLACK)),
        ..job.clone()
    };
    let bytes = serde_json::to_vec(&response).map_err(ApiError::internal)?;
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
