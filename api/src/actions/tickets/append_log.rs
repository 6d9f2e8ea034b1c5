//! Appends an entry to a ticket's execution log.

use crate::actions::ActionResult;
use crate::changes::{Change, Database};
use crate::db;
use crate::db::tickets::logs::NewLogEntry;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::Refusal;
use serde_json::json;
use terarchitect_worker_api::LogId;

/// How much of a summary an event carries, in characters.
const SUMMARY_CHARS: usize = 300;

/// Appends an entry. The same `entry_key` again stores nothing.
///
/// # Errors
/// When the ticket does not exist.
pub async fn append_log(database: &Database, actor: &Actor, entry: NewLogEntry) -> ActionResult<LogId> {
    let mut change = database.change(actor).await?;
    if db::tickets::cancel_requested(&mut change, entry.project_id, entry.ticket_id).await?.is_none() {
        return Err(Refusal::not_found("ticket", entry.ticket_id).into());
    }
    let id = store(&mut change, &entry).await?;
    change.commit().await?;
    Ok(id)
}

/// Stores an entry, and records it if it is new.
pub(super) async fn store(change: &mut Change, entry: &NewLogEntry) -> ActionResult<LogId> {
    let (id, is_new) = db::tickets::logs::insert(change, entry).await?;
    if is_new {
        let summary: String = entry.summary.chars().take(SUMMARY_CHARS).collect();
        let event = NewEvent::of_ticket(EventKind::LogAppended, entry.project_id, entry.ticket_id);
        let data = json!({"log_id": id, "step": entry.step, "success": entry.success, "summary": summary});
        change.record(event.with(data));
    }
    Ok(id)
}
