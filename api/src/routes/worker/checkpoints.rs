//! What a runner does with checkpoints: opens one, waits for its decision, lets its job wait without it, and keeps its conversation.

use crate::access::Caller;
use crate::actions::agent_tasks::change::store_output as store;
use crate::actions::checkpoints::{conversations, hold, open, wait};
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path, Query, TicketCheckpointPath, TicketPath, read_body};
use crate::state::App;
use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use std::time::Duration;
use terarchitect_worker_api::{
    ConversationInfo, ErrorBody, Held, HoldRequest, MAX_WAIT_MS, Message, OpenCheckpoint, RunnerCheckpoint, StoreOutput,
};
use tokio::time::Instant;
use utoipa::IntoParams;

/// How long to wait for a decision.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Waiting {
    /// In milliseconds, up to 25000; absent or 0: do not wait.
    #[serde(default)]
    wait_ms: u32,
}

/// Which conversation is kept.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Kept {
    /// The turn after which it is kept.
    turn: i32,
    /// The agent program whose conversation it is.
    agent: String,
}

/// Opens a checkpoint of the attempt that runs. The same key of the same job again returns what became of the first one.
#[utoipa::path(post, path = "/api/projects/{project_id}/tickets/{ticket_id}/checkpoints", tag = "worker",
    security(("bearer" = []), ("session" = [])), params(TicketPath), request_body = OpenCheckpoint,
    responses((status = 200, body = RunnerCheckpoint), (status = 409, body = ErrorBody)))]
pub async fn open_checkpoint(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
    JsonBody(request): JsonBody<OpenCheckpoint>,
) -> ApiResult<Json<RunnerCheckpoint>> {
    let (actor, token, ticket) = (caller.actor(), caller.job_token(), (path.project_id, path.ticket_id));
    Ok(Json(open::open(&app.database, &actor, token, ticket, request).await?))
}

/// What became of a checkpoint; waits for that if it is asked to.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}/checkpoints/{checkpoint_id}", tag = "worker",
    security(("bearer" = []), ("session" = [])), params(TicketCheckpointPath, Waiting),
    responses((status = 200, body = RunnerCheckpoint), (status = 404, body = ErrorBody)))]
pub async fn wait_for_decision(
    State(app): State<App>,
    Path(path): Path<TicketCheckpointPath>,
    Query(waiting): Query<Waiting>,
) -> ApiResult<Json<RunnerCheckpoint>> {
    let until = Instant::now() + Duration::from_millis(waiting.wait_ms.min(MAX_WAIT_MS).into());
    Ok(Json(wait::wait(&app.database, path.ticket_id, path.checkpoint_id, until, &app.stop).await?))
}

/// Ends the attempt and lets its job wait for a person: the work is pushed, and the conversation is kept. The next attempt, on any
/// host, goes on once it is decided. Where that has just happened, the attempt goes on instead.
#[utoipa::path(post, path = "/api/projects/{project_id}/tickets/{ticket_id}/hold", tag = "worker",
    security(("bearer" = []), ("session" = [])), params(TicketPath), request_body = HoldRequest,
    responses((status = 200, body = Held), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn hold_job(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
    JsonBody(request): JsonBody<HoldRequest>,
) -> ApiResult<Json<Held>> {
    let (actor, token, ticket) = (caller.actor(), caller.job_token(), (path.project_id, path.ticket_id));
    Ok(Json(hold::hold(&app.database, &actor, token, ticket, request).await?))
}

/// Stores what came of a job that was asked for by an agent's name: an object of at most 4 MiB.
#[utoipa::path(put, path = "/api/projects/{project_id}/tickets/{ticket_id}/output", tag = "worker",
    security(("bearer" = []), ("session" = [])), params(TicketPath), request_body = StoreOutput,
    responses((status = 200, body = Message), (status = 404, body = ErrorBody)))]
pub async fn store_output(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
    JsonBody(request): JsonBody<StoreOutput>,
) -> ApiResult<Json<Message>> {
    let (actor, ticket) = (caller.actor(), (path.project_id, path.ticket_id));
    store(&app.database, &actor, ticket, &request.output).await?;
    Ok(Json(Message { message: "Output stored".to_owned() }))
}

/// Keeps what the attempt remembers after a turn, as the runner has packed it: at most 32 MiB. An older one is replaced.
#[utoipa::path(put, path = "/api/projects/{project_id}/tickets/{ticket_id}/conversation", tag = "worker",
    security(("bearer" = []), ("session" = [])), params(TicketPath, Kept),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 200, body = ConversationInfo), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody)))]
pub async fn keep_conversation(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
    Query(kept): Query<Kept>,
    request: Request,
) -> ApiResult<Json<ConversationInfo>> {
    let archive = read_body(request, &app).await?;
    let (actor, token, ticket) = (caller.actor(), caller.job_token(), (path.project_id, path.ticket_id));
    let of = (kept.turn, kept.agent);
    Ok(Json(conversations::keep(&app.database, &actor, token, ticket, of, &archive).await?))
}

/// What an earlier attempt of the same job remembered.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}/conversation", tag = "worker",
    security(("bearer" = []), ("session" = [])), params(TicketPath),
    responses((status = 200, description = "As it was kept", content_type = "application/octet-stream", body = String),
        (status = 204, description = "Nothing was kept")))]
pub async fn get_conversation(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
) -> ApiResult<Response> {
    match conversations::kept(&app.database, caller.job_token(), path.ticket_id).await? {
        Some(archive) => Ok(([(CONTENT_TYPE, "application/octet-stream")], Body::from(archive)).into_response()),
        None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}
