//! Who sent a request: by a key, a job token, an API token, the cookie of a session, or from this machine.

use super::keys::{Asked, bearer, check};
use super::{Caller, Need, cookies, same_origin, this_machine};
use crate::db;
use crate::domain::people::token::TokenScope;
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::http::error::{ApiError, ApiResult};
use crate::http::extract::{Path, TicketPath};
use crate::job_tokens;
use crate::random_token::{API_TOKEN_PREFIX, hash};
use crate::state::App;
use axum::extract::FromRequestParts;
use http::request::Parts;
use std::sync::Arc;
use terarchitect_outbound::chain;

/// The caller of a request, whatever it may do, for an endpoint that needs this.
///
/// # Errors
/// 401 for a caller who is unknown, 403 for a page of another origin, or a caller on another machine while no key is set.
pub(super) async fn who(app: &App, need: Need, parts: &mut Parts) -> ApiResult<Caller> {
    let given = bearer(&parts.headers).map(str::to_owned);
    if let Some(token) = given.as_deref().filter(|given| given.starts_with(API_TOKEN_PREFIX)) {
        return by_token(app, token).await;
    }
    if let Some(token) = given.as_deref().filter(|given| need == Need::Runner && job_tokens::is_job_token(given)) {
        return by_job_token(app, token, parts).await;
    }
    if given.is_none()
        && let Some(caller) = by_cookie(app, parts).await?
    {
        return Ok(caller);
    }
    by_key(app, need, parts).await
}

/// The person whose session's cookie comes with the request.
pub(super) async fn by_cookie(app: &App, parts: &Parts) -> ApiResult<Option<Caller>> {
    let Some(secret) = cookies::session(&parts.headers) else { return Ok(None) };
    let mut conn = app.database.read().await?;
    let Some(found) = db::people::sessions::find_by_hash(&mut conn, &hash(secret)).await? else { return Ok(None) };
    same_origin::require(parts, app.config.public_url.as_ref(), &app.config.origins)?;
    if found.is_stale
        && let Err(error) = db::people::sessions::seen(&mut conn, found.id).await
    {
        // A database that only reads still knows who calls.
        tracing::debug!(error = chain(&error), "could not note that a session is used");
    }
    Ok(Some(Caller::Person(Arc::new(found))))
}

async fn by_token(app: &App, token: &str) -> ApiResult<Caller> {
    let mut conn = app.database.read().await?;
    let found = db::people::tokens::find_by_hash(&mut conn, &hash(token)).await?;
    let found = found.ok_or_else(|| {
        let sentence = "This token is unknown, has expired or was revoked; make a new one with POST /api/tokens.";
        Refusal::new(ErrorCode::Unauthorized, sentence)
    })?;
    if found.is_stale
        && let Err(error) = db::people::tokens::used(&mut conn, found.id).await
    {
        tracing::debug!(error = chain(&error), "could not note that a token is used");
    }
    Ok(Caller::Token(Arc::new(found)))
}

async fn by_job_token(app: &App, token: &str, parts: &mut Parts) -> ApiResult<Caller> {
    let refused = || {
        let sentence =
            "This job token gives no access to this ticket: it was issued for another ticket, or its attempt is over.";
        Refusal::new(ErrorCode::JobTokenRefused, sentence)
    };
    let Path(path) = Path::<TicketPath>::from_request_parts(parts, app).await?;
    let token = app.job_tokens.read(token).ok_or_else(refused)?;
    let mut conn = app.database.read().await?;
    let (job, attempt) = (token.job_id, token.attempt);
    if db::jobs::is_running_attempt(&mut conn, job, attempt, path.project_id, path.ticket_id).await? {
        return Ok(Caller::Job(token));
    }
    Err(refused().into())
}

async fn by_key(app: &App, need: Need, parts: &Parts) -> ApiResult<Caller> {
    let api_key = app.config.api_key.clone();
    let worker_key = if need.admits_worker() { app.worker_key().await? } else { None };
    let mut keys = Vec::new();
    if need.admits_worker() {
        keys.push((worker_key.as_ref(), Caller::Worker));
    }
    if need.admits_application() {
        keys.push((api_key.as_ref(), Caller::Application));
    }
    let name = if need.admits_worker() { "TERARCHITECT_WORKER_API_KEY" } else { "TERARCHITECT_API_KEY" };
    let asked = Asked { keys: &keys, name, without_keys: without_keys(app, need, worker_key.is_some()).await? };
    Ok(check(parts, &asked, &app.config.origins)?)
}

/// What the API's own machine may do without a key. Once someone can sign in, it has to do so too; coordinators there go
/// on without a key until one is set. Where the API is at a public address, anyone may come by its proxy.
async fn without_keys(app: &App, need: Need, has_worker_key: bool) -> Result<WithoutKeys, ApiError> {
    if app.config.is_public() {
        return Ok(WithoutKeys::NoOne);
    }
    let is_for_coordinators = need.admits_worker() && !has_worker_key;
    if is_for_coordinators || !app.any_people().await? { Ok(WithoutKeys::ThisMachine) } else { Ok(WithoutKeys::NoOne) }
}

/// Who gets in where no key is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WithoutKeys {
    /// Programs of this machine.
    ThisMachine,
    /// No one.
    NoOne,
}

/// Lets everyone in who is no page of another origin; and while no one can be known, this machine alone.
///
/// # Errors
/// 403 for others.
pub(super) async fn require_open(app: &App, parts: &Parts) -> ApiResult<()> {
    same_origin::require(parts, app.config.public_url.as_ref(), &app.config.origins)?;
    if app.config.api_key.is_none() && !app.config.is_public() && !app.any_people().await? {
        this_machine::require(parts, "TERARCHITECT_API_KEY", &app.config.origins)?;
    }
    Ok(())
}

/// Refuses a token whose scope is for other endpoints.
///
/// # Errors
/// Names the scope that is needed.
pub(super) fn require_scope(scope: TokenScope, need: Need) -> Result<(), Refusal> {
    let wanted = match (scope, need) {
        (TokenScope::App, need) if need.admits_application() => return Ok(()),
        (TokenScope::Worker, need) if need.admits_worker() => return Ok(()),
        (TokenScope::Ingest, need) if need.admits_ingest() => return Ok(()),
        (_, Need::Worker | Need::Runner) => "worker",
        _ => "app",
    };
    let sentence = format!(
        "This token has the scope {}, which gives no access to this endpoint; use one with the scope {wanted}.",
        scope.as_str()
    );
    Err(Refusal::new(ErrorCode::NotAllowed, sentence))
}
