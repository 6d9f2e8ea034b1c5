//! Appends an entry to a ticket's execution log.

use super::attempt::attempt_of;
use crate::actions::ActionResult;
use crate::changes::{Change, Database};
use crate::db;
use crate::db::tickets::logs::NewLogEntry;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::Refusal;
use crate::domain::tickets::activity::Activity;
use crate::domain::tickets::steering;
use crate::job_tokens::JobToken;
use serde_json::json;
use terarchitect_worker_api::{EntryData, LogId};

/// How much of a summary an event carries, in characters.
const SUMMARY_CHARS: usize = 300;

/// Appends an entry. The same `entry_key` again stores nothing.
///
/// # Errors
/// When its data is not valid, or the ticket does not exist.
pub async fn append_log(
    database: &Database,
    actor: &Actor,
    token: Option<JobToken>,
    mut entry: NewLogEntry,
) -> ActionResult<LogId> {
    if let Some(data) = &entry.data {
        steering::check_data(data)?;
    }
    let mut change = database.change(actor).await?;
    if !db::tickets::hold(&mut change, entry.project_id, entry.ticket_id).await? {
        return Err(Refusal::not_found("ticket", entry.ticket_id).into());
    }
    entry.by = attempt_of(&mut change, token, entry.ticket_id, None).await?;
    let id = store(&mut change, &entry).await?;
    change.commit().await?;
    Ok(id)
}

/// Stores an entry, and records it if it is new. The ticket is held already.
pub(in crate::actions) async fn store(change: &mut Change, entry: &NewLogEntry) -> ActionResult<LogId> {
    let data: Option<EntryData> = entry.data.as_ref().and_then(|data| serde_json::from_value(data.clone()).ok());
    let activity = Activity::after(&entry.step, &entry.summary, data.as_ref());
    // In this order: see there.
    db::tickets::activity::note(change, entry, &activity).await?;
    let stored = db::tickets::logs::insert(change, entry).await?;
    if stored.is_new {
        let summary: String = entry.summary.chars().take(SUMMARY_CHARS).collect();
        let event = NewEvent::of_ticket(EventKind::LogAppended, entry.project_id, entry.ticket_id);
        let mut about = json!({
            "log_id": stored.id, "seq": stored.seq, "step": entry.step, "success": entry.success, "summary": summary,
        });
        if let Some(data) = &data {
            about["kind"] = json!(data.kind());
            about["turn"] = json!(data.turn());
        }
        change.record(event.with(about));
    }
    Ok(stored.id)
}
