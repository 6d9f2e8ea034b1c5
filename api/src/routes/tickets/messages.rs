//! What people write to the agent of a ticket.

use crate::access::Caller;
use crate::actions;
use crate::db;
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path, TicketPath};
use crate::routes::tickets::require_ticket;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use terarchitect_worker_api::{ErrorBody, PersonMessage};
use utoipa::ToSchema;

/// A message to send.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewMessage {
    /// The words, at most 32 KiB.
    text: String,
}

/// Writes to the agent of the ticket: the words are in its next prompt. While no agent works, they wait for the next
/// attempt.
#[utoipa::path(post, path = "/api/projects/{project_id}/tickets/{ticket_id}/messages", tag = "tickets",
    security(("bearer" = []), ("session" = [])), params(TicketPath), request_body = NewMessage,
    responses((status = 201, body = PersonMessage), (status = 404, body = ErrorBody)))]
pub async fn post_message(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
    JsonBody(new): JsonBody<NewMessage>,
) -> ApiResult<(StatusCode, Json<PersonMessage>)> {
    let (database, actor) = (&app.database, caller.actor());
    let (project, ticket) = (path.project_id, path.ticket_id);
    let message = actions::tickets::messages::post_message(database, &actor, project, ticket, &new.text).await?;
    Ok((StatusCode::CREATED, Json(message)))
}

/// What people wrote to the agent of the ticket, the oldest first, and in which turn it was delivered.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}/messages", tag = "tickets",
    security(("bearer" = []), ("session" = [])), params(TicketPath),
    responses((status = 200, body = Vec<PersonMessage>), (status = 404, body = ErrorBody)))]
pub async fn list_messages(
    State(app): State<App>,
    Path(path): Path<TicketPath>,
) -> ApiResult<Json<Vec<PersonMessage>>> {
    let mut conn = app.database.read().await?;
    require_ticket(&mut conn, path).await?;
    Ok(Json(db::tickets::messages::list(&mut conn, path.ticket_id).await?))
}
