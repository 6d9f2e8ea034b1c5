//! Tickets and their execution logs.

pub mod diffs;
pub mod messages;
pub mod timeline;
pub mod usage;

use super::require_project;
use crate::access::Caller;
use crate::actions;
use crate::db;
use crate::db::tickets::Ticket;
use crate::db::tickets::logs::LogEntry;
use crate::domain::refusal::Refusal;
use crate::domain::tickets::TicketChanges;
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path, ProjectPath, TicketPath};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use sqlx::PgConnection;
use terarchitect_worker_api::{ErrorBody, Message};

/// All tickets of a project.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets", tag = "tickets", security(("bearer" = []), ("session" = [])),
    params(ProjectPath), responses((status = 200, body = Vec<Ticket>), (status = 404, body = ErrorBody)))]
pub async fn list_tickets(State(app): State<App>, Path(path): Path<ProjectPath>) -> ApiResult<Json<Vec<Ticket>>> {
    let mut conn = app.database.read().await?;
    require_project(&mut conn, path.project_id).await?;
    Ok(Json(db::tickets::list(&mut conn, path.project_id).await?))
}

/// Creates a ticket. One that is created in `in_progress` is enqueued at once.
#[utoipa::path(post, path = "/api/projects/{project_id}/tickets", tag = "tickets", security(("bearer" = []), ("session" = [])),
    params(ProjectPath), request_body = TicketChanges,
    responses((status = 201, body = Ticket), (status = 404, body = ErrorBody)))]
pub async fn create_ticket(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<ProjectPath>,
    JsonBody(new): JsonBody<TicketChanges>,
) -> ApiResult<(StatusCode, Json<Ticket>)> {
    let (database, actor) = (&app.database, caller.actor());
    let ticket = actions::tickets::create::create_ticket(database, &actor, path.project_id, new).await?;
    Ok((StatusCode::CREATED, Json(ticket)))
}

/// One ticket.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}", tag = "tickets",
    security(("bearer" = []), ("session" = [])), params(TicketPath),
    responses((status = 200, body = Ticket), (status = 404, body = ErrorBody)))]
pub async fn get_ticket(State(app): State<App>, Path(path): Path<TicketPath>) -> ApiResult<Json<Ticket>> {
    let mut conn = app.database.read().await?;
    let ticket = db::tickets::find(&mut conn, path.project_id, path.ticket_id).await?;
    Ok(Json(ticket.ok_or_else(|| Refusal::not_found("ticket", path.ticket_id))?))
}

/// Changes a ticket. Moving it to `in_progress` enqueues a job, moving it away cancels.
#[utoipa::path(patch, path = "/api/projects/{project_id}/tickets/{ticket_id}", tag = "tickets",
    security(("bearer" = []), ("session" = [])), params(TicketPath), request_body = TicketChanges,
    responses((status = 200, body = Ticket), (status = 404, body = ErrorBody)))]
pub async fn update_ticket(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
    JsonBody(changes): JsonBody<TicketChanges>,
) -> ApiResult<Json<Ticket>> {
    let (database, actor) = (&app.database, caller.actor());
    let ticket =
        actions::tickets::update::update_ticket(database, &actor, path.project_id, path.ticket_id, changes).await?;
    Ok(Json(ticket))
}

/// Deletes a ticket with its jobs and logs. A running attempt is stopped at its next heartbeat.
#[utoipa::path(delete, path = "/api/projects/{project_id}/tickets/{ticket_id}", tag = "tickets",
    security(("bearer" = []), ("session" = [])), params(TicketPath),
    responses((status = 200, body = Message), (status = 404, body = ErrorBody)))]
pub async fn delete_ticket(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
) -> ApiResult<Json<Message>> {
    let (database, actor) = (&app.database, caller.actor());
    actions::tickets::delete::delete_ticket(database, &actor, path.project_id, path.ticket_id).await?;
    Ok(Json(Message { message: "Ticket deleted".to_owned() }))
}

/// Cancels the ticket's work: a pending job at once, a running one by a stop request to its runner.
#[utoipa::path(post, path = "/api/projects/{project_id}/tickets/{ticket_id}/cancel", tag = "tickets",
    security(("bearer" = []), ("session" = [])), params(TicketPath),
    responses((status = 200, body = Message), (status = 404, body = ErrorBody)))]
pub async fn cancel_ticket(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
) -> ApiResult<Json<Message>> {
    let (database, actor) = (&app.database, caller.actor());
    actions::tickets::cancel::cancel_ticket(database, &actor, path.project_id, path.ticket_id).await?;
    Ok(Json(Message { message: "Cancellation requested".to_owned() }))
}

/// The ticket's execution log, the oldest entry first.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}/logs", tag = "tickets",
    security(("bearer" = []), ("session" = [])), params(TicketPath),
    responses((status = 200, body = Vec<LogEntry>), (status = 404, body = ErrorBody)))]
pub async fn list_logs(State(app): State<App>, Path(path): Path<TicketPath>) -> ApiResult<Json<Vec<LogEntry>>> {
    let mut conn = app.database.read().await?;
    require_ticket(&mut conn, path).await?;
    Ok(Json(db::tickets::logs::list(&mut conn, path.ticket_id).await?))
}

/// Refuses a ticket that does not exist.
async fn require_ticket(conn: &mut PgConnection, path: TicketPath) -> ApiResult<()> {
    let ticket = db::tickets::cancel_requested(conn, path.project_id, path.ticket_id).await?;
    ticket.map(drop).ok_or_else(|| Refusal::not_found("ticket", path.ticket_id).into())
}
