//! Ended attempts of jobs, with why they ended.

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
    /// Who held it.
    pub worker_id: Option<&'a str>,
    /// When it was claimed.
    pub claimed_at: Option<DateTime<Utc>>,
    /// `completed`, `failed`, `cancelled` or `retried`.
    pub outcome: &'a str,
    /// Why.
    pub reason: &'a str,
}

/// Stores an ended attempt with what its report said.
pub async fn insert(conn: &mut PgConnection, ended: &EndedAttempt<'_>, report: &JobReport) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into agent_job_attempts (job_id, attempt, worker_id, claimed_at, outcome, reason, detail, exit_code,
             oom_killed, log_tail)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        ended.job_id.0,
        ended.attempt,
        ended.worker_id,
        ended.claimed_at,
        ended.outcome,
        ended.reason,
        report.detail,
        report.exit_code,
        report.oom_killed,
        report.log_tail
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The outcome of an ended attempt.
pub async fn outcome(conn: &mut PgConnection, job: JobId, attempt: i32) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("select outcome from agent_job_attempts where job_id = $1 and attempt = $2", job.0, attempt)
        .fetch_optional(conn)
        .await
}
