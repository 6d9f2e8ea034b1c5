//! What applications do with jobs beside moving tickets: enqueue one with its own terms, try one again, cancel one.

use super::jobs::JobPath;
use super::{TicketPath, ticket_moves};
use crate::db;
use crate::db::job_list::JobEntry;
use crate::db::jobs::NewJob;
use crate::db::tickets::{Ticket, TicketFields};
use crate::domain::{board, text};
use crate::http::error::{ApiError, ApiResult};
use crate::http::extract::{OptionalJson, Path};
use crate::state::App;
use axum::Json as Answer;
use axum::extract::State;
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::Deserialize;
use sqlx::PgConnection;
use std::time::Duration;
use terarchitect_worker_api::{ErrorBody, JobId, JobKind, JobStatus, Message};
use utoipa::ToSchema;

/// The longest idempotency key, in bytes.
const MAX_KEY_BYTES: usize = 200;
/// The longest delay: ten years, in seconds. Further dates are mistakes.
const MAX_DELAY_SEC: f64 = 3650.0 * 86_400.0;

/// A job for a ticket. All fields may be absent.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct JobTerms {
    /// What it asks for; `ticket` if unset.
    kind: Option<JobKind>,
    /// Higher is claimed first; 0 if unset.
    #[serde(default)]
    priority: i32,
    /// It is not claimed before this time; now if unset.
    run_at: Option<DateTime<Utc>>,
    /// Or: it is not claimed for this many seconds.
    delay_sec: Option<f64>,
    /// The same key again, in the same project, enqueues nothing and answers the first job.
    idempotency_key: Option<String>,
    /// For reviews: the pull request; the ticket's own if unset.
    pr_number: Option<i64>,
    /// For reviews: the comment's text.
    comment_body: Option<String>,
    /// For reviews: the comment.
    github_comment_id: Option<i64>,
}

/// Enqueues a job for a ticket, with a priority, a time and an idempotency key. A job of kind `ticket` moves its
/// ticket to In Progress.
#[utoipa::path(post, path = "/api/projects/{project_id}/tickets/{ticket_id}/jobs", tag = "jobs",
    security(("bearer" = [])), params(TicketPath), request_body = JobTerms,
    responses((status = 201, description = "Enqueued", body = JobEntry),
        (status = 200, description = "Enqueued before, with this idempotency key", body = JobEntry),
        (status = 400, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn enqueue_job(
    State(app): State<App>,
    Path(path): Path<TicketPath>,
    OptionalJson(terms): OptionalJson<JobTerms>,
) -> ApiResult<(StatusCode, Answer<JobEntry>)> {
    let mut tx = app.pool.begin().await?;
    db::tickets::lock_moves(&mut tx, path.ticket_id).await?;
    let missing = || ApiError::not_found("ticket", path.ticket_id);
    let ticket = db::tickets::find(&mut tx, path.project_id, path.ticket_id).await?.ok_or_else(missing)?;
    let new = check_terms(terms, &ticket)?;
    if let Some(key) = &new.idempotency_key
        && let Some(before) = db::job_list::find_by_key(&mut tx, path.project_id, key).await?
    {
        return Ok((StatusCode::OK, Answer(before)));
    }
    let job = enqueue(&mut tx, ticket, &new).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Answer(job)))
}

fn check_terms(terms: JobTerms, ticket: &Ticket) -> ApiResult<NewJob> {
    let key = terms.idempotency_key.filter(|key| !key.is_empty());
    if key.as_ref().is_some_and(|key| key.len() > MAX_KEY_BYTES) {
        return Err(text::invalid(format!("'idempotency_key' must be at most {MAX_KEY_BYTES} bytes long.")));
    }
    if terms.run_at.is_some() && terms.delay_sec.is_some() {
        return Err(text::invalid("Send 'run_at' or 'delay_sec', not both."));
    }
    let wait_sec = terms.delay_sec.or_else(|| terms.run_at.map(|at| (at - Utc::now()).as_seconds_f64()));
    if wait_sec.is_some_and(|wait| wait > MAX_DELAY_SEC || wait.is_nan()) || terms.delay_sec.is_some_and(|d| d < 0.0) {
        return Err(text::invalid("The job's time must be within the next ten years."));
    }
    let kind = terms.kind.unwrap_or(JobKind::Ticket);
    let pr_number = terms.pr_number.or(ticket.pr_number.filter(|_| kind == JobKind::Review));
    if pr_number.is_some_and(|number| number < 1) {
        return Err(text::invalid("'pr_number' must be a positive number."));
    }
    if kind == JobKind::Review && pr_number.is_none() {
        return Err(text::invalid("A review needs 'pr_number': the ticket has no pull request yet."));
    }
    Ok(NewJob {
        priority: terms.priority,
        run_at: terms.run_at.filter(|at| *at > DateTime::UNIX_EPOCH),
        delay: terms.delay_sec.map(Duration::from_secs_f64),
        idempotency_key: key,
        pr_number,
        comment_body: terms.comment_body.map(|body| text::long_text("comment_body", body)).transpose()?,
        github_comment_id: terms.github_comment_id,
        ..NewJob::of_ticket(ticket.project_id, ticket.id, kind)
    })
}

/// Enqueues, and lets the ticket say so.
async fn enqueue(conn: &mut PgConnection, ticket: Ticket, new: &NewJob) -> ApiResult<JobEntry> {
    ticket_moves::require_something_to_work_on(conn, ticket.project_id).await?;
    let Some(id) = db::jobs::enqueue(conn, new).await? else {
        return Err(ApiError::conflict("job_exists", "This ticket already has a job that is pending or running."));
    };
    if new.kind == JobKind::Ticket {
        let (project, ticket_id) = (ticket.project_id, ticket.id);
        let fields = TicketFields {
            column_id: board::IN_PROGRESS.to_owned(),
            status: board::STATUS_IN_PROGRESS.to_owned(),
            ..ticket.into()
        };
        db::tickets::update(conn, project, ticket_id, &fields).await?;
        db::tickets::set_cancel_requested(conn, ticket_id, false).await?;
    }
    tracing::info!(ticket.id = %new.ticket_id, job.id = %id, "enqueued a job");
    db::job_list::find(conn, id).await?.ok_or_else(|| ApiError::not_found("job", id))
}

/// The job, with its ticket's move lock held. The lock comes first, so the job is looked at twice.
async fn locked_job(conn: &mut PgConnection, id: JobId) -> ApiResult<JobEntry> {
    let missing = || ApiError::not_found("job", id);
    let ticket = db::job_list::find(conn, id).await?.ok_or_else(missing)?.ticket_id;
    db::tickets::lock_moves(conn, ticket).await?;
    db::job_list::find(conn, id).await?.ok_or_else(missing)
}

/// Tries a failed or cancelled job again: enqueues a new one with its terms.
#[utoipa::path(post, path = "/api/jobs/{job_id}/retry", tag = "jobs", security(("bearer" = [])), params(JobPath),
    responses((status = 201, body = JobEntry), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn retry_job(State(app): State<App>, Path(path): Path<JobPath>) -> ApiResult<(StatusCode, Answer<JobEntry>)> {
    let mut tx = app.pool.begin().await?;
    let job = locked_job(&mut tx, path.job_id).await?;
    if !matches!(job.status.as_str(), "failed" | "cancelled") {
        let sentence = format!("This job is {}; only one that failed or was cancelled can be tried again.", job.status);
        return Err(ApiError::conflict("not_ended", sentence));
    }
    let new = db::jobs::terms(&mut tx, path.job_id).await?.ok_or_else(|| ApiError::not_found("job", path.job_id))?;
    let ticket = db::tickets::find(&mut tx, job.project_id, job.ticket_id).await?;
    let ticket = ticket.ok_or_else(|| ApiError::not_found("ticket", job.ticket_id))?;
    let again = enqueue(&mut tx, ticket, &new).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Answer(again)))
}

/// Cancels a job: one that waits at once, one that runs by asking it to stop.
#[utoipa::path(post, path = "/api/jobs/{job_id}/cancel", tag = "jobs", security(("bearer" = [])), params(JobPath),
    responses((status = 200, body = Message), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn cancel_job(State(app): State<App>, Path(path): Path<JobPath>) -> ApiResult<Answer<Message>> {
    let mut tx = app.pool.begin().await?;
    let job = locked_job(&mut tx, path.job_id).await?;
    let all = db::jobs::live_for_update(&mut tx, job.ticket_id).await?;
    let Some(this) = all.iter().copied().find(|live| live.id == path.job_id) else {
        let status = db::job_list::find(&mut tx, path.job_id).await?.map_or(job.status, |job| job.status);
        if status == JobStatus::Cancelled.as_str() {
            return Ok(Answer(Message { message: "The job is cancelled".to_owned() }));
        }
        return Err(ApiError::conflict("not_live", format!("This job is {status}; there is nothing to cancel.")));
    };
    ticket_moves::stop(&mut tx, job.ticket_id, this, all.len() == 1).await?;
    let waiting = this.state == board::LiveJob::Pending;
    if waiting && job.kind == JobKind::Ticket.as_str() {
        db::tickets::settle(&mut tx, job.ticket_id, board::STATUS_CANCELLED).await?;
    }
    tx.commit().await?;
    let message = if waiting { "The job is cancelled" } else { "Cancellation requested" };
    Ok(Answer(Message { message: message.to_owned() }))
}
