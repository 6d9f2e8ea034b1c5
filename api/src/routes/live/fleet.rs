//! The fleet: hosts, what they hold, what waits; and the stop of everything.

use crate::access::Caller;
use crate::actions::live::fleet::{self, Fleet};
use crate::http::error::ApiResult;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// What a stop of everything did.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Stopped {
    /// Nothing is claimed any more.
    stopped: bool,
    /// How many running jobs were asked to stop.
    cancelled: usize,
}

/// Whether everything is stopped.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Resumed {
    /// It is not.
    stopped: bool,
}

/// All coordinators with the jobs that they hold, and the queue of each project.
#[utoipa::path(get, path = "/api/fleet", tag = "coordinators", security(("bearer" = []), ("session" = [])),
    responses((status = 200, body = Fleet)))]
pub async fn read_fleet(State(app): State<App>, caller: Caller) -> ApiResult<Json<Fleet>> {
    let visible = caller.visible().ids();
    Ok(Json(fleet::fleet(&app.database, app.config.limits.lease, visible.as_deref()).await?))
}

/// Stops everything: no job is claimed any more, every running job is asked to stop, pending jobs stay pending.
#[utoipa::path(post, path = "/api/fleet/stop", tag = "coordinators", security(("bearer" = []), ("session" = [])),
    responses((status = 200, body = Stopped)))]
pub async fn stop_fleet(State(app): State<App>, caller: Caller) -> ApiResult<Json<Stopped>> {
    let cancelled = fleet::stop_everything(&app.database, &caller.actor()).await?;
    Ok(Json(Stopped { stopped: true, cancelled }))
}

/// Allows claims again; waiting coordinators get jobs at once. Jobs that were stopped stay cancelled.
#[utoipa::path(post, path = "/api/fleet/resume", tag = "coordinators", security(("bearer" = []), ("session" = [])),
    responses((status = 200, body = Resumed)))]
pub async fn resume_fleet(State(app): State<App>, caller: Caller) -> ApiResult<Json<Resumed>> {
    fleet::resume(&app.database, &caller.actor()).await?;
    Ok(Json(Resumed { stopped: false }))
}
