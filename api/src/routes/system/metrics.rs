//! What the process counts and what is in the queue, for Prometheus.

use crate::actions::agent_tasks::fleet::worker_state;
use crate::db;
use crate::http::error::{ApiError, ApiResult};
use crate::state::App;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

/// The media type of the OpenMetrics text that Prometheus reads.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The media type of the text that the agent worker's guide scrapes.
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Jobs and checkpoints under the names of the agent worker's guide, for Prometheus.
#[utoipa::path(get, path = "/api/metrics", tag = "health", security(("bearer" = []), ("session" = [])),
    responses((status = 200, description = "Prometheus text", content_type = "text/plain", body = String)))]
pub async fn document_metrics(State(app): State<App>) -> ApiResult<Response> {
    let jobs = worker_state(&app.database).await?.jobs;
    let checkpoints = db::checkpoints::list::count(&mut *app.database.read().await?).await?;
    let text = app.metrics.render_document(&jobs, &checkpoints).map_err(ApiError::internal)?;
    Ok(([(CONTENT_TYPE, PLAIN)], text).into_response())
}

/// Counters of this process and the depth of the queue, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health", security(("bearer" = []), ("session" = [])),
    responses((status = 200, description = "OpenMetrics text", content_type = "application/openmetrics-text", body = String)))]
pub async fn metrics(State(app): State<App>) -> ApiResult<Response> {
    let mut conn = app.database.read().await?;
    let depths = db::jobs::depth::list(&mut conn).await?;
    drop(conn);
    let text = app
        .metrics
        .render(&depths, app.database.connections(), app.database.hub().readers())
        .map_err(ApiError::internal)?;
    Ok(([(CONTENT_TYPE, OPENMETRICS)], text).into_response())
}
