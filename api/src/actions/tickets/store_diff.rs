//! Stores what a turn changed, or what the whole branch changes.

use super::attempt::attempt_of;
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::tickets::diffs::NewDiff;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::Refusal;
use crate::domain::tickets::activity::{AttemptOf, Counts};
use crate::domain::tickets::steering;
use crate::job_tokens::JobToken;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use std::io::Write;
use terarchitect_worker_api::{DiffInfo, ProjectId, StoreDiffRequest, TicketId};

/// Stores a diff; a second one of the same turn of the same attempt takes the place of the first.
///
/// # Errors
/// When it is too large, or the ticket does not exist.
pub async fn store_diff(
    database: &Database,
    actor: &Actor,
    token: Option<JobToken>,
    (project_id, ticket_id): (ProjectId, TicketId),
    mut request: StoreDiffRequest,
) -> ActionResult<DiffInfo> {
    steering::check_diff(&request)?;
    let patch = std::mem::take(&mut request.patch);
    let bytes = i64::try_from(patch.len()).unwrap_or(i64::MAX);
    // Before the transaction: it takes a while, and nothing should wait for it.
    let compressing = tokio::task::spawn_blocking(move || compressed(&patch));
    let patch = compressing.await.map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))?;
    let patch = patch.map_err(sqlx::Error::Io)?;
    let mut change = database.change(actor).await?;
    if !db::tickets::hold(&mut change, project_id, ticket_id).await? {
        return Err(Refusal::not_found("ticket", ticket_id).into());
    }
    let by = attempt_of(&mut change, token, ticket_id, request.attempt).await?;
    let new = NewDiff { project_id, ticket_id, by, request, bytes, patch };
    let info = db::tickets::diffs::store(&mut change, &new).await?;
    if info.turn.is_none() {
        let counts = Counts { files: info.files, added: info.added, removed: info.removed };
        db::tickets::activity::set_counts(&mut change, ticket_id, counts).await?;
    }
    change.record(stored(&info, project_id, ticket_id, by));
    change.commit().await?;
    Ok(info)
}

fn stored(info: &DiffInfo, project: ProjectId, ticket: TicketId, by: AttemptOf) -> NewEvent {
    let event = NewEvent::of_ticket(EventKind::DiffStored, project, ticket);
    let data = json!({
        "diff_id": info.id, "turn": info.turn, "files": info.files, "added": info.added, "removed": info.removed,
    });
    NewEvent { job_id: by.job, attempt: by.attempt, ..event.with(data) }
}

fn compressed(patch: &str) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(patch.as_bytes())?;
    encoder.finish()
}
