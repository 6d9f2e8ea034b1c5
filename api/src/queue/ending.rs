//! The end of an attempt: what becomes of the job and of its ticket.

use crate::db;
use crate::db::jobs::ReportedJob;
use crate::domain::board;
use crate::domain::outcome::{Ending, History, Outcome, decide, is_infrastructure};
use sqlx::PgConnection;
use terarchitect_worker_api::{JobId, JobKind, JobReport, JobStatus, Reason};

/// Ends a job's running attempt: decides what becomes of the job, keeps the attempt, and moves the ticket's status.
/// The job's row must be locked by this transaction.
///
/// # Errors
/// When the database does not answer.
pub async fn end_attempt(
    conn: &mut PgConnection,
    id: JobId,
    job: &ReportedJob,
    ending: Ending,
    report: &JobReport,
) -> sqlx::Result<JobStatus> {
    let reported = match &ending {
        Ending::Completed => Some("completed"),
        Ending::Failed(Reason::LeaseLost) => None,
        Ending::Failed(_) => Some("failed"),
        Ending::Released => Some("released"),
    };
    let mut history = History {
        cancel_requested: job.cancel_requested,
        retry_agent_failures: job.retry_agent_failures,
        ..History::default()
    };
    if matches!(ending, Ending::Failed(_)) && job.failures > 0 {
        for (reason, count) in db::attempts::retried(conn, id).await? {
            if is_infrastructure(&reason) {
                history.infrastructure_failures += count;
            } else {
                history.agent_failures += count;
            }
        }
    }
    let (status, outcome, reason) = match decide(ending, history, rand::random()) {
        Outcome::Final(status, reason) => {
            db::jobs::finish(conn, id, status, reason.as_str()).await?;
            settle_ticket(conn, job, status).await?;
            (status, status.as_str(), reason)
        }
        Outcome::Retry { after, reason } => {
            db::jobs::retry(conn, id, after).await?;
            tracing::info!(job.id = %id, reason = reason.as_str(), wait_ms = after.as_millis(), "the job is tried again");
            (JobStatus::Pending, "retried", reason)
        }
        Outcome::HandBack => {
            db::jobs::hand_back(conn, id, job.project_id).await?;
            (JobStatus::Pending, "released", Reason::Other("released".to_owned()))
        }
    };
    let ended = db::attempts::EndedAttempt {
        job_id: id,
        attempt: job.attempt,
        worker_id: job.worker_id.as_deref(),
        claimed_at: job.claimed_at,
        outcome,
        reason: reason.as_str(),
        reported,
    };
    db::attempts::insert(conn, &ended, report).await?;
    db::claims::notify_freed(conn, job.project_id).await?;
    tracing::info!(job.id = %id, attempt = job.attempt, status = status.as_str(), reason = reason.as_str(), "an attempt ended");
    Ok(status)
}

/// What the end of a job means for its ticket. A completed one says so by itself, through its runner.
async fn settle_ticket(conn: &mut PgConnection, job: &ReportedJob, status: JobStatus) -> sqlx::Result<()> {
    if job.requeue_requested {
        db::tickets::set_cancel_requested(conn, job.ticket_id, false).await?;
        db::jobs::enqueue(conn, &db::jobs::NewJob::of_ticket(job.project_id, job.ticket_id, job.kind)).await?;
        return Ok(());
    }
    let ended_as = match status {
        JobStatus::Cancelled => board::STATUS_CANCELLED,
        JobStatus::Failed => board::STATUS_FAILED,
        JobStatus::Pending | JobStatus::Running | JobStatus::Completed => return Ok(()),
    };
    // An answer to a review says nothing about the work on the ticket.
    if job.kind == JobKind::Ticket {
        db::tickets::settle(conn, job.ticket_id, ended_as).await?;
    }
    if status == JobStatus::Cancelled {
        db::tickets::forget_old_cancellation(conn, job.ticket_id).await?;
    }
    Ok(())
}
