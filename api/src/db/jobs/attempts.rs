//! Ended attempts of jobs, with why they ended.

use crate::db::words::Word;
use crate::domain::jobs::attempt::{AttemptOutcome, Reported};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use terarchitect_worker_api::{JobId, JobReport};

/// How an attempt ended, as the queue saw it.
#[derive(Clone, Debug)]
pub struct EndedAttempt<'a> {
    /// The job.
    pub job_id: JobId,
    /// The attempt.
    pub attempt: i32,
    /// The worker that held it.
    pub worker_id: Option<&'a str>,
    /// When it was claimed.
    pub claimed_at: Option<DateTime<Utc>>,
    /// What became of the job.
    pub outcome: AttemptOutcome,
    /// Why.
    pub reason: &'a str,
    /// What its worker reported; none if it did not report, as with a lost lease.
    pub reported: Option<Reported>,
}

/// Stores an ended attempt with what its report said. Of a failure about which the worker has nothing to say, the runner's
/// own last word is kept: only the runner knows what went wrong inside of its container, and it says so in the log.
pub async fn insert(conn: &mut PgConnection, ended: &EndedAttempt<'_>, report: &JobReport) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into agent_job_attempts (job_id, attempt, worker_id, claimed_at, outcome, reason, detail, exit_code,
             oom_killed, log_tail, reported)
         values ($1, $2, $3, $4, $5, $6, coalesce($7, (
                 select activity.last_line from agent_jobs as job
                 join ticket_activity as activity on activity.ticket_id = job.ticket_id
                 where job.id = $1 and $6 = 'agent_failed' and activity.job_id = $1 and activity.attempt = $2
                     and activity.last_step = 'failed'
             )), $8, $9, $10, $11)",
        ended.job_id.0,
        ended.attempt,
        ended.worker_id,
        ended.claimed_at,
        ended.outcome.as_str(),
        ended.reason,
        report.detail,
        report.exit_code,
        report.oom_killed,
        report.log_tail,
        ended.reported.map(Reported::as_str)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How an attempt ended, for a repeated report about it.
#[derive(Clone, Debug)]
pub struct Ended {
    /// What became of the job.
    pub outcome: AttemptOutcome,
    /// What its worker reported.
    pub reported: Option<Reported>,
}

/// Why the attempts failed after which the job was retried, and how many for each reason.
pub async fn retried(conn: &mut PgConnection, job: JobId) -> sqlx::Result<Vec<(String, i32)>> {
    let rows = sqlx::query!(
        r#"select reason as "reason!", count(*)::integer as "count!" from agent_job_attempts
           where job_id = $1 and outcome = 'retried' group by reason"#,
        job.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.reason, row.count)).collect())
}

/// How an attempt ended; none while it runs, or if there was no such attempt.
pub async fn find(conn: &mut PgConnection, job: JobId, attempt: i32) -> sqlx::Result<Option<Ended>> {
    let row = sqlx::query!(
        r#"select outcome as "outcome: Word<AttemptOutcome>", reported as "reported: Word<Reported>"
           from agent_job_attempts where job_id = $1 and attempt = $2"#,
        job.0,
        attempt
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Ended { outcome: row.outcome.into(), reported: row.reported.map(Into::into) }))
}
