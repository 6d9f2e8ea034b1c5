//! Coordinators as operators see them.

use crate::db;
use crate::db::coordinators::Coordinator;
use crate::http::error::{ApiError, ApiResult};
use crate::http::extract::{Json, Path};
use crate::state::App;
use axum::Json as Answer;
use axum::extract::State;
use serde::Deserialize;
use terarchitect_worker_api::{Directive, ErrorBody, Message};
use utoipa::ToSchema;

/// Which coordinator.
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct CoordinatorPath {
    /// Its name for itself.
    worker_id: String,
}

/// What a coordinator should do.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
pub struct NewDirective {
    /// `run`, or `drain`: finish what runs, claim nothing.
    directive: Directive,
}

/// All coordinators that were heard of, the latest first.
#[utoipa::path(get, path = "/api/coordinators", tag = "coordinators", security(("bearer" = [])),
    responses((status = 200, body = Vec<Coordinator>)))]
pub async fn list_coordinators(State(app): State<App>) -> ApiResult<Answer<Vec<Coordinator>>> {
    let mut conn = app.pool.acquire().await?;
    Ok(Answer(db::coordinators::list(&mut conn).await?))
}

/// Says what a coordinator should do; it learns so with its next heartbeat.
#[utoipa::path(put, path = "/api/coordinators/{worker_id}", tag = "coordinators", security(("bearer" = [])),
    params(CoordinatorPath), request_body = NewDirective,
    responses((status = 200, body = Message), (status = 404, body = ErrorBody)))]
pub async fn direct_coordinator(
    State(app): State<App>,
    Path(path): Path<CoordinatorPath>,
    Json(new): Json<NewDirective>,
) -> ApiResult<Answer<Message>> {
    let mut conn = app.pool.acquire().await?;
    if !db::coordinators::direct(&mut conn, &path.worker_id, new.directive).await? {
        return Err(missing(&path));
    }
    app.queue.signals.settings_changed();
    Ok(Answer(Message { message: "The coordinator is told with its next heartbeat".to_owned() }))
}

/// Forgets a coordinator that is gone. One that still runs is there again with its next heartbeat.
#[utoipa::path(delete, path = "/api/coordinators/{worker_id}", tag = "coordinators", security(("bearer" = [])),
    params(CoordinatorPath),
    responses((status = 200, body = Message), (status = 404, body = ErrorBody)))]
pub async fn forget_coordinator(
    State(app): State<App>,
    Path(path): Path<CoordinatorPath>,
) -> ApiResult<Answer<Message>> {
    let mut conn = app.pool.acquire().await?;
    if !db::coordinators::delete(&mut conn, &path.worker_id).await? {
        return Err(missing(&path));
    }
    app.queue.signals.settings_changed();
    Ok(Answer(Message { message: "Coordinator forgotten".to_owned() }))
}

fn missing(path: &CoordinatorPath) -> ApiError {
    ApiError::not_found("coordinator", path.worker_id.chars().take(200).collect::<String>())
}
