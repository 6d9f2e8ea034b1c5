//! Coordinators as operators see them.

use crate::access::{Caller, Visible};
use crate::actions;
use crate::db;
use crate::db::worker::coordinators::Coordinator;
use crate::domain::present;
use crate::domain::refusal::Refusal;
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use terarchitect_worker_api::{Directive, ErrorBody, Message, WorkerId};
use utoipa::ToSchema;

/// Which coordinator.
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct CoordinatorPath {
    /// Its name for itself.
    worker_id: String,
}

impl CoordinatorPath {
    /// No coordinator has a name that is not valid.
    fn worker_id(&self) -> Result<WorkerId, Refusal> {
        let shown: String = self.worker_id.chars().take(200).collect();
        self.worker_id.parse().map_err(|_| Refusal::not_found("coordinator", shown))
    }
}

/// What a coordinator should do; absent fields stay as they are.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
pub struct NewDirective {
    /// `run`, or `drain`: finish what runs, claim nothing.
    directive: Option<Directive>,
    /// How many jobs it may run at once, even if it has more slots; null means all of its slots.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i32>)]
    limit: Option<Option<i32>>,
}

/// All coordinators that have sent heartbeats, the latest first. They are shared by all projects, so that who sees single
/// projects alone sees none of them.
#[utoipa::path(get, path = "/api/coordinators", tag = "coordinators", security(("bearer" = []), ("session" = [])),
    responses((status = 200, body = Vec<Coordinator>)))]
pub async fn list_coordinators(State(app): State<App>, caller: Caller) -> ApiResult<Json<Vec<Coordinator>>> {
    if caller.visible() != Visible::All {
        return Ok(Json(Vec::new()));
    }
    let mut conn = app.database.read().await?;
    Ok(Json(db::worker::coordinators::list(&mut conn).await?))
}

/// Sets what a coordinator should do, and how many of its slots it may use. The response to its next heartbeat carries it.
#[utoipa::path(put, path = "/api/coordinators/{worker_id}", tag = "coordinators", security(("bearer" = []), ("session" = [])),
    params(CoordinatorPath), request_body = NewDirective,
    responses((status = 200, body = Message), (status = 404, body = ErrorBody)))]
pub async fn direct_coordinator(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<CoordinatorPath>,
    JsonBody(new): JsonBody<NewDirective>,
) -> ApiResult<Json<Message>> {
    let (database, actor, id) = (&app.database, caller.actor(), path.worker_id()?);
    actions::worker::coordinators::direct(database, &actor, &id, new.directive, new.limit).await?;
    app.queue.signals.settings_changed();
    Ok(Json(Message { message: "The coordinator gets this with its next heartbeat".to_owned() }))
}

/// Removes a coordinator that no longer runs from the list. One that still runs is listed again after its next
/// heartbeat.
#[utoipa::path(delete, path = "/api/coordinators/{worker_id}", tag = "coordinators", security(("bearer" = []), ("session" = [])),
    params(CoordinatorPath),
    responses((status = 200, body = Message), (status = 404, body = ErrorBody)))]
pub async fn forget_coordinator(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<CoordinatorPath>,
) -> ApiResult<Json<Message>> {
    actions::worker::coordinators::forget(&app.database, &caller.actor(), &path.worker_id()?).await?;
    app.queue.signals.settings_changed();
    Ok(Json(Message { message: "Coordinator removed".to_owned() }))
}
