//! Projects: create, change, delete; their boards, graphs, notes and memory.

pub mod board;
pub mod budgets;
pub mod check;
pub mod create;
pub mod delete;
pub mod graph;
pub mod memory;
pub mod notes;
pub mod proof;
pub mod secrets;
pub mod update;

use crate::actions::ActionResult;
use crate::changes::Change;
use crate::db;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::Refusal;
use serde_json::json;
use sqlx::PgConnection;
use terarchitect_worker_api::ProjectId;

/// Refuses a project that does not exist.
async fn require_project(conn: &mut PgConnection, id: ProjectId) -> ActionResult<()> {
    if db::projects::exists(conn, id).await? { Ok(()) } else { Err(Refusal::not_found("project", id).into()) }
}

/// Records that this part of a project was changed.
fn record_changed(change: &mut Change, project: ProjectId, part: &str) {
    change.record(NewEvent::of_project(EventKind::ProjectChanged, project).with(json!({"part": part})));
}
