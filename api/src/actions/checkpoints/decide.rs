//! Decides about a checkpoint: a person approves or rejects it, or its time is over. What that means for its job is part of the
//! same transaction: it goes on, or fails for good.

use crate::actions::ActionResult;
use crate::actions::jobs::end_attempt::{end_attempt, fail_held};
use crate::actions::projects::budgets::grant_more;
use crate::changes::{Change, Database};
use crate::db;
use crate::db::checkpoints::Checkpoint;
use crate::db::jobs::ReportedJob;
use crate::domain::actor::Actor;
use crate::domain::checkpoints::{Decision, require_open};
use crate::domain::jobs::outcome::Ending;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::Refusal;
use serde_json::json;
use terarchitect_worker_api::{CheckpointStatus, JobReport, JobStatus, ProjectId, Reason};
use uuid::Uuid;

/// Approves or rejects a checkpoint. `sees` says whether the caller may see a project.
///
/// # Errors
/// When there is no such checkpoint for this caller, or it is decided already.
pub async fn decide(
    database: &Database,
    actor: &Actor,
    id: Uuid,
    decision: &Decision,
    sees: impl Fn(ProjectId) -> bool,
) -> ActionResult<Checkpoint> {
    let mut change = database.change(actor).await?;
    let (job, checkpoint) = lock(&mut change, id).await?;
    if !sees(checkpoint.project_id) {
        return Err(missing(id).into());
    }
    let person = checkpoint.decided_by.as_deref().and_then(|by| by.strip_prefix("person:")?.parse().ok());
    let by = match person {
        Some(person) => db::people::find(&mut change, person).await?.map(|person| person.name),
        None => None,
    };
    require_open(checkpoint.status, by.as_deref(), checkpoint.is_late)?;
    store(&mut change, actor, &checkpoint, decision.status(), decision.words()).await?;
    match decision {
        Decision::Approve(_) => {
            grant_more(&mut change, &checkpoint).await?;
            go_on(&mut change, &job, &checkpoint).await?;
        }
        Decision::Reject(reason) => end(&mut change, &job, &checkpoint, Reason::CheckpointRejected, reason).await?,
    }
    let decided = db::checkpoints::find(&mut change, id).await?.ok_or_else(|| missing(id))?;
    change.commit().await?;
    Ok(decided)
}

/// Notes that the time for a decision is over, where that is so. Its job fails for good, if it waits for it.
///
/// # Errors
/// When the database is not available.
pub async fn expire(database: &Database, id: Uuid) -> ActionResult<()> {
    let mut change = database.change(&Actor::System).await?;
    let (job, checkpoint) = lock(&mut change, id).await?;
    if checkpoint.status != CheckpointStatus::Pending || !checkpoint.is_late {
        return Ok(());
    }
    store(&mut change, &Actor::System, &checkpoint, CheckpointStatus::Expired, None).await?;
    let detail = "Nobody decided about its checkpoint in time";
    end(&mut change, &job, &checkpoint, Reason::CheckpointExpired, detail).await?;
    Ok(change.commit().await?)
}

/// The checkpoint with its job; the job's row is locked first, as everywhere.
async fn lock(change: &mut Change, id: Uuid) -> ActionResult<(ReportedJob, Checkpoint)> {
    let job = db::checkpoints::job_of(change, id).await?.ok_or_else(|| missing(id))?;
    let job = db::jobs::find_for_report(change, job).await?.ok_or_else(|| missing(id))?;
    let checkpoint = db::checkpoints::find_for_update(change, id).await?.ok_or_else(|| missing(id))?;
    Ok((job, checkpoint))
}

async fn store(
    change: &mut Change,
    actor: &Actor,
    checkpoint: &Checkpoint,
    status: CheckpointStatus,
    words: Option<&str>,
) -> ActionResult<()> {
    db::checkpoints::decide(change, checkpoint.id, status, &actor.to_string(), words).await?;
    let (project, ticket) = (checkpoint.project_id, checkpoint.ticket_id);
    let event = NewEvent::of_job(EventKind::CheckpointDecided, project, ticket, checkpoint.job_id);
    let data = json!({"checkpoint_id": checkpoint.id, "key": checkpoint.key, "status": status});
    change.record(NewEvent { attempt: checkpoint.attempt, ..event.with(data) });
    tracing::info!(checkpoint.id = %checkpoint.id, job.id = %checkpoint.job_id, status = status.as_str(), "decided about a checkpoint");
    Ok(())
}

/// Lets a job that was held go on, unless it waits for something else. One whose attempt waits goes on by itself.
async fn go_on(change: &mut Change, job: &ReportedJob, checkpoint: &Checkpoint) -> ActionResult<()> {
    let id = checkpoint.job_id;
    if !job.held || !checkpoint.kind.blocks() || db::checkpoints::waits_for_more(change, id).await? {
        return Ok(());
    }
    if db::jobs::held::let_go(change, id).await? {
        let event = NewEvent::of_job(EventKind::JobDue, checkpoint.project_id, checkpoint.ticket_id, id);
        change.record(event.with(json!({"job_status": JobStatus::Pending})));
    }
    Ok(())
}

/// Fails a job for good that waits for this checkpoint: one that is held, one whose attempt waits or works, and one whose attempt
/// was lost there, so that it waits for the next one.
async fn end(
    change: &mut Change,
    job: &ReportedJob,
    checkpoint: &Checkpoint,
    reason: Reason,
    detail: &str,
) -> ActionResult<()> {
    if !checkpoint.kind.blocks() {
        return Ok(());
    }
    let id = checkpoint.job_id;
    match job.status {
        JobStatus::Pending => fail_held(change, id, job, reason, detail).await,
        JobStatus::Running => {
            let report = JobReport { detail: Some(detail.to_owned()), ..JobReport::default() };
            end_attempt(change, id, job, Ending::Failed(reason), None, &report).await.map(drop)
        }
        JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled => Ok(()),
    }
}

fn missing(id: Uuid) -> Refusal {
    Refusal::not_found("checkpoint", id)
}
