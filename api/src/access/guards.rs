//! The guards of the routes: each lets in the callers that may use its endpoints, and records who they are.

use super::Caller;
use super::keys::{bearer, check};
use crate::db;
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::http::error::ApiResult;
use crate::http::extract::{Path, TicketPath};
use crate::job_tokens;
use crate::state::App;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;

const API_KEY: &str = "TERARCHITECT_API_KEY";
const WORKER_KEY: &str = "TERARCHITECT_WORKER_API_KEY";

/// Lets the application in.
///
/// # Errors
/// 401 without the right key, 403 for a caller on another machine while no key is set.
pub async fn require_app(State(app): State<App>, request: Request, next: Next) -> ApiResult<Response> {
    let key = app.config.api_key.clone();
    let caller = check(&request, &[(key.as_ref(), Caller::Application)], API_KEY, &app.config.origins)?;
    Ok(next.run(with_caller(request, caller)).await)
}

/// Lets coordinators and runners in.
///
/// # Errors
/// 401 without the right key, 403 for a caller on another machine while no key is set.
pub async fn require_worker(State(app): State<App>, request: Request, next: Next) -> ApiResult<Response> {
    let key = app.worker_key().await?;
    let caller = check(&request, &[(key.as_ref(), Caller::Worker)], WORKER_KEY, &app.config.origins)?;
    Ok(next.run(with_caller(request, caller)).await)
}

/// Lets coordinators and runners in, and the container of a running job of the ticket in the path, by its job token.
///
/// # Errors
/// 401 without a right key or token, 403 for a caller on another machine while no key is set.
pub async fn require_worker_or_job(State(app): State<App>, request: Request, next: Next) -> ApiResult<Response> {
    let token = bearer(request.headers()).filter(|given| job_tokens::is_job_token(given)).map(str::to_owned);
    let Some(token) = token else {
        return require_worker(State(app), request, next).await;
    };
    let (mut parts, body) = request.into_parts();
    let Path(path) = Path::<TicketPath>::from_request_parts(&mut parts, &app).await?;
    let caller = caller_with_token(&app, &token, path).await?;
    Ok(next.run(with_caller(Request::from_parts(parts, body), caller)).await)
}

async fn caller_with_token(app: &App, token: &str, path: TicketPath) -> ApiResult<Caller> {
    let refused = || {
        let sentence =
            "This job token gives no access to this ticket: it was issued for another ticket, or its attempt is over.";
        Refusal::new(ErrorCode::JobTokenRefused, sentence)
    };
    let token = app.job_tokens.read(token).ok_or_else(refused)?;
    let mut conn = app.database.read().await?;
    let (job, attempt) = (token.job_id, token.attempt);
    if db::jobs::is_running_attempt(&mut conn, job, attempt, path.project_id, path.ticket_id).await? {
        return Ok(Caller::Job(token));
    }
    Err(refused().into())
}

/// Lets the application, coordinators and runners in.
///
/// # Errors
/// 401 without one of the right keys, 403 for a caller on another machine while a key is not set.
pub async fn require_app_or_worker(State(app): State<App>, request: Request, next: Next) -> ApiResult<Response> {
    let (api_key, worker_key) = (app.config.api_key.clone(), app.worker_key().await?);
    let keys = [(worker_key.as_ref(), Caller::Worker), (api_key.as_ref(), Caller::Application)];
    let caller = check(&request, &keys, WORKER_KEY, &app.config.origins)?;
    Ok(next.run(with_caller(request, caller)).await)
}

fn with_caller(mut request: Request, caller: Caller) -> Request {
    request.extensions_mut().insert(caller);
    request
}
