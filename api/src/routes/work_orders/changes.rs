//! What changes a work order: its fields, its lines, its launch, its end.

use super::{Launched, OrderPath};
use crate::access::Caller;
use crate::actions;
use crate::db::work_orders::WorkOrder;
use crate::domain::work_orders::lines::{DONE, Line, status};
use crate::domain::work_orders::{OrderChanges, OrderStatus};
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, OptionalJsonBody, Path};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::{ErrorBody, TicketId};
use utoipa::{IntoParams, ToSchema};

/// Which line of a work order.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct LinePath {
    /// The work order.
    #[param(value_type = Uuid)]
    work_order_id: TicketId,
    /// The line: its id, or its place, counted from 1.
    line: String,
}

/// How a line stands.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct LineBody {
    /// `completed`, `pending`, `in_progress` or `skipped`; `completed` if absent.
    status: Option<String>,
}

/// A line that was set.
#[derive(Debug, Serialize, ToSchema)]
pub struct LineSet {
    /// Always true.
    ok: bool,
    /// The order.
    #[schema(value_type = Uuid)]
    work_order_id: TicketId,
    /// The line.
    line: Line,
    /// The titles of the lines that are not done.
    open: Vec<String>,
}

/// What became of a cancellation.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderCancelled {
    /// Always true.
    ok: bool,
    /// The order.
    #[schema(value_type = Uuid)]
    work_order_id: TicketId,
    /// How it stands; `running` while its worker still has to stop.
    status: OrderStatus,
}

/// Changes a work order. Lines whose `id` is known are changed in the fields that the request has, others are added.
/// `status: cancelled` cancels it; `completed` and `failed` end one that no worker from here works on.
#[utoipa::path(patch, path = "/api/v1/work-orders/{work_order_id}", tag = "work orders",
    security(("bearer" = []), ("session" = [])), params(OrderPath), request_body = OrderChanges,
    responses((status = 200, body = WorkOrder), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn update_work_order(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<OrderPath>,
    JsonBody(changes): JsonBody<OrderChanges>,
) -> ApiResult<Json<WorkOrder>> {
    let (database, actor) = (&app.database, caller.actor());
    Ok(Json(actions::work_orders::update::update_work_order(database, &actor, path.work_order_id, changes).await?))
}

/// Cancels a work order: one that no worker has at once, else by a stop request to its worker.
#[utoipa::path(post, path = "/api/v1/work-orders/{work_order_id}/cancel", tag = "work orders",
    security(("bearer" = []), ("session" = [])), params(OrderPath),
    responses((status = 200, body = OrderCancelled), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn cancel_work_order(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<OrderPath>,
) -> ApiResult<Json<OrderCancelled>> {
    let (database, actor) = (&app.database, caller.actor());
    let order = actions::work_orders::update::cancel_work_order(database, &actor, path.work_order_id).await?;
    Ok(Json(OrderCancelled { ok: true, work_order_id: order.id, status: order.status }))
}

/// Launches a work order that could not be launched, or that has ended. One that waits or runs stays as it is.
#[utoipa::path(post, path = "/api/v1/work-orders/{work_order_id}/launch", tag = "work orders",
    security(("bearer" = []), ("session" = [])), params(OrderPath),
    responses((status = 200, body = Launched), (status = 404, body = ErrorBody)))]
pub async fn launch_work_order(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<OrderPath>,
) -> ApiResult<Json<Launched>> {
    let (database, actor) = (&app.database, caller.actor());
    let order = actions::work_orders::launch::launch_work_order(database, &actor, path.work_order_id).await?;
    Ok(Json(Launched::from(&order)))
}

/// Sets a line of a work order done, or as the body says.
#[utoipa::path(post, path = "/api/v1/work-orders/{work_order_id}/lines/{line}", tag = "work orders",
    security(("bearer" = []), ("session" = [])), params(LinePath), request_body = LineBody,
    responses((status = 200, body = LineSet), (status = 404, body = ErrorBody)))]
pub async fn set_line(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<LinePath>,
    OptionalJsonBody(body): OptionalJsonBody<LineBody>,
) -> ApiResult<Json<LineSet>> {
    let word = body.status.as_deref().map_or(Ok(DONE), status)?;
    let (database, actor, id) = (&app.database, caller.actor(), path.work_order_id);
    let (line, open) = actions::work_orders::lines::set_line(database, &actor, id, &path.line, word).await?;
    let open = open.into_iter().map(|line| line.title).collect();
    Ok(Json(LineSet { ok: true, work_order_id: id, line, open }))
}
