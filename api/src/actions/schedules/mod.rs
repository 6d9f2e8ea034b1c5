//! Schedules: managing them, and firing those that are due.

pub mod fire;
pub mod manage;

use crate::db::schedules::ScheduleRow;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::people::Role;
use crate::domain::people::rights::Rights;
use crate::domain::refusal::{ErrorCode, Refusal};
use serde_json::{Value, json};
use terarchitect_worker_api::ProjectId;
use uuid::Uuid;

fn missing(id: Uuid) -> Refusal {
    Refusal::not_found("schedule", id)
}

/// Refuses what needs a higher role where a schedule's orders are. One that can't be seen does not exist.
fn require(rights: &Rights, schedule: &ScheduleRow, role: Role) -> Result<(), Refusal> {
    let done = match schedule.project_id {
        Some(project) => rights.require_in(ProjectId(project), role),
        // What belongs to no project can be seen by those who see all of them.
        None if rights.visible().is_some() => Err(missing(schedule.id)),
        None => rights.require(role),
    };
    done.map_err(|refusal| if refusal.code == ErrorCode::NotFound { missing(schedule.id) } else { refusal })
}

/// An event about a schedule.
fn event(kind: EventKind, id: Uuid, project: Option<Uuid>, data: Value) -> NewEvent {
    let mut all = json!({"schedule_id": id});
    if let (Some(all), Value::Object(data)) = (all.as_object_mut(), data) {
        all.extend(data);
    }
    NewEvent { project_id: project.map(ProjectId), ..NewEvent::new(kind).with(all) }
}
