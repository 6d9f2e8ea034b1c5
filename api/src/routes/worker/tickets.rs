//! What a runner reports about its ticket, and what it polls: log entries, completion, the cancellation poll.

use crate::access::Caller;
use crate::actions;
use crate::db;
use crate::db::tickets::logs::NewLogEntry;
use crate::domain::refusal::Refusal;
use crate::domain::tickets::activity::AttemptOf;
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, OptionalJsonBody, Path, TicketPath};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use terarchitect_worker_api::{
    AppendLogResponse, CancelRequested, CompleteTicketRequest, EntryData, ErrorBody, Message,
};
use utoipa::ToSchema;
use uuid::Uuid;

/// Where a step's name is cut, in characters.
const MAX_STEP_CHARS: usize = 100;
/// The longest session id, in bytes.
const MAX_SESSION_BYTES: usize = 200;

/// A log entry as it arrives. All but `session_id` may be absent or null.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewLog {
    /// Groups the entries of one attempt; required.
    session_id: Option<String>,
    /// What kind of step this was; cut at 100 characters.
    step: Option<String>,
    /// What happened.
    summary: Option<String>,
    /// What the agent printed or answered.
    raw_output: Option<String>,
    /// Whether the step succeeded; unset counts as yes.
    success: Option<bool>,
    /// A key chosen by the sender. A second entry with the same key is not stored.
    entry_key: Option<Uuid>,
    /// What the entry is about, for programs: an object with a `kind`, of at most 32 KiB. Unknown kinds are kept.
    #[schema(value_type = Option<EntryData>)]
    data: Option<Value>,
}

impl NewLog {
    fn into_entry(self, path: TicketPath) -> Result<NewLogEntry, Refusal> {
        let session_id = self.session_id.unwrap_or_default();
        if session_id.trim().is_empty() || session_id.len() > MAX_SESSION_BYTES {
            let sentence = "'session_id' is required: a short word that groups the entries of one attempt.";
            return Err(Refusal::invalid(sentence));
        }
        Ok(NewLogEntry {
            project_id: path.project_id,
            ticket_id: path.ticket_id,
            session_id,
            step: self.step.unwrap_or_default().chars().take(MAX_STEP_CHARS).collect(),
            summary: self.summary.unwrap_or_default(),
            raw_output: self.raw_output,
            success: self.success.unwrap_or(true),
            entry_key: self.entry_key,
            by: AttemptOf::default(),
            data: self.data,
        })
    }
}

/// Appends an entry to the ticket's execution log.
#[utoipa::path(post, path = "/api/projects/{project_id}/tickets/{ticket_id}/logs", tag = "worker",
    security(("bearer" = []), ("session" = [])), params(TicketPath), request_body = NewLog,
    responses((status = 200, body = AppendLogResponse), (status = 404, body = ErrorBody)))]
pub async fn append_log(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
    JsonBody(new): JsonBody<NewLog>,
) -> ApiResult<Json<AppendLogResponse>> {
    let entry = new.into_entry(path)?;
    let (actor, token) = (caller.actor(), caller.job_token());
    let id = actions::tickets::append_log::append_log(&app.database, &actor, token, entry).await?;
    Ok(Json(AppendLogResponse { id, message: "Log added".to_owned() }))
}

/// Marks the ticket complete: status `completed`, column `in_review`, and its pull request recorded.
#[utoipa::path(post, path = "/api/projects/{project_id}/tickets/{ticket_id}/complete", tag = "worker",
    security(("bearer" = []), ("session" = [])), params(TicketPath), request_body = CompleteTicketRequest,
    responses((status = 200, body = Message), (status = 404, body = ErrorBody)))]
pub async fn complete_ticket(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
    OptionalJsonBody(request): OptionalJsonBody<CompleteTicketRequest>,
) -> ApiResult<Json<Message>> {
    let (database, actor, token, service) =
        (&app.database, caller.actor(), caller.job_token(), app.embeddings().await?);
    let of = (path.project_id, path.ticket_id);
    actions::tickets::complete::complete_ticket(database, &actor, token, service.as_ref(), of, request).await?;
    app.forge_signals.notify_posts();
    Ok(Json(Message { message: "Ticket completed".to_owned() }))
}

/// Whether a person requested that the ticket's attempt stops.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}/cancel-requested", tag = "worker",
    security(("bearer" = []), ("session" = [])), params(TicketPath),
    responses((status = 200, body = CancelRequested), (status = 404, body = ErrorBody)))]
pub async fn cancel_requested(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
) -> ApiResult<Json<CancelRequested>> {
    let mut conn = app.database.read().await?;
    // A runner that sends its job's token polls that job; one from a shell can only poll the ticket.
    let requested = match caller.job_token() {
        Some(token) => db::jobs::cancel_requested(&mut conn, token.job_id).await?,
        None => db::tickets::cancel_requested(&mut conn, path.project_id, path.ticket_id).await?,
    };
    let cancel_requested = requested.ok_or_else(|| Refusal::not_found("ticket", path.ticket_id))?;
    Ok(Json(CancelRequested { cancel_requested }))
}
