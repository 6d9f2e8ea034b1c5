//! Schedules, under the name that their document has for them: jobs.

pub mod runs;

use crate::access::Caller;
use crate::actions;
use crate::db::schedules::ScheduleRow;
use crate::domain::schedules::{Missed, NEXT_TIMES, Overlap, Schedule, ScheduleChanges};
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use terarchitect_worker_api::ErrorBody;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Which schedule.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct SchedulePath {
    /// The schedule.
    schedule_id: Uuid,
}

/// A schedule.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Schedule)]
pub struct ScheduleView {
    /// Its id.
    id: Uuid,
    /// What people call it.
    name: String,
    /// What it is for.
    description: Option<String>,
    /// When it is due.
    cron_expression: String,
    /// Where that time is.
    timezone: String,
    /// The agent of its orders.
    agent_id: Option<Uuid>,
    /// The repository of its orders.
    repo_id: Option<Uuid>,
    /// What its orders say.
    #[schema(value_type = Object)]
    work_order_template: Value,
    /// Whether it is fired by itself.
    enabled: bool,
    /// What happens to times that passed while nothing could run.
    missed: Missed,
    /// What happens while an earlier run is still going.
    overlap: Overlap,
    /// When it was run last.
    last_run_at: Option<DateTime<Utc>>,
    /// When it is due next; null while it is not enabled.
    next_run_at: Option<DateTime<Utc>>,
    /// The next five times.
    next_runs: Vec<DateTime<Utc>>,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
}

impl From<ScheduleRow> for ScheduleView {
    fn from(row: ScheduleRow) -> Self {
        let schedule = Schedule::parse(&row.cron_expression, &row.timezone).ok().filter(|_| row.enabled);
        Self {
            id: row.id,
            name: row.name,
            description: row.description,
            cron_expression: row.cron_expression,
            timezone: row.timezone,
            agent_id: row.agent_id,
            repo_id: row.project_id,
            work_order_template: row.template,
            enabled: row.enabled,
            missed: row.missed,
            overlap: row.overlap,
            last_run_at: row.last_run_at,
            next_run_at: row.next_run_at.filter(|_| row.enabled),
            next_runs: schedule.map(|schedule| schedule.next_times(row.now, NEXT_TIMES)).unwrap_or_default(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A list of schedules.
#[derive(Debug, Serialize, ToSchema)]
pub struct Schedules {
    /// They, the oldest first.
    jobs: Vec<ScheduleView>,
}

/// One schedule.
#[derive(Debug, Serialize, ToSchema)]
pub struct OneSchedule {
    /// It.
    job: ScheduleView,
}

/// That something was done.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = ScheduleDeleted)]
pub struct Done {
    /// Always true.
    ok: bool,
}

/// When an expression would be due.
#[derive(Debug, Deserialize, ToSchema)]
pub struct TimesBody {
    /// Minute, hour, day of the month, month, day of the week.
    cron_expression: String,
    /// Where that time is; `UTC` if absent.
    timezone: Option<String>,
}

/// When an expression is due.
#[derive(Debug, Serialize, ToSchema)]
pub struct Times {
    /// The next five times.
    next_runs: Vec<DateTime<Utc>>,
}

/// The schedules that the caller may see.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "schedules", security(("bearer" = []), ("session" = [])),
    responses((status = 200, body = Schedules)))]
pub async fn list_schedules(State(app): State<App>, caller: Caller) -> ApiResult<Json<Schedules>> {
    let all = actions::schedules::manage::list_schedules(&app.database, &caller.rights()).await?;
    Ok(Json(Schedules { jobs: all.into_iter().map(Into::into).collect() }))
}

/// Creates a schedule: a work order each time that its expression is due.
#[utoipa::path(post, path = "/api/v1/jobs", tag = "schedules", security(("bearer" = []), ("session" = [])),
    request_body = ScheduleChanges,
    responses((status = 201, body = OneSchedule), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn create_schedule(
    State(app): State<App>,
    caller: Caller,
    JsonBody(new): JsonBody<ScheduleChanges>,
) -> ApiResult<(StatusCode, Json<OneSchedule>)> {
    let (actor, rights) = (caller.actor(), caller.rights());
    let row = actions::schedules::manage::create_schedule(&app.database, &actor, &rights, new).await?;
    Ok((StatusCode::CREATED, Json(OneSchedule { job: row.into() })))
}

/// One schedule.
#[utoipa::path(get, path = "/api/v1/jobs/{schedule_id}", tag = "schedules", security(("bearer" = []), ("session" = [])),
    params(SchedulePath), responses((status = 200, body = OneSchedule), (status = 404, body = ErrorBody)))]
pub async fn get_schedule(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<SchedulePath>,
) -> ApiResult<Json<OneSchedule>> {
    let row = actions::schedules::manage::find_schedule(&app.database, &caller.rights(), path.schedule_id).await?;
    Ok(Json(OneSchedule { job: row.into() }))
}

/// Changes a schedule; absent fields stay as they are.
#[utoipa::path(patch, path = "/api/v1/jobs/{schedule_id}", tag = "schedules", security(("bearer" = []), ("session" = [])),
    params(SchedulePath), request_body = ScheduleChanges,
    responses((status = 200, body = OneSchedule), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn update_schedule(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<SchedulePath>,
    JsonBody(changes): JsonBody<ScheduleChanges>,
) -> ApiResult<Json<OneSchedule>> {
    let (actor, rights, id) = (caller.actor(), caller.rights(), path.schedule_id);
    let row = actions::schedules::manage::update_schedule(&app.database, &actor, &rights, id, changes).await?;
    Ok(Json(OneSchedule { job: row.into() }))
}

/// Deletes a schedule with the list of its runs; their work orders stay.
#[utoipa::path(delete, path = "/api/v1/jobs/{schedule_id}", tag = "schedules",
    security(("bearer" = []), ("session" = [])), params(SchedulePath),
    responses((status = 200, body = Done), (status = 404, body = ErrorBody)))]
pub async fn delete_schedule(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<SchedulePath>,
) -> ApiResult<Json<Done>> {
    let (actor, rights) = (caller.actor(), caller.rights());
    actions::schedules::manage::delete_schedule(&app.database, &actor, &rights, path.schedule_id).await?;
    Ok(Json(Done { ok: true }))
}

/// When an expression would be due, without a schedule.
#[utoipa::path(post, path = "/api/v1/jobs/preview", tag = "schedules", security(("bearer" = []), ("session" = [])),
    request_body = TimesBody, responses((status = 200, body = Times), (status = 400, body = ErrorBody)))]
pub async fn preview_schedule(State(app): State<App>, JsonBody(body): JsonBody<TimesBody>) -> ApiResult<Json<Times>> {
    let schedule = Schedule::parse(&body.cron_expression, body.timezone.as_deref().unwrap_or("UTC"))?;
    let now = crate::db::schedules::now(&mut *app.database.read().await?).await?;
    Ok(Json(Times { next_runs: schedule.next_times(now, NEXT_TIMES) }))
}
