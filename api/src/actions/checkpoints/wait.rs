//! Waits for the decision about a checkpoint.

use super::for_runner;
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::domain::live::event::EventKind;
use crate::domain::refusal::Refusal;
use terarchitect_worker_api::{CheckpointStatus, RunnerCheckpoint, TicketId};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What became of a checkpoint, as soon as that is known, and at the latest at `until` or when the process stops.
///
/// # Errors
/// When the ticket has no such checkpoint.
pub async fn wait(
    database: &Database,
    ticket: TicketId,
    id: Uuid,
    until: Instant,
    stop: &CancellationToken,
) -> ActionResult<RunnerCheckpoint> {
    // Before the first look, so that no decision comes in between.
    let mut news = database.follow().await?;
    loop {
        let found = db::checkpoints::find(&mut *database.read().await?, id).await?;
        let found = found.filter(|checkpoint| checkpoint.ticket_id == ticket);
        let found = found.ok_or_else(|| Refusal::not_found("checkpoint", id))?;
        if found.status != CheckpointStatus::Pending || Instant::now() >= until {
            return Ok(for_runner(found));
        }
        tokio::select! {
            () = news.next_of(EventKind::CheckpointDecided) => {}
            () = tokio::time::sleep_until(until) => {}
            () = stop.cancelled() => return Ok(for_runner(found)),
        }
    }
}
