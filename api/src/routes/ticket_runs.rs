//! What a runner says about its ticket, and what it asks: log entries, completion, the cancellation poll.

use super::TicketPath;
use crate::db;
use crate::db::logs::{LogEntry, NewLogEntry};
use crate::domain::text;
use crate::http::error::{ApiError, ApiResult};
use crate::http::extract::{Json, OptionalJson, Path};
use crate::job_tokens::JobToken;
use crate::state::App;
use axum::extract::State;
use axum::{Extension, Json as Answer};
use serde::Deserialize;
use sqlx::PgConnection;
use terarchitect_worker_api::{AppendLogResponse, CancelRequested, CompleteTicketRequest, ErrorBody, Message};
use utoipa::ToSchema;
use uuid::Uuid;

/// Where a step's name is cut, in characters.
const MAX_STEP_CHARS: usize = 100;
/// The longest summary that becomes part of the memory, in bytes.
const MAX_MEMORY_BYTES: usize = 64 * 1024;
/// The longest session id, in bytes.
const MAX_SESSION_BYTES: usize = 200;

/// A log entry as it arrives. All but `session_id` may be absent or null.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewLog {
    /// Groups the entries of one run; required.
    session_id: Option<String>,
    /// What kind of step this was; cut at 100 characters.
    step: Option<String>,
    /// What happened.
    summary: Option<String>,
    /// What the agent printed or answered.
    raw_output: Option<String>,
    /// Whether the step went well; unset counts as yes.
    success: Option<bool>,
    /// The sender's key of the entry: the same again stores nothing.
    entry_key: Option<Uuid>,
}

/// The ticket's execution log, the oldest entry first.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}/logs", tag = "tickets",
    security(("bearer" = [])), params(TicketPath),
    responses((status = 200, body = Vec<LogEntry>), (status = 404, body = ErrorBody)))]
pub async fn list_logs(State(app): State<App>, Path(path): Path<TicketPath>) -> ApiResult<Answer<Vec<LogEntry>>> {
    let mut conn = app.pool.acquire().await?;
    require_ticket(&mut conn, path).await?;
    Ok(Answer(db::logs::list(&mut conn, path.ticket_id).await?))
}

async fn require_ticket(conn: &mut PgConnection, path: TicketPath) -> ApiResult<()> {
    match db::tickets::cancel_requested(conn, path.project_id, path.ticket_id).await? {
        Some(_) => Ok(()),
        None => Err(ApiError::not_found("ticket", path.ticket_id)),
    }
}

/// Appends an entry to the ticket's execution log.
#[utoipa::path(post, path = "/api/projects/{project_id}/tickets/{ticket_id}/logs", tag = "worker",
    security(("bearer" = [])), params(TicketPath), request_body = NewLog,
    responses((status = 200, body = AppendLogResponse), (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub async fn append_log(
    State(app): State<App>,
    Path(path): Path<TicketPath>,
    Json(new): Json<NewLog>,
) -> ApiResult<Answer<AppendLogResponse>> {
    let session_id = new.session_id.unwrap_or_default();
    if session_id.trim().is_empty() || session_id.len() > MAX_SESSION_BYTES {
        return Err(text::invalid("'session_id' is required: a short word that groups the entries of one run."));
    }
    let entry = NewLogEntry {
        project_id: path.project_id,
        ticket_id: path.ticket_id,
        session_id,
        step: new.step.unwrap_or_default().chars().take(MAX_STEP_CHARS).collect(),
        summary: new.summary.unwrap_or_default(),
        raw_output: new.raw_output,
        success: new.success.unwrap_or(true),
        entry_key: new.entry_key,
    };
    let mut conn = app.pool.acquire().await?;
    require_ticket(&mut conn, path).await?;
    let id = db::logs::insert(&mut conn, &entry).await?;
    Ok(Answer(AppendLogResponse { id, message: "Log added".to_owned() }))
}

/// Marks the ticket complete: status `completed`, column `in_review`, and its pull request recorded.
#[utoipa::path(post, path = "/api/projects/{project_id}/tickets/{ticket_id}/complete", tag = "worker",
    security(("bearer" = [])), params(TicketPath), request_body = CompleteTicketRequest,
    responses((status = 200, body = Message), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn complete_ticket(
    State(app): State<App>,
    Path(path): Path<TicketPath>,
    OptionalJson(request): OptionalJson<CompleteTicketRequest>,
) -> ApiResult<Answer<Message>> {
    check_pull_request(&request)?;
    let mut tx = app.pool.begin().await?;
    db::tickets::lock_moves(&mut tx, path.ticket_id).await?;
    if !db::tickets::complete(&mut tx, path.project_id, path.ticket_id, &request).await? {
        return Err(ApiError::not_found("ticket", path.ticket_id));
    }
    remember(&mut tx, path, request.summary.as_deref()).await?;
    for (step, text) in [("completed", request.summary), ("review_comment", request.review_comment_body)] {
        if let Some(text) = text.filter(|text| !text.trim().is_empty()) {
            db::logs::insert(&mut tx, &outcome_entry(path, step, text)).await?;
        }
    }
    tx.commit().await?;
    tracing::info!(ticket.id = %path.ticket_id, pr.url = request.pr_url, "completed a ticket");
    Ok(Answer(Message { message: "Ticket completed".to_owned() }))
}

/// What was done becomes part of the project's memory.
async fn remember(conn: &mut PgConnection, path: TicketPath, summary: Option<&str>) -> ApiResult<()> {
    let summary = summary.map(str::trim).filter(|summary| !summary.is_empty() && summary.len() <= MAX_MEMORY_BYTES);
    let (Some(summary), Some(ticket)) = (summary, db::tickets::find(conn, path.project_id, path.ticket_id).await?)
    else {
        return Ok(());
    };
    let doc = format!("{}: {summary}", ticket.title);
    db::memory::insert(conn, path.project_id, &[doc]).await?;
    Ok(())
}

fn outcome_entry(path: TicketPath, step: &str, summary: String) -> NewLogEntry {
    NewLogEntry {
        project_id: path.project_id,
        ticket_id: path.ticket_id,
        session_id: "outcome".to_owned(),
        step: step.to_owned(),
        summary,
        raw_output: None,
        success: true,
        entry_key: None,
    }
}

fn check_pull_request(request: &CompleteTicketRequest) -> ApiResult<()> {
    if let Some(url) = request.pr_url.as_deref().filter(|url| !url.is_empty()) {
        let parsed = url.parse::<url::Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        if parsed.is_none() || url.len() > text::MAX_ADDRESS_BYTES {
            return Err(text::invalid("'pr_url' must be an address that starts with http:// or https://."));
        }
    }
    if request.pr_number.is_some_and(|number| number < 1) {
        return Err(text::invalid("'pr_number' must be a positive number."));
    }
    Ok(())
}

/// Whether a person asked for the ticket's run to stop.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}/cancel-requested", tag = "worker",
    security(("bearer" = [])), params(TicketPath),
    responses((status = 200, body = CancelRequested), (status = 404, body = ErrorBody)))]
pub async fn cancel_requested(
    State(app): State<App>,
    Extension(token): Extension<Option<JobToken>>,
    Path(path): Path<TicketPath>,
) -> ApiResult<Answer<CancelRequested>> {
    let mut conn = app.pool.acquire().await?;
    // Who shows its job's token is told of that job; a runner from a shell can only ask for the ticket.
    let requested = match token {
        Some(token) => db::jobs::cancel_requested(&mut conn, token.job_id).await?,
        None => db::tickets::cancel_requested(&mut conn, path.project_id, path.ticket_id).await?,
    };
    requested
        .map(|cancel_requested| Answer(CancelRequested { cancel_requested }))
        .ok_or_else(|| ApiError::not_found("ticket", path.ticket_id))
}
