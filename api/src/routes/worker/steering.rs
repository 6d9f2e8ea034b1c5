//! What a runner sends and asks for beside its log: diffs, and people's words to its agent.

use crate::access::Caller;
use crate::actions::tickets::{messages, store_diff, store_usage};
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path, TicketPath};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use terarchitect_worker_api::{
    DiffInfo, ErrorBody, Message, StoreDiffRequest, StoreUsageRequest, StoredUsage, TakenMessages, TurnOfAttempt,
};

/// Stores what a turn changed, or the whole branch against its base. A second diff of the same turn of the same attempt
/// takes the place of the first. The body may be up to 16 MiB, the patch up to 12 MiB.
#[utoipa::path(put, path = "/api/projects/{project_id}/tickets/{ticket_id}/diffs", tag = "worker",
    security(("bearer" = []), ("session" = [])), params(TicketPath), request_body = StoreDiffRequest,
    responses((status = 200, body = DiffInfo), (status = 404, body = ErrorBody)))]
pub async fn put_diff(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
    JsonBody(diff): JsonBody<StoreDiffRequest>,
) -> ApiResult<Json<DiffInfo>> {
    let (actor, token, ticket) = (caller.actor(), caller.job_token(), (path.project_id, path.ticket_id));
    Ok(Json(store_diff::store_diff(&app.database, &actor, token, ticket, diff).await?))
}

/// Stores what the calls of models came to in all of an attempt so far. An older report changes nothing. The response says what the
/// attempt may use in all.
#[utoipa::path(put, path = "/api/projects/{project_id}/tickets/{ticket_id}/usage", tag = "worker",
    security(("bearer" = []), ("session" = [])), params(TicketPath), request_body = StoreUsageRequest,
    responses((status = 200, body = StoredUsage), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn put_usage(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
    JsonBody(usage): JsonBody<StoreUsageRequest>,
) -> ApiResult<Json<StoredUsage>> {
    let (token, ticket) = (caller.job_token(), (path.project_id, path.ticket_id));
    let budget = store_usage::store_usage(&app.database, token, ticket, usage).await?;
    Ok(Json(StoredUsage { message: "Usage stored".to_owned(), budget }))
}

/// Takes what people wrote for a turn's prompt. The same turn of the same attempt again returns the same messages. What
/// was taken and never confirmed is free again for a later turn, and once the attempt is over.
#[utoipa::path(post, path = "/api/projects/{project_id}/tickets/{ticket_id}/messages/take", tag = "worker",
    security(("bearer" = []), ("session" = [])), params(TicketPath), request_body = TurnOfAttempt,
    responses((status = 200, body = TakenMessages), (status = 404, body = ErrorBody)))]
pub async fn take_messages(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
    JsonBody(turn): JsonBody<TurnOfAttempt>,
) -> ApiResult<Json<TakenMessages>> {
    let (actor, token, ticket) = (caller.actor(), caller.job_token(), (path.project_id, path.ticket_id));
    let messages = messages::take_messages(&app.database, &actor, token, ticket, turn).await?;
    Ok(Json(TakenMessages { messages }))
}

/// Confirms that the agent has accepted the prompt with the messages that a turn took.
#[utoipa::path(post, path = "/api/projects/{project_id}/tickets/{ticket_id}/messages/delivered", tag = "worker",
    security(("bearer" = []), ("session" = [])), params(TicketPath), request_body = TurnOfAttempt,
    responses((status = 200, body = Message), (status = 404, body = ErrorBody)))]
pub async fn messages_delivered(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
    JsonBody(turn): JsonBody<TurnOfAttempt>,
) -> ApiResult<Json<Message>> {
    let (actor, token, ticket) = (caller.actor(), caller.job_token(), (path.project_id, path.ticket_id));
    messages::confirm_messages(&app.database, &actor, token, ticket, turn).await?;
    Ok(Json(Message { message: "Messages delivered".to_owned() }))
}
