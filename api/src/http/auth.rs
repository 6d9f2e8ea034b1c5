//! Keys: who may call what.
//!
//! The worker key guards the worker endpoints, the application's key guards the rest, either opens the memory. Where a
//! key is not set, its endpoints are open, as the contract says, but then to callers on this machine alone.

use super::error::{ApiError, ApiResult};
use super::extract::Path;
use crate::db;
use crate::job_tokens::{self, JobToken};
use crate::routes::TicketPath;
use crate::state::App;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};
use subtle::ConstantTimeEq;

/// Lets the application in.
///
/// # Errors
/// 401 without the right key, 403 for a caller from elsewhere while no key is set.
pub async fn require_app(State(app): State<App>, request: Request, next: Next) -> ApiResult<Response> {
    let key = app.config.api_key.clone();
    check(&request, &[key.as_ref()], "TERARCHITECT_API_KEY")?;
    Ok(next.run(request).await)
}

/// Lets coordinators and runners in.
///
/// # Errors
/// 401 without the right key, 403 for a caller from elsewhere while no key is set.
pub async fn require_worker(State(app): State<App>, request: Request, next: Next) -> ApiResult<Response> {
    let key = app.worker_key().await?;
    check(&request, &[key.as_ref()], "TERARCHITECT_WORKER_API_KEY")?;
    Ok(next.run(request).await)
}

/// Lets coordinators and runners in, and the container of a running job of the ticket in the path, by its job token.
///
/// # Errors
/// 401 without a right key or token, 403 for a caller from elsewhere while no key is set.
pub async fn require_worker_or_job(State(app): State<App>, request: Request, next: Next) -> ApiResult<Response> {
    let (mut parts, body) = request.into_parts();
    let token = bearer(&parts.headers).filter(|given| job_tokens::is_job_token(given)).map(str::to_owned);
    if let Some(token) = token {
        let Path(path) = Path::<TicketPath>::from_request_parts(&mut parts, &app).await?;
        let token = app.job_tokens.read(&token);
        let good = match token {
            Some(token) => {
                let mut conn = app.pool.acquire().await?;
                db::jobs::is_running_attempt(&mut conn, token, path.project_id, path.ticket_id).await?
            }
            None => false,
        };
        if !good {
            return Err(ApiError::new(
                StatusCode::UNAUTHORIZED,
                "job_token_refused",
                "This job token does not open this ticket: it is another ticket's, or its attempt is over.",
            ));
        }
        parts.extensions.insert(token);
        return Ok(next.run(Request::from_parts(parts, body)).await);
    }
    parts.extensions.insert(None::<JobToken>);
    let request = Request::from_parts(parts, body);
    let key = app.worker_key().await?;
    check(&request, &[key.as_ref()], "TERARCHITECT_WORKER_API_KEY")?;
    Ok(next.run(request).await)
}

/// Lets the application, coordinators and runners in.
///
/// # Errors
/// 401 without one of the right keys, 403 for a caller from elsewhere while a key is not set.
pub async fn require_app_or_worker(State(app): State<App>, request: Request, next: Next) -> ApiResult<Response> {
    let (api_key, worker_key) = (app.config.api_key.clone(), app.worker_key().await?);
    check(&request, &[worker_key.as_ref(), api_key.as_ref()], "TERARCHITECT_WORKER_API_KEY")?;
    Ok(next.run(request).await)
}

/// Passes a request that carries one of the keys. Where one of them is not set, the endpoints are open to this machine.
fn check(request: &Request, keys: &[Option<&SecretString>], name: &str) -> ApiResult<()> {
    let given = bearer(request.headers());
    if let Some(given) = given
        && keys.iter().flatten().any(|key| same(given, key.expose_secret()))
    {
        return Ok(());
    }
    // A job token opens its own ticket and nothing else, also where everything else is open.
    if keys.iter().all(Option::is_some) || given.is_some_and(job_tokens::is_job_token) {
        return Err(unauthorized(given.is_some(), name));
    }
    // With one of two keys set, a wrong key is a mistake that should be seen, not let in as a caller without a key.
    if given.is_some() && keys.iter().any(Option::is_some) {
        return Err(unauthorized(true, name));
    }
    require_this_machine(request, name)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Compares digests in constant time, so that neither the length nor a common prefix shows.
fn same(given: &str, key: &str) -> bool {
    Sha256::digest(given.as_bytes()).as_slice().ct_eq(Sha256::digest(key.as_bytes()).as_slice()).into()
}

fn unauthorized(given: bool, name: &str) -> ApiError {
    let message = if given {
        format!("The key is not the right one; send the value of {name} as 'Authorization: Bearer <key>'.")
    } else {
        format!("A key is needed; send the value of {name} as 'Authorization: Bearer <key>'.")
    };
    ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
}

fn require_this_machine(request: &Request, name: &str) -> ApiResult<()> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    let headers = request.headers();
    let forwarded = headers.contains_key("forwarded") || headers.contains_key("x-forwarded-for");
    // A page of another site, open in a browser on this machine, must not reach an API that has no key: neither by a
    // cross-site request nor by a name of its own that it lets point here.
    let cross_site = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    if peer.is_some_and(|ip| ip.is_loopback()) && !forwarded && !cross_site && names_this_machine(headers) {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "this_machine_only",
        format!(
            "{name} is not set, so this answers to callers on the API's own machine alone; set it to call from elsewhere."
        ),
    ))
}

fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(|value| value.to_str().ok()) else { return true };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}
