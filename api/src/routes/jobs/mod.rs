//! Jobs as applications see them.

pub mod actions;

use crate::access::Caller;
use crate::actions::worker::review::review_of;
use crate::db;
use crate::db::jobs::list::{AttemptEntry, JobEntry, JobFilter};
use crate::db::tickets::logs::LogEntry;
use crate::domain::refusal::Refusal;
use crate::http::error::ApiResult;
use crate::http::extract::{JobPath, Path, Query};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::{ErrorBody, JobKind, JobStatus, ProjectId, ReviewContext, TicketId};
use utoipa::{IntoParams, ToSchema};

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 500;
/// The most log entries that come with one job.
const LOGS: i64 = 500;

/// Which jobs to list: all of them if nothing is set.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct JobQuery {
    /// Only jobs of this project.
    #[param(value_type = Option<uuid::Uuid>)]
    project_id: Option<ProjectId>,
    /// Only jobs of this ticket.
    #[param(value_type = Option<uuid::Uuid>)]
    ticket_id: Option<TicketId>,
    /// Only jobs with this status.
    status: Option<JobStatus>,
    /// Only jobs of this kind.
    kind: Option<JobKind>,
    /// The maximum number of jobs: 50 if unset, at most 500.
    limit: Option<i64>,
    /// `next_cursor` of the previous page.
    cursor: Option<i64>,
}

/// A page of jobs.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobPage {
    /// The jobs, the newest first.
    jobs: Vec<JobEntry>,
    /// Send it as `cursor` for the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<i64>,
}

/// A job with what became of its attempts.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobDetail {
    #[serde(flatten)]
    job: JobEntry,
    /// Its ended attempts, the oldest first.
    attempts: Vec<AttemptEntry>,
    /// The latest entries of its ticket's log from the time of this job, at most 500, the oldest first.
    logs: Vec<LogEntry>,
    /// For reviews: what is asked for, point by point, with its threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    review: Option<ReviewContext>,
}

/// Jobs, the newest first, in pages.
#[utoipa::path(get, path = "/api/jobs", tag = "jobs", security(("bearer" = []), ("session" = [])), params(JobQuery),
    responses((status = 200, body = JobPage)))]
pub async fn list_jobs(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<JobQuery>,
) -> ApiResult<Json<JobPage>> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let filter = JobFilter {
        project: query.project_id,
        ticket: query.ticket_id,
        status: query.status,
        kind: query.kind,
        before: query.cursor,
        visible: caller.visible().ids(),
    };
    let mut conn = app.database.read().await?;
    let mut jobs = db::jobs::list::list(&mut conn, &filter, limit + 1).await?;
    let more = jobs.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if more {
        jobs.pop();
    }
    let next_cursor = jobs.last().filter(|_| more).map(|job| job.seq);
    Ok(Json(JobPage { jobs, next_cursor }))
}

/// One job with its ended attempts and its log.
#[utoipa::path(get, path = "/api/jobs/{job_id}", tag = "jobs", security(("bearer" = []), ("session" = [])), params(JobPath),
    responses((status = 200, body = JobDetail), (status = 404, body = ErrorBody)))]
pub async fn get_job(State(app): State<App>, Path(path): Path<JobPath>) -> ApiResult<Json<JobDetail>> {
    let mut conn = app.database.read().await?;
    let job = db::jobs::list::find(&mut conn, path.job_id).await?;
    let job = job.ok_or_else(|| Refusal::not_found("job", path.job_id))?;
    let attempts = db::jobs::list::attempts(&mut conn, path.job_id).await?;
    // A runner's last entries may come a moment after its end was reported.
    let until = job.finished_at.map(|at| at + chrono::TimeDelta::seconds(10));
    let logs = db::tickets::logs::list_between(&mut conn, job.ticket_id, job.created_at, until, LOGS).await?;
    drop(conn);
    let review = review_of(&app.database, path.job_id, job.kind).await?;
    Ok(Json(JobDetail { job, attempts, logs, review }))
}
