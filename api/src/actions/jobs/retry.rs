//! Retries a job that failed or was cancelled.

use super::cancel::lock_job;
use super::enqueue::enqueue_and_start_ticket;
use crate::actions::ActionResult;
use crate::actions::tickets::messages;
use crate::changes::Database;
use crate::db;
use crate::db::jobs::list::JobEntry;
use crate::domain::actor::Actor;
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::domain::tickets::steering;
use terarchitect_worker_api::{JobId, JobStatus};

/// Enqueues a new job with the terms of one that failed or was cancelled. A note is a message to the new job's agent.
///
/// # Errors
/// When the note is too long, the job does not exist or has not ended, its ticket has a live job, or its project has nothing to work on.
pub async fn retry_job(database: &Database, actor: &Actor, id: JobId, note: Option<&str>) -> ActionResult<JobEntry> {
    let note = note.filter(|note| !note.trim().is_empty()).map(steering::message).transpose()?;
    let mut change = database.change(actor).await?;
    let job = lock_job(&mut change, id).await?;
    if !matches!(job.status, JobStatus::Failed | JobStatus::Cancelled) {
        let status = job.status.as_str();
        let sentence = format!("This job is {status}; only a failed or cancelled job can be retried.");
        return Err(Refusal::new(ErrorCode::NotEnded, sentence).into());
    }
    let new = db::jobs::terms(&mut change, id).await?.ok_or_else(|| Refusal::not_found("job", id))?;
    let ticket = db::tickets::find(&mut change, job.project_id, job.ticket_id).await?;
    let ticket = ticket.ok_or_else(|| Refusal::not_found("ticket", job.ticket_id))?;
    let again = enqueue_and_start_ticket(&mut change, ticket.into(), &new).await?;
    db::forges::orders::hand_on(&mut change, id, again.id).await?;
    if let Some(note) = note {
        messages::store(&mut change, actor, job.project_id, job.ticket_id, &note).await?;
    }
    change.commit().await?;
    Ok(again)
}
