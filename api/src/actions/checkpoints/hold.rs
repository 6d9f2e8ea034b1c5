//! Lets a job wait for a person without an attempt: its work is pushed, and its conversation is kept.

use super::for_runner;
use super::open::lock_running;
use crate::actions::ActionResult;
use crate::actions::jobs::end_attempt::end_attempt;
use crate::changes::Database;
use crate::db;
use crate::domain::actor::Actor;
use crate::domain::jobs::attempt::Reported;
use crate::domain::jobs::outcome::Ending;
use crate::domain::refusal::Refusal;
use crate::job_tokens::JobToken;
use terarchitect_worker_api::{CheckpointStatus, Held, HoldRequest, JobReport, JobStatus, ProjectId, TicketId};

/// Ends the attempt and holds its job until the checkpoint is decided. Where that has just happened, the attempt goes on instead. A
/// job whose cancellation was requested is cancelled.
///
/// # Errors
/// When no attempt of the ticket runs for this caller, or its job has no such checkpoint.
pub async fn hold(
    database: &Database,
    actor: &Actor,
    token: Option<JobToken>,
    of: (ProjectId, TicketId),
    request: HoldRequest,
) -> ActionResult<Held> {
    let mut change = database.change(actor).await?;
    let (id, job) = lock_running(&mut change, token, of, request.attempt).await?;
    let found = db::checkpoints::find_for_update(&mut change, request.checkpoint_id).await?;
    let checkpoint = found.filter(|checkpoint| checkpoint.job_id == id);
    let checkpoint = checkpoint.ok_or_else(|| Refusal::not_found("checkpoint", request.checkpoint_id))?;
    if checkpoint.status != CheckpointStatus::Pending || !checkpoint.kind.blocks() {
        return Ok(Held { held: false, checkpoint: for_runner(checkpoint) });
    }
    let report = JobReport { detail: Some(checkpoint.message.clone()), ..JobReport::default() };
    let status = end_attempt(&mut change, id, &job, Ending::Held, Some(Reported::Held), &report).await?;
    change.commit().await?;
    Ok(Held { held: status == JobStatus::Running, checkpoint: for_runner(checkpoint) })
}
