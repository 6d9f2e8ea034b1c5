//! The board with the true state of every ticket, one card, one ticket's page, and the summary of everything.

use crate::access::Caller;
use crate::actions::live::board::{LiveBoard, Summary, board};
use crate::actions::live::cards::{Card, ticket_card};
use crate::actions::live::page::{TicketPage, ticket_page};
use crate::http::error::ApiResult;
use crate::http::extract::{Path, ProjectPath, TicketPath};
use crate::http::json_text::JsonText;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use terarchitect_worker_api::ErrorBody;

/// The project's board: columns, and a card for each ticket with what happens with it. Follow `/api/events?after=` from
/// `position`, and read the card of each ticket that an event is about.
#[utoipa::path(get, path = "/api/projects/{project_id}/board", tag = "live", security(("bearer" = []), ("session" = [])),
    params(ProjectPath), responses((status = 200, body = LiveBoard), (status = 404, body = ErrorBody)))]
pub async fn live_board(State(app): State<App>, Path(path): Path<ProjectPath>) -> ApiResult<Json<LiveBoard>> {
    Ok(Json(board(&app.database, app.config.limits.lease, path.project_id).await?))
}

/// How much goes on in all projects that the caller may see.
#[utoipa::path(get, path = "/api/summary", tag = "live", security(("bearer" = []), ("session" = [])),
    responses((status = 200, body = Summary)))]
pub async fn live_summary(State(app): State<App>, caller: Caller) -> ApiResult<JsonText> {
    Ok(JsonText(app.lists.summary(&app.database, caller.visible().ids()).await?))
}

/// One ticket as the board shows it.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}/card", tag = "live",
    security(("bearer" = []), ("session" = [])), params(TicketPath),
    responses((status = 200, body = Card), (status = 404, body = ErrorBody)))]
pub async fn live_card(State(app): State<App>, Path(path): Path<TicketPath>) -> ApiResult<Json<Card>> {
    Ok(Json(ticket_card(&app.database, app.config.limits.lease, path.project_id, path.ticket_id).await?))
}

/// What a ticket's page shows at first: the ticket, its card, attempts, plan, to-do list, messages and diffs.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}/page", tag = "live",
    security(("bearer" = []), ("session" = [])), params(TicketPath),
    responses((status = 200, body = TicketPage), (status = 404, body = ErrorBody)))]
pub async fn live_page(State(app): State<App>, Path(path): Path<TicketPath>) -> ApiResult<Json<TicketPage>> {
    Ok(Json(ticket_page(&app.database, app.config.limits.lease, path.project_id, path.ticket_id).await?))
}
