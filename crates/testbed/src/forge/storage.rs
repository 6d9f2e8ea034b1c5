//! Where logs of jobs are: another address than the API's, as at GitHub. Its addresses are permissions in themselves, and a
//! token that comes along is one that has reached another host.

use super::server::{Shared, lock};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

pub(super) async fn show(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let has_token = request.headers().contains_key("authorization") || request.headers().contains_key("private-token");
    if has_token {
        return (StatusCode::BAD_REQUEST, "a token has reached another host\n").into_response();
    }
    let id = request.uri().path().trim_start_matches("/logs/").parse::<u64>().unwrap_or_default();
    let state = lock(&shared.state);
    let log = state
        .repos
        .iter()
        .flat_map(|repo| &repo.checks)
        .find(|check| check.id == id)
        .and_then(|check| check.log.clone());
    log.map_or_else(|| (StatusCode::NOT_FOUND, "no such log\n").into_response(), IntoResponse::into_response)
}
