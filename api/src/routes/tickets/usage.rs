//! What the calls of models came to, for a ticket and for a project.

use crate::db;
use crate::db::tickets::usage::AttemptUsage;
use crate::domain::refusal::Refusal;
use crate::domain::tickets::expected::ExpectedUsage;
use crate::domain::tickets::usage::UsageTotal;
use crate::http::error::ApiResult;
use crate::http::extract::{Path, ProjectPath, Query, TicketPath};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::{ErrorBody, ModelUsage};
use utoipa::{IntoParams, ToSchema};

/// Of how many days a project's usage is added up, unless the caller says.
const DAYS: i32 = 30;
/// Of how many days at most.
const MAX_DAYS: i32 = 3_660;

/// What the calls of models came to for a ticket.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketUsage {
    total: UsageTotal,
    /// Each attempt's models, the oldest attempt first.
    attempts: Vec<AttemptUsage>,
}

/// What the calls of models came to for a project.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectUsage {
    /// Of how many days this is.
    days: i32,
    total: UsageTotal,
    /// Each model.
    models: Vec<ModelUsage>,
}

/// Of when.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UsageQuery {
    /// Attempts that began in the last so many days; 30 unless set.
    days: Option<i32>,
}

/// What the calls of models came to for a ticket: tokens, and what they cost by the setting `MODEL_PRICES`.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}/usage", tag = "tickets",
    security(("bearer" = []), ("session" = [])), params(TicketPath),
    responses((status = 200, body = TicketUsage), (status = 404, body = ErrorBody)))]
pub async fn get_ticket_usage(State(app): State<App>, Path(path): Path<TicketPath>) -> ApiResult<Json<TicketUsage>> {
    let settings = app.hot_settings().await?;
    let mut conn = app.database.read().await?;
    let found = db::tickets::find(&mut conn, path.project_id, path.ticket_id).await?;
    found.ok_or_else(|| Refusal::not_found("ticket", path.ticket_id))?;
    let mut attempts = db::tickets::usage::of_ticket(&mut conn, path.ticket_id).await?;
    for one in &mut attempts {
        one.cost_usd = settings.prices.cost(&one.usage);
    }
    let total = UsageTotal::of(attempts.iter().map(|one| &one.usage), &settings.prices);
    Ok(Json(TicketUsage { total, attempts }))
}

/// What a ticket may be expected to use: the median and the ninetieth percentile of what earlier completed tickets of its project
/// came to. Those with the agent of its work order count where there are enough of them, else all.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}/usage/expected", tag = "tickets",
    security(("bearer" = []), ("session" = [])), params(TicketPath),
    responses((status = 200, body = ExpectedUsage), (status = 404, body = ErrorBody)))]
pub async fn get_expected_usage(
    State(app): State<App>,
    Path(path): Path<TicketPath>,
) -> ApiResult<Json<ExpectedUsage>> {
    let settings = app.hot_settings().await?;
    let mut conn = app.database.read().await?;
    let found = db::tickets::find(&mut conn, path.project_id, path.ticket_id).await?;
    found.ok_or_else(|| Refusal::not_found("ticket", path.ticket_id))?;
    let agent = db::tickets::expected::agent_of(&mut conn, path.ticket_id).await?;
    let earlier = db::tickets::expected::earlier(&mut conn, path.project_id, path.ticket_id, &settings.prices).await?;
    Ok(Json(ExpectedUsage::of(&earlier, agent)))
}

/// What the calls of models came to for a project's tickets.
#[utoipa::path(get, path = "/api/projects/{project_id}/usage", tag = "projects",
    security(("bearer" = []), ("session" = [])), params(ProjectPath, UsageQuery),
    responses((status = 200, body = ProjectUsage), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn get_project_usage(
    State(app): State<App>,
    Path(path): Path<ProjectPath>,
    Query(query): Query<UsageQuery>,
) -> ApiResult<Json<ProjectUsage>> {
    let days = query.days.unwrap_or(DAYS);
    if !(1..=MAX_DAYS).contains(&days) {
        return Err(Refusal::invalid(format!("'days' is between 1 and {MAX_DAYS}.")).into());
    }
    let settings = app.hot_settings().await?;
    let mut conn = app.database.read().await?;
    let found = db::projects::find(&mut conn, path.project_id).await?;
    found.ok_or_else(|| Refusal::not_found("project", path.project_id))?;
    let models = db::tickets::usage::of_project(&mut conn, path.project_id, days).await?;
    let total = UsageTotal::of(&models, &settings.prices);
    Ok(Json(ProjectUsage { days, total, models }))
}
