//! Creates, changes and deletes schedules, and finds them for who may see them.

use super::{event, missing, require};
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::schedules::ScheduleRow;
use crate::db::schedules::runs::Run;
use crate::domain::actor::Actor;
use crate::domain::live::event::EventKind;
use crate::domain::people::Role;
use crate::domain::people::rights::Rights;
use crate::domain::refusal::Refusal;
use crate::domain::schedules::{ScheduleChanges, ScheduleFields};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

/// Creates a schedule.
///
/// # Errors
/// When a field is not valid, its repository or agent does not exist, or the caller may not work there.
pub async fn create_schedule(
    database: &Database,
    actor: &Actor,
    rights: &Rights,
    new: ScheduleChanges,
) -> ActionResult<ScheduleRow> {
    let (fields, schedule) = new.into_new()?;
    let mut change = database.change(actor).await?;
    require_place(&mut change, rights, &fields).await?;
    let now = db::schedules::now(&mut change).await?;
    let id = db::schedules::insert(&mut change, &fields, schedule.next_after(now), &actor.to_string()).await?;
    let row = db::schedules::find(&mut change, id).await?.ok_or_else(|| missing(id))?;
    change.record(event(EventKind::ScheduleCreated, id, row.project_id, json!({"name": row.name})));
    change.commit().await?;
    Ok(row)
}

/// Changes a schedule. When it is due next is worked out again if its time changes, or if it is enabled.
///
/// # Errors
/// When there is none, a field is not valid, or the caller may not work there.
pub async fn update_schedule(
    database: &Database,
    actor: &Actor,
    rights: &Rights,
    id: Uuid,
    changes: ScheduleChanges,
) -> ActionResult<ScheduleRow> {
    let mut change = database.change(actor).await?;
    let before = db::schedules::find_for_update(&mut change, id).await?.ok_or_else(|| missing(id))?;
    require(rights, &before, Role::Member)?;
    let was = before.fields();
    let (fields, schedule) = changes.over(was.clone())?;
    require_place(&mut change, rights, &fields).await?;
    let is_other_time = (&fields.cron_expression, &fields.timezone) != (&was.cron_expression, &was.timezone);
    let next = if is_other_time || (fields.enabled && !was.enabled) || before.next_run_at.is_none() {
        schedule.next_after(before.now)
    } else {
        before.next_run_at
    };
    db::schedules::update(&mut change, id, &fields, next).await?;
    let row = db::schedules::find(&mut change, id).await?.ok_or_else(|| missing(id))?;
    let data = json!({"name": row.name, "enabled": row.enabled});
    change.record(event(EventKind::ScheduleChanged, id, row.project_id, data));
    change.commit().await?;
    Ok(row)
}

/// Deletes a schedule with its runs; their orders stay.
///
/// # Errors
/// When there is none, or the caller may not work there.
pub async fn delete_schedule(database: &Database, actor: &Actor, rights: &Rights, id: Uuid) -> ActionResult<()> {
    let mut change = database.change(actor).await?;
    let row = db::schedules::find_for_update(&mut change, id).await?.ok_or_else(|| missing(id))?;
    require(rights, &row, Role::Member)?;
    db::schedules::delete(&mut change, id).await?;
    change.record(event(EventKind::ScheduleDeleted, id, row.project_id, json!({"name": row.name})));
    Ok(change.commit().await?)
}

/// The schedules that the caller may see.
///
/// # Errors
/// When the database is not available.
pub async fn list_schedules(database: &Database, rights: &Rights) -> ActionResult<Vec<ScheduleRow>> {
    let visible = rights.visible().map(|all| all.into_iter().map(|project| project.0).collect::<Vec<_>>());
    Ok(db::schedules::list(&mut *database.read().await?, visible.as_deref()).await?)
}

/// One schedule.
///
/// # Errors
/// When there is none that the caller may see.
pub async fn find_schedule(database: &Database, rights: &Rights, id: Uuid) -> ActionResult<ScheduleRow> {
    let found = db::schedules::find(&mut *database.read().await?, id).await?.ok_or_else(|| missing(id))?;
    require(rights, &found, Role::Viewer)?;
    Ok(found)
}

/// The runs of a schedule that began before this time, the newest first.
///
/// # Errors
/// When there is no schedule that the caller may see.
pub async fn list_runs(
    database: &Database,
    rights: &Rights,
    id: Uuid,
    before: Option<DateTime<Utc>>,
    limit: i64,
) -> ActionResult<Vec<Run>> {
    find_schedule(database, rights, id).await?;
    Ok(db::schedules::runs::list(&mut *database.read().await?, id, before, limit).await?)
}

/// Refuses a repository or an agent that does not exist, and a caller who may not work there.
async fn require_place(conn: &mut PgConnection, rights: &Rights, fields: &ScheduleFields) -> ActionResult<()> {
    match fields.repo {
        Some(repo) => {
            rights.require_in(repo, Role::Member)?;
            if !db::projects::exists(conn, repo).await? {
                return Err(Refusal::not_found("repository", repo).into());
            }
        }
        None => rights.require(Role::Member)?,
    }
    if let Some(agent) = fields.agent
        && db::agents::find(conn, agent).await?.is_none()
    {
        return Err(Refusal::not_found("agent", agent).into());
    }
    Ok(())
}
