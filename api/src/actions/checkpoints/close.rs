//! Rejects what a job waited for that has ended.

use crate::actions::ActionResult;
use crate::changes::Change;
use crate::db;
use crate::db::jobs::ReportedJob;
use crate::domain::actor::Actor;
use crate::domain::checkpoints::JOB_ENDED;
use crate::domain::live::event::{EventKind, NewEvent};
use serde_json::json;
use terarchitect_worker_api::{CheckpointStatus, JobId, ProjectId, TicketId};

/// Rejects what a job waited for, where it ends; its row is locked by this change.
pub(in crate::actions) async fn close_of_job(change: &mut Change, id: JobId, job: &ReportedJob) -> ActionResult<()> {
    close(change, (job.project_id, job.ticket_id, id), Some(job.attempt)).await
}

/// Rejects what a job waited for.
pub(in crate::actions) async fn close(
    change: &mut Change,
    (project, ticket, job): (ProjectId, TicketId, JobId),
    attempt: Option<i32>,
) -> ActionResult<()> {
    let closed = db::checkpoints::close_of_job(change, job, &Actor::System.to_string(), JOB_ENDED).await?;
    for id in closed {
        let event = NewEvent::of_job(EventKind::CheckpointDecided, project, ticket, job);
        let data = json!({"checkpoint_id": id, "status": CheckpointStatus::Rejected, "reason": JOB_ENDED});
        change.record(NewEvent { attempt, ..event.with(data) });
    }
    Ok(())
}
