//! Budgets of projects and tickets.

use crate::access::Caller;
use crate::actions;
use crate::actions::projects::budgets::BudgetView;
use crate::db;
use crate::domain::projects::budgets::Budgets;
use crate::domain::refusal::Refusal;
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path, ProjectPath, TicketPath};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use terarchitect_worker_api::ErrorBody;

/// A project's budgets, and what is left of those that count for all of it.
#[utoipa::path(get, path = "/api/projects/{project_id}/budget", tag = "projects", security(("bearer" = []), ("session" = [])),
    params(ProjectPath), responses((status = 200, body = BudgetView), (status = 404, body = ErrorBody)))]
pub async fn get_project_budget(State(app): State<App>, Path(path): Path<ProjectPath>) -> ApiResult<Json<BudgetView>> {
    let mut conn = app.database.read().await?;
    let found = db::projects::find(&mut conn, path.project_id).await?;
    found.ok_or_else(|| Refusal::not_found("project", path.project_id))?;
    Ok(Json(actions::projects::budgets::view(&mut conn, path.project_id, None).await?))
}

/// Sets a project's budgets: for each attempt, for each ticket, for all of it, and for what begins on the same day (UTC). What is
/// absent is not limited. They count at once, also for attempts that run.
#[utoipa::path(put, path = "/api/projects/{project_id}/budget", tag = "projects", security(("bearer" = []), ("session" = [])),
    params(ProjectPath), request_body = Budgets,
    responses((status = 200, body = BudgetView), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn set_project_budget(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<ProjectPath>,
    JsonBody(budgets): JsonBody<Budgets>,
) -> ApiResult<Json<BudgetView>> {
    let (database, actor) = (&app.database, caller.actor());
    Ok(Json(actions::projects::budgets::set_of_project(database, &actor, path.project_id, budgets).await?))
}

/// A ticket's own budgets, and what is left of all that count for it.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}/budget", tag = "tickets",
    security(("bearer" = []), ("session" = [])), params(TicketPath),
    responses((status = 200, body = BudgetView), (status = 404, body = ErrorBody)))]
pub async fn get_ticket_budget(State(app): State<App>, Path(path): Path<TicketPath>) -> ApiResult<Json<BudgetView>> {
    let mut conn = app.database.read().await?;
    let found = db::tickets::find(&mut conn, path.project_id, path.ticket_id).await?;
    found.ok_or_else(|| Refusal::not_found("ticket", path.ticket_id))?;
    Ok(Json(actions::projects::budgets::view(&mut conn, path.project_id, Some(path.ticket_id)).await?))
}

/// Sets a ticket's own budgets, for each of its attempts and for all of them: in place of what its project says for each ticket. What
/// is absent is as its project says.
#[utoipa::path(put, path = "/api/projects/{project_id}/tickets/{ticket_id}/budget", tag = "tickets",
    security(("bearer" = []), ("session" = [])), params(TicketPath), request_body = Budgets,
    responses((status = 200, body = BudgetView), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn set_ticket_budget(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
    JsonBody(budgets): JsonBody<Budgets>,
) -> ApiResult<Json<BudgetView>> {
    let (database, actor) = (&app.database, caller.actor());
    let ticket = (path.project_id, path.ticket_id);
    Ok(Json(actions::projects::budgets::set_of_ticket(database, &actor, ticket, budgets).await?))
}
