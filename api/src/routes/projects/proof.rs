//! What tickets have to show before they count as done.

use crate::access::Caller;
use crate::actions;
use crate::db;
use crate::domain::projects::proof::ProofBody;
use crate::domain::refusal::Refusal;
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path, ProjectPath, TicketPath};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use terarchitect_worker_api::{ErrorBody, ProofTerms};

/// What all tickets of a project have to show.
#[utoipa::path(get, path = "/api/projects/{project_id}/proof", tag = "projects", security(("bearer" = []), ("session" = [])),
    params(ProjectPath), responses((status = 200, body = ProofTerms), (status = 404, body = ErrorBody)))]
pub async fn get_project_proof(State(app): State<App>, Path(path): Path<ProjectPath>) -> ApiResult<Json<ProofTerms>> {
    let mut conn = app.database.read().await?;
    let found = db::projects::find(&mut conn, path.project_id).await?;
    found.ok_or_else(|| Refusal::not_found("project", path.project_id))?;
    Ok(Json(db::projects::proof::of_project(&mut conn, path.project_id).await?))
}

/// Sets what all tickets of a project have to show: commands that prepare a checkout, commands that must succeed in a clean
/// checkout of the work, and what must hold. What is absent is empty. It counts for attempts that start from now on.
#[utoipa::path(put, path = "/api/projects/{project_id}/proof", tag = "projects", security(("bearer" = []), ("session" = [])),
    params(ProjectPath), request_body = ProofBody,
    responses((status = 200, body = ProofTerms), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn set_project_proof(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<ProjectPath>,
    JsonBody(terms): JsonBody<ProofBody>,
) -> ApiResult<Json<ProofTerms>> {
    let (database, actor) = (&app.database, caller.actor());
    Ok(Json(actions::projects::proof::set_of_project(database, &actor, path.project_id, terms).await?))
}

/// What a ticket has to show beside what its project says.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}/proof", tag = "tickets",
    security(("bearer" = []), ("session" = [])), params(TicketPath),
    responses((status = 200, body = ProofTerms), (status = 404, body = ErrorBody)))]
pub async fn get_ticket_proof(State(app): State<App>, Path(path): Path<TicketPath>) -> ApiResult<Json<ProofTerms>> {
    let mut conn = app.database.read().await?;
    let found = db::tickets::find(&mut conn, path.project_id, path.ticket_id).await?;
    found.ok_or_else(|| Refusal::not_found("ticket", path.ticket_id))?;
    Ok(Json(db::projects::proof::of_ticket(&mut conn, path.ticket_id).await?))
}

/// Sets what a ticket has to show beside what its project says. What is absent is empty.
#[utoipa::path(put, path = "/api/projects/{project_id}/tickets/{ticket_id}/proof", tag = "tickets",
    security(("bearer" = []), ("session" = [])), params(TicketPath), request_body = ProofBody,
    responses((status = 200, body = ProofTerms), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn set_ticket_proof(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
    JsonBody(terms): JsonBody<ProofBody>,
) -> ApiResult<Json<ProofTerms>> {
    let (database, actor) = (&app.database, caller.actor());
    let ticket = (path.project_id, path.ticket_id);
    Ok(Json(actions::projects::proof::set_of_ticket(database, &actor, ticket, terms).await?))
}

/// Commands that a runner found in a project's repository while nothing verified its work. They run only once they are set.
#[utoipa::path(get, path = "/api/projects/{project_id}/proof/proposed", tag = "projects",
    security(("bearer" = []), ("session" = [])), params(ProjectPath),
    responses((status = 200, body = ProofTerms), (status = 404, body = ErrorBody)))]
pub async fn get_proposed_proof(State(app): State<App>, Path(path): Path<ProjectPath>) -> ApiResult<Json<ProofTerms>> {
    let mut conn = app.database.read().await?;
    let found = db::projects::find(&mut conn, path.project_id).await?;
    found.ok_or_else(|| Refusal::not_found("project", path.project_id))?;
    Ok(Json(db::projects::proof::proposed(&mut conn, path.project_id).await?))
}

/// Stores the commands that a runner found in its repository. They take the place of what was proposed before.
#[utoipa::path(put, path = "/api/projects/{project_id}/tickets/{ticket_id}/proof/proposed", tag = "worker",
    security(("bearer" = []), ("session" = [])), params(TicketPath), request_body = ProofBody,
    responses((status = 200, body = ProofTerms), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn propose_proof(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
    JsonBody(terms): JsonBody<ProofBody>,
) -> ApiResult<Json<ProofTerms>> {
    let (actor, ticket) = (caller.actor(), (path.project_id, path.ticket_id));
    Ok(Json(actions::projects::proof::propose(&app.database, &actor, ticket, terms).await?))
}
