//! Whether the process is alive, and whether it can serve.

use crate::db::errors::{READ_ONLY_SENTENCE, why_unavailable};
use crate::embedded_postgres::PrivateDatabase;
use crate::http::error::{ApiError, ApiResult};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::time::Duration;
use terarchitect_worker_api::ErrorBody;
use utoipa::ToSchema;

/// How long the database may take to respond to a readiness check.
const READY_TIMEOUT: Duration = Duration::from_secs(3);

/// The state of the service.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Health {
    /// `healthy` or `ready`.
    pub status: &'static str,
}

/// Liveness: the process responds.
#[utoipa::path(get, path = "/health", tag = "health", responses((status = 200, body = Health)))]
pub async fn health() -> Json<Health> {
    Json(Health { status: "healthy" })
}

/// Readiness: the database accepts changes too. The error says why it does not.
#[utoipa::path(get, path = "/ready", tag = "health", responses(
    (status = 200, body = Health), (status = 503, body = ErrorBody)
))]
pub async fn ready(State(app): State<App>) -> ApiResult<Json<Health>> {
    let private = app.config.private_database.as_deref();
    let why = || private.and_then(|private| private.why_it_stores_nothing().or(private.why_it_ended()));
    let found = tokio::time::timeout(READY_TIMEOUT, app.database.accepts_changes()).await;
    if let (Some(private), Ok(Ok(_))) = (private, &found) {
        private.responds();
    }
    match found {
        Ok(Ok(true)) => match private.and_then(PrivateDatabase::why_it_stores_nothing) {
            None => Ok(Json(Health { status: "ready" })),
            Some(sentence) => Err(ApiError::unavailable(sentence, "the disk is full")),
        },
        Ok(Ok(false)) => Err(ApiError::unavailable(READ_ONLY_SENTENCE, "the database accepts no changes")),
        Ok(Err(error)) => Err(ApiError::unavailable(why().unwrap_or(why_unavailable(&error)), error)),
        Err(elapsed) => {
            Err(ApiError::unavailable(why().unwrap_or("The database does not respond; try again soon."), elapsed))
        }
    }
}
