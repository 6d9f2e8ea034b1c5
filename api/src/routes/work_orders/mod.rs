//! Work orders: create and launch in one call, list, look, preview.

pub mod changes;
pub mod ingest;
pub mod knowledge;

use crate::access::Caller;
use crate::actions;
use crate::db;
use crate::db::tickets::logs::{Between, TimelineEntry};
use crate::db::work_orders::WorkOrder;
use crate::db::work_orders::list::OrderFilter;
use crate::domain::refusal::Refusal;
use crate::domain::work_orders::{OrderRequest, OrderStatus, Source};
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path, Query};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use terarchitect_worker_api::{ErrorBody, LogId, ProjectId, TicketId};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;
/// The most log entries that come with one order.
const LOGS: i64 = 200;

/// Which work order.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct OrderPath {
    /// The work order: the same id as its ticket's.
    #[param(value_type = Uuid)]
    pub work_order_id: TicketId,
}

/// The result of a request to create or launch a work order.
#[derive(Debug, Serialize, ToSchema)]
pub struct Launched {
    /// Always true.
    ok: bool,
    /// The order.
    #[schema(value_type = Uuid)]
    work_order_id: TicketId,
    /// How it stands: `pending` until a worker takes it.
    status: OrderStatus,
    /// What Cursor calls the agent that works on it, once it does.
    cursor_agent_id: Option<String>,
    /// Why it was not launched; null if it was.
    launch_error: Option<String>,
}

impl From<&WorkOrder> for Launched {
    fn from(order: &WorkOrder) -> Self {
        Self {
            ok: true,
            work_order_id: order.id,
            status: order.status,
            cursor_agent_id: order.cursor_agent_id.clone(),
            launch_error: order.launch_error.clone(),
        }
    }
}

/// Which work orders to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OrderQuery {
    /// Only orders that stand so.
    status: Option<OrderStatus>,
    /// Only orders from there.
    source: Option<Source>,
    /// Only orders of this repository.
    #[param(value_type = Option<Uuid>)]
    repo_id: Option<ProjectId>,
    /// Only orders of this agent.
    agent_id: Option<Uuid>,
    /// The maximum number of orders: 50 if unset, at most 200.
    limit: Option<i64>,
    /// `next_cursor` of the previous page.
    cursor: Option<i64>,
}

/// An agent, as lists of orders name it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgentName {
    name: String,
}

/// A repository, as lists of orders name it.
#[derive(Debug, Serialize, ToSchema)]
pub struct RepoUrl {
    repo_url: String,
}

/// A work order in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderEntry {
    #[serde(flatten)]
    order: WorkOrder,
    /// Who works on it.
    agents: Option<AgentName>,
    /// Its repository.
    agent_repos: Option<RepoUrl>,
}

/// A page of work orders.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderPage {
    /// The orders, the newest first.
    work_orders: Vec<OrderEntry>,
    /// Send it as `cursor` for the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<i64>,
}

/// An entry of a work order's log.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderLog {
    /// The entry.
    id: LogId,
    /// The order.
    #[schema(value_type = Uuid)]
    work_order_id: TicketId,
    /// What happened, such as `tool_call`; of a runner: the kind of step.
    event_type: String,
    /// What happened, for a person.
    summary: String,
    /// Whether it went well.
    success: bool,
    /// What it is about, for programs.
    #[schema(value_type = Option<Object>)]
    payload: Option<Value>,
    /// Rises with each entry of an order.
    sequence_number: i64,
    /// When it was stored.
    created_at: DateTime<Utc>,
}

/// A work order with all that belongs to it.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderDetail {
    #[serde(flatten)]
    order: WorkOrder,
    /// Its repository's address.
    repo_url: Option<String>,
    /// The branch that work begins on there.
    default_branch: String,
    /// What people call its agent.
    agent_name: Option<String>,
    /// What its agent is told in each prompt.
    system_prompt: Option<String>,
    /// Settings that clients keep with its agent.
    #[schema(value_type = Option<Object>)]
    default_config: Option<Value>,
    /// The newest entries of its log, at most 200, the oldest first; the ticket's timeline has all.
    logs: Vec<OrderLog>,
}

/// A prompt as it would be.
#[derive(Debug, Serialize, ToSchema)]
pub struct Preview {
    /// The prompt.
    prompt: String,
}

/// Creates a work order and launches it in the same call, unless its source is `local`. A launch that can't be does not make
/// the request fail: the order is `pending`, and `launch_error` says why. With the header `Idempotency-Key`, a second request in the
/// same repository creates nothing, and gets 200 with the first order.
#[utoipa::path(post, path = "/api/v1/work-orders", tag = "work orders", security(("bearer" = []), ("session" = [])),
    request_body = OrderRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "A second request with the same key creates nothing.")),
    responses((status = 201, body = Launched), (status = 200, body = Launched), (status = 404, body = ErrorBody)))]
pub async fn create_work_order(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    JsonBody(request): JsonBody<OrderRequest>,
) -> ApiResult<(StatusCode, Json<Launched>)> {
    let new = request.into_new(key_of(&headers)?)?;
    let (actor, rights) = (caller.actor(), caller.rights());
    let created = actions::work_orders::create::create_work_order(&app.database, &actor, &rights, new).await?;
    let status = if created.is_new { StatusCode::CREATED } else { StatusCode::OK };
    let launched = Launched {
        ok: true,
        work_order_id: created.id,
        status: created.status,
        cursor_agent_id: created.cursor_agent_id,
        launch_error: created.launch_error,
    };
    Ok((status, Json(launched)))
}

/// Work orders that the caller may see, the newest first, in pages.
#[utoipa::path(get, path = "/api/v1/work-orders", tag = "work orders", security(("bearer" = []), ("session" = [])),
    params(OrderQuery), responses((status = 200, body = OrderPage)))]
pub async fn list_work_orders(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<OrderQuery>,
) -> ApiResult<Json<OrderPage>> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let filter = OrderFilter {
        status: query.status,
        source: query.source,
        repo: query.repo_id,
        agent: query.agent_id,
        before: query.cursor,
        visible: caller.visible().ids(),
    };
    let mut tx = app.database.transaction().await?;
    db::prefer_indexes(&mut tx).await?;
    let mut orders = db::work_orders::list::list(&mut tx, &filter, limit + 1).await?;
    let more = orders.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if more {
        orders.pop();
    }
    let next_cursor = orders.last().filter(|_| more).map(|order| order.seq);
    Ok(Json(OrderPage { work_orders: orders.into_iter().map(entry).collect(), next_cursor }))
}

/// One work order, with its agent, its repository and the end of its log.
#[utoipa::path(get, path = "/api/v1/work-orders/{work_order_id}", tag = "work orders",
    security(("bearer" = []), ("session" = [])), params(OrderPath),
    responses((status = 200, body = OrderDetail), (status = 404, body = ErrorBody)))]
pub async fn get_work_order(State(app): State<App>, Path(path): Path<OrderPath>) -> ApiResult<Json<OrderDetail>> {
    let id = path.work_order_id;
    let mut conn = app.database.read().await?;
    let order = db::work_orders::list::find(&mut conn, id).await?;
    let order = order.ok_or_else(|| Refusal::not_found("work order", id))?;
    let newest = Between { after: None, before: None };
    let entries = db::tickets::logs::timeline(&mut conn, id, newest, LOGS).await?;
    Ok(Json(detail(order, entries)))
}

/// The prompt that a work order would have, without creating it.
#[utoipa::path(post, path = "/api/v1/work-orders/preview", tag = "work orders", security(("bearer" = []), ("session" = [])),
    request_body = OrderRequest, responses((status = 200, body = Preview), (status = 404, body = ErrorBody)))]
pub async fn preview_work_order(
    State(app): State<App>,
    caller: Caller,
    JsonBody(request): JsonBody<OrderRequest>,
) -> ApiResult<Json<Preview>> {
    let new = request.into_new(None)?;
    let service = app.embeddings().await?;
    let prompt = actions::work_orders::prompt::preview(&app.database, &caller.rights(), service.as_ref(), &new).await?;
    Ok(Json(Preview { prompt }))
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(given) = headers.get("idempotency-key") else { return Ok(None) };
    let plain = || Refusal::invalid("'Idempotency-Key' must be plain ASCII text.");
    given.to_str().map(|key| Some(key.trim().to_owned())).map_err(|_| plain())
}

fn entry(mut order: WorkOrder) -> OrderEntry {
    let agents = order.agent_name.take().map(|name| AgentName { name });
    let agent_repos = order.repo_url.take().map(|repo_url| RepoUrl { repo_url });
    OrderEntry { order, agents, agent_repos }
}

fn detail(mut order: WorkOrder, entries: Vec<TimelineEntry>) -> OrderDetail {
    let id = order.id;
    let as_log = |entry: TimelineEntry| OrderLog {
        id: entry.id,
        work_order_id: id,
        event_type: entry.step,
        summary: entry.summary,
        success: entry.success,
        payload: entry.data.map(payload_of),
        sequence_number: entry.seq,
        created_at: entry.created_at,
    };
    OrderDetail {
        repo_url: order.repo_url.take(),
        default_branch: std::mem::take(&mut order.default_branch),
        agent_name: order.agent_name.take(),
        system_prompt: order.system_prompt.take(),
        default_config: order.default_config.take(),
        logs: entries.into_iter().map(as_log).collect(),
        order,
    }
}

/// What an event of a hook carried; of what a runner reports, all that it says for programs.
fn payload_of(mut data: Value) -> Value {
    match data.get_mut("payload") {
        Some(payload) => payload.take(),
        None => data,
    }
}
