//! Reports of workers about their attempts, other than the plain completion of a running attempt, which
//! [`crate::queue::Queue::complete`] records in batches.

use super::end_attempt::end_attempt;
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::jobs::ReportedJob;
use crate::db::jobs::attempts::Ended;
use crate::domain::actor::Actor;
use crate::domain::jobs::attempt::Reported;
use crate::domain::jobs::outcome::Ending;
use crate::domain::refusal::{ErrorCode, Refusal};
use sqlx::PgConnection;
use terarchitect_worker_api::{JobId, JobReport, JobStatus, Reason, WorkerId};

/// Records that an attempt completed, and what that means for its job. Handles repeated reports too, and those that
/// also change the ticket.
///
/// # Errors
/// When the job does not exist, or the report is not about its running attempt.
pub async fn complete(database: &Database, actor: &Actor, id: JobId, report: &JobReport) -> ActionResult<JobStatus> {
    end(database, actor, id, Reported::Completed, Ending::Completed, report).await
}

/// Records that an attempt failed, and what that means for its job.
///
/// # Errors
/// When the job does not exist, or the report is not about its running attempt.
pub async fn fail(database: &Database, actor: &Actor, id: JobId, report: &JobReport) -> ActionResult<JobStatus> {
    let ending = Ending::Failed(report.reason.clone().unwrap_or(Reason::AgentFailed));
    end(database, actor, id, Reported::Failed, ending, report).await
}

async fn end(
    database: &Database,
    actor: &Actor,
    id: JobId,
    reported: Reported,
    ending: Ending,
    report: &JobReport,
) -> ActionResult<JobStatus> {
    let mut change = database.change(actor).await?;
    let job = find(&mut change, id).await?;
    if let Some(status) = already_ended(&mut change, id, &job, reported, report).await? {
        return Ok(status);
    }
    let status = end_attempt(&mut change, id, &job, ending, Some(reported), report).await?;
    change.commit().await?;
    Ok(status)
}

/// Takes back a job that was claimed but never started. The attempt is not counted.
///
/// # Errors
/// When the job does not exist, or the worker does not hold this attempt.
pub async fn release(
    database: &Database,
    actor: &Actor,
    id: JobId,
    attempt: i32,
    worker: &WorkerId,
) -> ActionResult<JobStatus> {
    let mut change = database.change(actor).await?;
    let job = find(&mut change, id).await?;
    let ours = job.worker_id.as_deref() == Some(worker.as_str());
    if job.status != JobStatus::Running || job.attempt != attempt || !ours {
        return match reported_before(&mut change, id, attempt, Reported::Released).await? {
            Some(status) => Ok(status),
            None => Err(stale(attempt, job.status).into()),
        };
    }
    let (released, report) = (Some(Reported::Released), JobReport::default());
    let status = end_attempt(&mut change, id, &job, Ending::Released, released, &report).await?;
    change.commit().await?;
    Ok(status)
}

async fn find(conn: &mut PgConnection, id: JobId) -> ActionResult<ReportedJob> {
    Ok(db::jobs::find_for_report(conn, id).await?.ok_or_else(|| Refusal::not_found("job", id))?)
}

/// Refuses a report that is not about the running attempt; recognises a repeated one.
async fn already_ended(
    conn: &mut PgConnection,
    id: JobId,
    job: &ReportedJob,
    reported: Reported,
    report: &JobReport,
) -> ActionResult<Option<JobStatus>> {
    // Its worker can't know that the runner handed it over: whatever it reports about that attempt changes nothing.
    if job.held && report.attempt.is_none_or(|attempt| attempt == job.attempt) {
        return Ok(Some(JobStatus::Running));
    }
    let holds = report.worker_id.as_ref().is_none_or(|worker| job.worker_id.as_deref() == Some(worker.as_str()));
    let current = report.attempt.is_none_or(|attempt| attempt == job.attempt) && holds;
    if job.status == JobStatus::Running && current {
        return Ok(None);
    }
    if let Some(attempt) = report.attempt {
        return match reported_before(conn, id, attempt, reported).await? {
            Some(status) => Ok(Some(status)),
            None => Err(stale(attempt, job.status).into()),
        };
    }
    let sentence =
        format!("This job is {}, not running. The report changed nothing; do not send it again.", job.status.as_str());
    Err(Refusal::new(ErrorCode::NotRunning, sentence).with_job_status(job.status).into())
}

/// What the same report about this attempt led to, if this is a repetition.
async fn reported_before(
    conn: &mut PgConnection,
    id: JobId,
    attempt: i32,
    reported: Reported,
) -> sqlx::Result<Option<JobStatus>> {
    let ended = db::jobs::attempts::find(conn, id, attempt).await?;
    let same = |ended: &Ended| ended.reported == Some(reported) || ended.reported == Some(Reported::Held);
    Ok(ended.filter(same).map(|ended| ended.outcome.job_status()))
}

fn stale(attempt: i32, status: JobStatus) -> Refusal {
    let sentence = format!("Attempt {attempt} of this job is over. The report changed nothing; do not send it again.");
    Refusal::new(ErrorCode::StaleAttempt, sentence).with_job_status(status)
}
