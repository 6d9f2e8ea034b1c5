//! What wraps every request: its id, one log line, and the responses to a panic and to unknown paths and methods.

use super::error::{ApiError, REQUEST_ID};
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::state::App;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, StatusCode, Uri};
use std::any::Any;
use std::time::Instant;

const REQUEST_ID_HEADER: &str = "x-request-id";

/// Gives the request an id (the client's own where it is a short plain word), puts it into the response's header and
/// into error bodies, and logs one line with the response.
pub async fn with_request_id(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(REQUEST_ID_HEADER)
        .and_then(|value| value.to_str().ok())
        .filter(|value| is_plain_word(value))
        .map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let started = Instant::now();
    let mut response = REQUEST_ID.scope(id.clone(), next.run(request)).await;
    let took = started.elapsed();
    app.metrics.request(&method, route.as_deref().unwrap_or("(no route)"), response.status(), took);
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    log_request(&id, &method, route.as_deref(), response.status(), duration_ms);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID_HEADER, value);
    }
    response
}

/// Takes a slash at the end of an address for none. Documentation pages have addresses of their own with it.
pub async fn without_trailing_slash(mut request: Request) -> Request {
    let path = request.uri().path();
    let trimmed = path.trim_end_matches('/');
    if trimmed.len() == path.len() || trimmed.is_empty() || trimmed == "/docs" {
        return request;
    }
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = request.uri().clone().into_parts();
    // What is left of a valid address is valid.
    if let Ok(address) = PathAndQuery::try_from(format!("{trimmed}{query}")) {
        parts.path_and_query = Some(address);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

fn log_request(id: &str, method: &Method, route: Option<&str>, status: StatusCode, duration_ms: u64) {
    let route = route.unwrap_or("(no route)");
    let status = status.as_u16();
    tracing::debug!(request.id = id, http.method = %method, http.route = route, http.status = status, duration_ms, "responded");
}

fn is_plain_word(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// The response to a path that does not exist.
pub async fn not_found(uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(200).collect();
    Refusal::new(
        ErrorCode::NoSuchAddress,
        format!("There is no endpoint at {path}; GET /openapi.json lists all of them."),
    )
    .into()
}

/// The response to a method that the endpoint does not support.
pub async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(200).collect();
    Refusal::new(
        ErrorCode::MethodNotAllowed,
        format!("{path} does not support {method}; GET /openapi.json lists every method."),
    )
    .into()
}

/// The response to a panic in a handler: a 500 like any other, its text in the log alone.
pub fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message");
    ApiError::internal(text.to_owned()).into_response()
}
