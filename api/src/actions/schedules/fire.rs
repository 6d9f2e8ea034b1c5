//! Fires schedules: creates the order of a run, once for each time that is due, whichever process notices it.

use super::{event, missing, require};
use crate::actions::work_orders::create::{Created, create};
use crate::actions::{ActionError, ActionResult};
use crate::changes::{Change, Database};
use crate::db;
use crate::db::errors::is_unavailable;
use crate::db::schedules::ScheduleRow;
use crate::db::schedules::runs::NewRun;
use crate::domain::actor::Actor;
use crate::domain::live::event::EventKind;
use crate::domain::people::Role;
use crate::domain::people::rights::Rights;
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::domain::schedules::firing::{Firing, ON_TIME, firing};
use crate::domain::schedules::{Overlap, RunStatus, Schedule};
use chrono::{DateTime, Utc};
use serde_json::json;
use terarchitect_outbound::chain;
use uuid::Uuid;

/// Why a time passed without a run.
const STILL_GOING: &str = "An earlier run was still going; set 'overlap' to allow if runs may overlap.";
const TOO_LATE: &str = "Nothing could run at that time, and the schedule skips missed times.";

/// Fires the next schedule that is due; false if there is none. `at` is the time for what has a clock of its own; none: the
/// database's.
///
/// # Errors
/// When the database is not available. Any other failure is noted as a run that failed.
pub async fn fire_next(database: &Database, at: Option<DateTime<Utc>>) -> ActionResult<bool> {
    let mut change = database.change(&Actor::System).await?;
    let Some(row) = db::schedules::lock_due(&mut change, at).await? else { return Ok(false) };
    let now = at.unwrap_or(row.now);
    match fire(&mut change, &row, now).await {
        Ok(_) => change.commit().await?,
        Err(ActionError::Database(error)) if is_unavailable(&error) => return Err(error.into()),
        Err(error) => {
            drop(change);
            note_failure(database, &row, now, &error).await?;
        }
    }
    Ok(true)
}

/// What a call that something is due came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called {
    /// This order was created, now or a moment before.
    Order(Uuid),
    /// Nothing was to be done.
    Skipped(&'static str),
}

/// Fires one schedule if it is due, for a clock that is not ours, such as `pg_cron`. A time that was fired already is not fired
/// again, and its order is returned.
///
/// # Errors
/// When the caller may not work there, or no order can be created.
pub async fn fire_if_due(
    database: &Database,
    actor: &Actor,
    rights: &Rights,
    id: Uuid,
    at: Option<DateTime<Utc>>,
) -> ActionResult<Called> {
    let mut change = database.change(actor).await?;
    let Some(row) = db::schedules::find_for_update(&mut change, id).await? else {
        return Ok(Called::Skipped("There is no such schedule."));
    };
    if require(rights, &row, Role::Viewer).is_err() {
        return Ok(Called::Skipped("There is no such schedule."));
    }
    require(rights, &row, Role::Member)?;
    if !row.enabled {
        return Ok(Called::Skipped("The schedule is not enabled."));
    }
    let now = at.unwrap_or(row.now);
    if row.next_run_at.is_none_or(|next| next > now) {
        let before = db::schedules::runs::order_due_within(&mut change, id, ON_TIME, now).await?;
        return Ok(before.map_or(Called::Skipped("The schedule is not due."), Called::Order));
    }
    match fire(&mut change, &row, now).await {
        Ok(order) => {
            change.commit().await?;
            Ok(order
                .map_or(Called::Skipped("This time passes without a run; the schedule's runs say why."), Called::Order))
        }
        Err(ActionError::Refused(refusal)) => {
            drop(change);
            note_failure(database, &row, now, &ActionError::Refused(refusal.clone())).await?;
            Err(refusal.into())
        }
        Err(error) => Err(error),
    }
}

/// Runs a schedule now, whenever it is due.
///
/// # Errors
/// When there is none, the caller may not work there, no order can be created, or a run is going that may not be doubled.
pub async fn run_now(database: &Database, actor: &Actor, rights: &Rights, id: Uuid) -> ActionResult<Created> {
    let mut change = database.change(actor).await?;
    let row = db::schedules::find_for_update(&mut change, id).await?.ok_or_else(|| missing(id))?;
    require(rights, &row, Role::Member)?;
    if row.overlap == Overlap::Skip && db::schedules::runs::is_going(&mut change, id).await? {
        let sentence = "A run of this schedule is still going; wait for its end, or set 'overlap' to allow.";
        return Err(Refusal::new(ErrorCode::JobExists, sentence).into());
    }
    let run = Run { id: Uuid::now_v7(), due_at: None, missed: 0, now: row.now };
    let created = run_order(&mut change, &row, run).await?.ok_or_else(|| missing(id))?;
    db::schedules::fired(&mut change, id, Some(row.now), row.next_run_at).await?;
    change.commit().await?;
    Ok(created)
}

/// A run to begin.
#[derive(Clone, Copy, Debug)]
struct Run {
    id: Uuid,
    due_at: Option<DateTime<Utc>>,
    missed: u32,
    now: DateTime<Utc>,
}

/// Fires a schedule that is due, and locked. Returns the order, where there is one.
async fn fire(change: &mut Change, row: &ScheduleRow, now: DateTime<Utc>) -> ActionResult<Option<Uuid>> {
    let Some(Firing { due_at, run, missed, next }) = what_is_due(row, now)? else { return Ok(None) };
    let going = run && row.overlap == Overlap::Skip && db::schedules::runs::is_going(change, row.id).await?;
    let order = if run && !going {
        let run = Run { id: Uuid::now_v7(), due_at: Some(due_at), missed, now };
        run_order(change, row, run).await?.map(|created| created.id.0)
    } else {
        let why = if going { STILL_GOING } else { TOO_LATE };
        note_run(change, row, (due_at, missed, now), RunStatus::Skipped, why).await?;
        None
    };
    db::schedules::fired(change, row.id, order.map(|_| now), next).await?;
    Ok(order)
}

fn what_is_due(row: &ScheduleRow, now: DateTime<Utc>) -> Result<Option<Firing>, Refusal> {
    let schedule = Schedule::parse(&row.cron_expression, &row.timezone)?;
    Ok(row.next_run_at.map(|due| firing(&schedule, due, now, row.missed)))
}

/// Creates a run with its order; none if this time was fired before.
async fn run_order(change: &mut Change, row: &ScheduleRow, run: Run) -> ActionResult<Option<Created>> {
    let new = NewRun {
        id: run.id,
        schedule: row.id,
        due_at: run.due_at,
        order: None,
        ended: None,
        error: None,
        missed: run.missed,
        started_at: Some(run.now),
    };
    if !db::schedules::runs::insert(change, &new).await? {
        return Ok(None);
    }
    let created = create(change, row.fields().order(row.id, run.id)?).await?;
    db::schedules::runs::set_order(change, run.id, created.id.0, created.launch_error.as_deref()).await?;
    let data = json!({
        "run_id": run.id, "due_at": run.due_at, "status": RunStatus::Pending, "work_order_id": created.id,
        "launch_error": created.launch_error,
    });
    change.record(event(EventKind::ScheduleFired, row.id, row.project_id, data));
    tracing::info!(schedule.id = %row.id, ticket.id = %created.id, "fired a schedule");
    Ok(Some(created))
}

/// Notes a time that got no order.
async fn note_run(
    change: &mut Change,
    row: &ScheduleRow,
    (due_at, missed, now): (DateTime<Utc>, u32, DateTime<Utc>),
    status: RunStatus,
    why: &str,
) -> ActionResult<()> {
    let id = Uuid::now_v7();
    let new = NewRun {
        id,
        schedule: row.id,
        due_at: Some(due_at),
        order: None,
        ended: Some(status),
        error: Some(why),
        missed,
        started_at: Some(now),
    };
    if db::schedules::runs::insert(change, &new).await? {
        let data = json!({"run_id": id, "due_at": due_at, "status": status, "reason": why});
        change.record(event(EventKind::ScheduleFired, row.id, row.project_id, data));
    }
    Ok(())
}

/// Notes a run that failed before there was an order, and lets the schedule go on.
async fn note_failure(
    database: &Database,
    row: &ScheduleRow,
    now: DateTime<Utc>,
    error: &ActionError,
) -> ActionResult<()> {
    let why = match error {
        ActionError::Refused(refusal) => refusal.message.clone(),
        error => {
            tracing::error!(
                schedule.id = %row.id,
                error = chain(error),
                "could not fire a schedule; run it by hand with POST /api/v1/jobs/{{id}}/run"
            );
            "The API failed at it; its log has the cause under the schedule's id.".to_owned()
        }
    };
    let mut change = database.change(&Actor::System).await?;
    // Another process may have fired or changed it meanwhile.
    let still = db::schedules::find_for_update(&mut change, row.id).await?;
    let Some(row) = still.filter(|still| still.next_run_at == row.next_run_at) else { return Ok(()) };
    match what_is_due(&row, now) {
        Ok(Some(due)) => {
            let time = (due.due_at, due.missed, now);
            note_run(&mut change, &row, time, RunStatus::Failed, &why).await?;
            db::schedules::fired(&mut change, row.id, None, due.next).await?;
        }
        // It can't be read any more: it is not due by itself until it is changed.
        Ok(None) | Err(_) => db::schedules::fired(&mut change, row.id, None, None).await?,
    }
    Ok(change.commit().await?)
}
