//! What forges delivered, and what came of it.

use crate::access::Caller;
use crate::actions;
use crate::db;
use crate::db::forges::deliveries::{Delivery, DeliveryFilter};
use crate::domain::forges::DeliveryState;
use crate::http::error::ApiResult;
use crate::http::extract::{Path, Query};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::{ErrorBody, Message, ProjectId};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 1_000;

/// Which deliveries: all that the caller may see, if nothing is set.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeliveryQuery {
    /// Only in this state.
    #[param(inline)]
    state: Option<DeliveryState>,
    /// Only of this project.
    #[param(value_type = Option<Uuid>)]
    project_id: Option<ProjectId>,
    /// Before this delivery: the `seq` of the last one of the page before.
    before: Option<i64>,
    /// The maximum number of deliveries: 100 if unset, at most 1000.
    limit: Option<i64>,
}

/// A page of deliveries.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryPage {
    /// The latest first.
    deliveries: Vec<Delivery>,
    /// Whether there are older ones.
    older: bool,
}

/// Which delivery.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct DeliveryPath {
    /// The delivery.
    delivery_id: Uuid,
}

/// What forges delivered, the latest first: whether it was worked on, and otherwise why not.
#[utoipa::path(get, path = "/api/deliveries", tag = "forges", security(("bearer" = []), ("session" = [])),
    params(DeliveryQuery), responses((status = 200, body = DeliveryPage)))]
pub async fn list_deliveries(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<DeliveryQuery>,
) -> ApiResult<Json<DeliveryPage>> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let filter = DeliveryFilter {
        state: query.state,
        project: query.project_id,
        before: query.before,
        visible: caller.visible().ids(),
    };
    let mut conn = app.database.read().await?;
    let mut deliveries = db::forges::deliveries::list(&mut conn, &filter, limit + 1).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let older = deliveries.len() > wanted;
    deliveries.truncate(wanted);
    Ok(Json(DeliveryPage { deliveries, older }))
}

/// Works on a delivery once more, such as one that failed. What was done before is not done twice.
#[utoipa::path(post, path = "/api/deliveries/{delivery_id}/replay", tag = "forges",
    security(("bearer" = []), ("session" = [])), params(DeliveryPath),
    responses((status = 202, body = Message), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn replay_delivery(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<DeliveryPath>,
) -> ApiResult<(StatusCode, Json<Message>)> {
    actions::forges::deliveries::replay(&app.database, &caller.actor(), path.delivery_id).await?;
    app.forge_signals.notify_received();
    Ok((StatusCode::ACCEPTED, Json(Message { message: "The delivery will be worked on once more".to_owned() })))
}
