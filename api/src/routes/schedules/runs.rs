//! Runs of schedules: started by hand, by another clock, and listed.

use super::SchedulePath;
use crate::access::Caller;
use crate::actions;
use crate::actions::schedules::fire::Called;
use crate::db::schedules::runs::Run;
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path, Query};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::{ErrorBody, TicketId};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;

/// Which runs to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RunsQuery {
    /// Only runs that began before this time: `started_at` of the last one of the previous page.
    before: Option<DateTime<Utc>>,
    /// The maximum number of runs: 50 if unset, at most 200.
    limit: Option<i64>,
}

/// Runs of a schedule.
#[derive(Debug, Serialize, ToSchema)]
pub struct Runs {
    /// They, the newest first.
    runs: Vec<Run>,
}

/// A run that was started by hand.
#[derive(Debug, Serialize, ToSchema)]
pub struct Started {
    /// Always true.
    ok: bool,
    /// Its work order.
    #[schema(value_type = Uuid)]
    work_order_id: TicketId,
    /// What Cursor calls the agent that works on it: null, since none does yet.
    cursor_agent_id: Option<String>,
    /// Why the order was not launched; null if it was.
    launch_error: Option<String>,
}

/// Which schedule a clock says is due.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CronBody {
    /// The schedule.
    job_id: Uuid,
}

/// What became of that.
#[derive(Debug, Serialize, ToSchema)]
pub struct CronResult {
    /// Always true.
    ok: bool,
    /// The work order of this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    work_order_id: Option<Uuid>,
    /// There is nothing to run: the schedule does not exist, is not enabled, is not due, or skips this time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    skipped: bool,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// Runs a schedule now, whenever it is due.
#[utoipa::path(post, path = "/api/v1/jobs/{schedule_id}/run", tag = "schedules",
    security(("bearer" = []), ("session" = [])), params(SchedulePath),
    responses((status = 201, body = Started), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn run_schedule(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<SchedulePath>,
) -> ApiResult<(StatusCode, Json<Started>)> {
    let (actor, rights) = (caller.actor(), caller.rights());
    let created = actions::schedules::fire::run_now(&app.database, &actor, &rights, path.schedule_id).await?;
    let started =
        Started { ok: true, work_order_id: created.id, cursor_agent_id: None, launch_error: created.launch_error };
    Ok((StatusCode::CREATED, Json(started)))
}

/// For another clock, such as `pg_cron`: fires a schedule if it is due. The API's own clock does so too; each time is fired once,
/// whichever comes first, and the other one gets the same work order.
#[utoipa::path(post, path = "/api/v1/jobs/cron", tag = "schedules", security(("bearer" = []), ("session" = [])),
    request_body = CronBody, responses((status = 200, body = CronResult)))]
pub async fn cron(
    State(app): State<App>,
    caller: Caller,
    JsonBody(body): JsonBody<CronBody>,
) -> ApiResult<Json<CronResult>> {
    let (actor, rights) = (caller.actor(), caller.rights());
    let called = actions::schedules::fire::fire_if_due(&app.database, &actor, &rights, body.job_id, None).await?;
    Ok(Json(match called {
        Called::Order(id) => CronResult { ok: true, work_order_id: Some(id), skipped: false, reason: None },
        Called::Skipped(why) => CronResult { ok: true, work_order_id: None, skipped: true, reason: Some(why) },
    }))
}

/// The runs of a schedule, the newest first.
#[utoipa::path(get, path = "/api/v1/jobs/{schedule_id}/runs", tag = "schedules",
    security(("bearer" = []), ("session" = [])), params(SchedulePath, RunsQuery),
    responses((status = 200, body = Runs), (status = 404, body = ErrorBody)))]
pub async fn list_runs(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<SchedulePath>,
    Query(query): Query<RunsQuery>,
) -> ApiResult<Json<Runs>> {
    let (rights, limit) = (caller.rights(), query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT));
    let runs =
        actions::schedules::manage::list_runs(&app.database, &rights, path.schedule_id, query.before, limit).await?;
    Ok(Json(Runs { runs }))
}
