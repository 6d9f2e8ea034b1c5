//! Opens a checkpoint.

use super::for_runner;
use crate::actions::ActionResult;
use crate::actions::tickets::attempt::attempt_of;
use crate::changes::{Change, Database};
use crate::db;
use crate::db::jobs::ReportedJob;
use crate::domain::actor::Actor;
use crate::domain::checkpoints::{NewCheckpoint, check};
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::job_tokens::JobToken;
use serde_json::json;
use terarchitect_worker_api::{JobId, JobStatus, OpenCheckpoint, ProjectId, RunnerCheckpoint, TicketId};

/// Opens a checkpoint of the attempt that runs; the same key of the same job again returns what became of the first one.
///
/// # Errors
/// When something of it is not valid, or no attempt of the ticket runs for this caller.
pub async fn open(
    database: &Database,
    actor: &Actor,
    token: Option<JobToken>,
    (project, ticket): (ProjectId, TicketId),
    request: OpenCheckpoint,
) -> ActionResult<RunnerCheckpoint> {
    check(&request)?;
    let mut change = database.change(actor).await?;
    let (job_id, job) = lock_running(&mut change, token, (project, ticket), request.attempt).await?;
    let new = NewCheckpoint {
        project_id: project,
        ticket_id: ticket,
        job_id,
        attempt: Some(job.attempt),
        key: request.key,
        kind: request.kind,
        stage: request.stage,
        message: request.message.trim().to_owned(),
        data: request.data,
        metadata: request.metadata,
    };
    open_in(&mut change, &new).await?;
    let opened = db::checkpoints::find_by_key(&mut change, job_id, &new.key).await?;
    let opened = opened.ok_or_else(|| Refusal::not_found("checkpoint", &new.key))?;
    change.commit().await?;
    Ok(for_runner(opened))
}

/// Opens a checkpoint as part of a change, unless its job has one with its key.
pub(in crate::actions) async fn open_in(change: &mut Change, new: &NewCheckpoint) -> ActionResult<()> {
    if db::checkpoints::open(change, new).await? {
        let event = NewEvent::of_job(EventKind::CheckpointOpened, new.project_id, new.ticket_id, new.job_id);
        let message: String = new.message.chars().take(200).collect();
        let data = json!({"key": new.key, "type": new.kind, "stage": new.stage, "message": message});
        change.record(NewEvent { attempt: new.attempt, ..event.with(data) });
        tracing::info!(job.id = %new.job_id, checkpoint.key = new.key, "a checkpoint was opened");
    }
    Ok(())
}

/// The job whose attempt runs for this caller, locked.
pub(super) async fn lock_running(
    change: &mut Change,
    token: Option<JobToken>,
    (project, ticket): (ProjectId, TicketId),
    named: Option<i32>,
) -> ActionResult<(JobId, ReportedJob)> {
    let by = attempt_of(change, token, ticket, named).await?;
    let (Some(id), Some(attempt)) = (by.job, by.attempt) else { return Err(no_attempt().into()) };
    let job = db::jobs::find_for_report(change, id).await?.ok_or_else(no_attempt)?;
    let is_of_ticket = job.ticket_id == ticket && job.project_id == project;
    if job.status != JobStatus::Running || job.attempt != attempt || !is_of_ticket {
        return Err(no_attempt().into());
    }
    Ok((id, job))
}

fn no_attempt() -> Refusal {
    let sentence =
        "No attempt of this ticket runs that this caller could speak for; its job has ended, or goes on elsewhere.";
    Refusal::new(ErrorCode::StaleAttempt, sentence)
}
