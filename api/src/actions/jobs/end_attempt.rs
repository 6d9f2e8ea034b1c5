//! The end of an attempt: what becomes of the job and of its ticket.

use super::enqueue::put_into_queue;
use crate::actions::ActionResult;
use crate::actions::checkpoints::close::close_of_job;
use crate::changes::Change;
use crate::db;
use crate::db::jobs::ReportedJob;
use crate::domain::jobs::attempt::{AttemptOutcome, Reported};
use crate::domain::jobs::outcome::{Ending, History, Outcome, decide, is_infrastructure};
use crate::domain::jobs::terms::NewJob;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::tickets::{STATUS_CANCELLED, STATUS_FAILED};
use crate::metrics::AttemptEnd;
use chrono::Utc;
use serde_json::json;
use sqlx::PgConnection;
use terarchitect_worker_api::{JobId, JobKind, JobReport, JobStatus, Reason};

/// Ends a job's running attempt: decides what becomes of the job, stores the attempt, and changes the ticket's status.
/// The job's row must be locked by this change. `reported` is what its worker reported, if it reported.
///
/// # Errors
/// When the database is not available.
pub async fn end_attempt(
    change: &mut Change,
    id: JobId,
    job: &ReportedJob,
    ending: Ending,
    reported: Option<Reported>,
    report: &JobReport,
) -> ActionResult<JobStatus> {
    let history = history(change, id, job, &ending).await?;
    let (outcome, reason) = match decide(ending, history, rand::random()) {
        Outcome::Final(status, reason) => {
            db::jobs::finish(change, id, status, reason.as_str()).await?;
            settle_ticket(change, id, job, status).await?;
            (outcome_of(status), reason)
        }
        Outcome::Retry { after, reason } => {
            db::jobs::retry(change, id, after).await?;
            tracing::info!(
                job.id = %id,
                reason = reason.as_str(),
                wait_ms = after.as_millis(),
                "an attempt failed; the job will be retried"
            );
            (AttemptOutcome::Retried, reason)
        }
        Outcome::Hold => {
            db::jobs::held::hold(change, id).await?;
            (AttemptOutcome::Held, Reason::Held)
        }
        Outcome::HandBack => {
            db::jobs::hand_back(change, id, job.project_id).await?;
            (AttemptOutcome::Released, Reason::Other("released".to_owned()))
        }
    };
    let status = outcome.job_status();
    let ended = db::jobs::attempts::EndedAttempt {
        job_id: id,
        attempt: job.attempt,
        worker_id: job.worker_id.as_deref(),
        claimed_at: job.claimed_at,
        outcome,
        reason: reason.as_str(),
        reported,
    };
    db::jobs::attempts::insert(change, &ended, report).await?;
    db::worker::claims::notify_freed(change, job.project_id).await?;
    let event = NewEvent::of_job(EventKind::AttemptEnded, job.project_id, job.ticket_id, id);
    let data =
        json!({"outcome": outcome, "reason": reason.as_str(), "job_status": status, "exit_code": report.exit_code});
    change.record(NewEvent { attempt: Some(job.attempt), ..event.with(data) });
    tracing::info!(job.id = %id, attempt = job.attempt, status = status.as_str(), reason = reason.as_str(), "an attempt ended");
    let ran = job.claimed_at.and_then(|at| (Utc::now() - at).to_std().ok());
    change.count(AttemptEnd { outcome, reason, ran });
    Ok(status)
}

async fn history(conn: &mut PgConnection, id: JobId, job: &ReportedJob, ending: &Ending) -> sqlx::Result<History> {
    let mut history = History {
        cancel_requested: job.cancel_requested,
        retry_agent_failures: job.retry_agent_failures,
        ..History::default()
    };
    if matches!(ending, Ending::Failed(_)) && job.failures > 0 {
        for (reason, count) in db::jobs::attempts::retried(conn, id).await? {
            if is_infrastructure(&reason) {
                history.infrastructure_failures += count;
            } else {
                history.agent_failures += count;
            }
        }
    }
    Ok(history)
}

/// Fails a job for good of which no attempt runs that could end: it waits for a person, or for its next attempt. Its row must be locked by this change.
///
/// # Errors
/// When the database is not available.
pub async fn fail_held(
    change: &mut Change,
    id: JobId,
    job: &ReportedJob,
    reason: Reason,
    detail: &str,
) -> ActionResult<()> {
    db::jobs::finish(change, id, JobStatus::Failed, reason.as_str()).await?;
    db::jobs::held::note_failure(change, id, job.attempt, reason.as_str(), detail).await?;
    settle_ticket(change, id, job, JobStatus::Failed).await?;
    let event = NewEvent::of_job(EventKind::AttemptEnded, job.project_id, job.ticket_id, id);
    let data = json!({"outcome": AttemptOutcome::Failed, "reason": reason.as_str(), "job_status": JobStatus::Failed});
    change.record(NewEvent { attempt: (job.attempt > 0).then_some(job.attempt), ..event.with(data) });
    tracing::info!(job.id = %id, reason = reason.as_str(), "a job that waited for a person failed");
    change.count(AttemptEnd { outcome: AttemptOutcome::Failed, reason, ran: None });
    Ok(())
}

const fn outcome_of(status: JobStatus) -> AttemptOutcome {
    match status {
        JobStatus::Completed => AttemptOutcome::Completed,
        JobStatus::Cancelled => AttemptOutcome::Cancelled,
        JobStatus::Failed => AttemptOutcome::Failed,
        JobStatus::Pending | JobStatus::Running => AttemptOutcome::Retried,
    }
}

/// What the end of a job means for its ticket. The status of a ticket whose job completed is not changed here: its
/// runner has reported that to the ticket itself.
async fn settle_ticket(change: &mut Change, id: JobId, job: &ReportedJob, status: JobStatus) -> ActionResult<()> {
    close_of_job(change, id, job).await?;
    if job.requeue_requested {
        put_into_queue(change, &NewJob::of_ticket(job.project_id, job.ticket_id, job.kind)).await?;
        return Ok(());
    }
    let ended_as = match status {
        JobStatus::Cancelled => STATUS_CANCELLED,
        JobStatus::Failed => STATUS_FAILED,
        JobStatus::Pending | JobStatus::Running | JobStatus::Completed => return Ok(()),
    };
    // The end of a review does not change the status of the ticket.
    if job.kind == JobKind::Ticket && db::tickets::settle(change, job.ticket_id, ended_as).await? {
        let event = NewEvent::of_ticket(EventKind::TicketChanged, job.project_id, job.ticket_id);
        change.record(event.with(json!({"status": ended_as})));
    }
    if status == JobStatus::Cancelled {
        db::tickets::forget_old_cancellation(change, job.ticket_id).await?;
    }
    Ok(())
}
