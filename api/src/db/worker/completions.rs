//! Completions, many in one statement.

use sqlx::PgConnection;
use std::collections::HashMap;
use std::time::Duration;
use terarchitect_worker_api::{JobId, JobReport};
use uuid::Uuid;

/// The report that an attempt completed.
#[derive(Clone, Debug)]
pub struct Completion {
    /// The job.
    pub job_id: JobId,
    /// What was reported.
    pub report: JobReport,
}

/// A completed attempt.
#[derive(Clone, Copy, Debug)]
pub struct CompletedAttempt {
    /// Which one.
    pub attempt: i32,
    /// How long it was held.
    pub ran: Duration,
}

/// The jobs that were completed.
pub type Recorded = HashMap<JobId, CompletedAttempt>;

/// Completes running attempts in one statement: of each job at most one, as far as the reported attempt is the running
/// one and the reporting worker holds it. A job whose end means more for its ticket is left to the caller. Notifies
/// waiting claims about limited projects that have room again.
pub async fn complete_many(conn: &mut PgConnection, completions: &[&Completion]) -> sqlx::Result<Recorded> {
    let ids: Vec<Uuid> = completions.iter().map(|completion| completion.job_id.0).collect();
    let column = |get: fn(&JobReport) -> Option<&String>| -> Vec<Option<String>> {
        completions.iter().map(|completion| get(&completion.report).cloned()).collect()
    };
    let attempts: Vec<_> = completions.iter().map(|completion| completion.report.attempt).collect();
    let exit_codes: Vec<_> = completions.iter().map(|completion| completion.report.exit_code).collect();
    let oom_killed: Vec<_> = completions.iter().map(|completion| completion.report.oom_killed).collect();
    let rows = sqlx::query!(
        // Not fenced by the status, which would lead the planner to the index of running jobs with its dead entries:
        // a job that is not running has no lease.
        r#"with ended as materialized (
               update agent_jobs as job
               set status = 'completed', outcome_reason = 'completed', finished_at = now(), lease_expires_at = null,
                   request_id = null
               from unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::integer[], $6::boolean[], $7::text[])
                   as report (id, attempt, worker, detail, exit_code, oom_killed, log_tail)
               where job.id = report.id and job.attempt = coalesce(report.attempt, job.attempt)
                 and (report.worker is null or report.worker = job.worker_id)
                 and job.lease_expires_at is not null and not job.requeue_requested
               returning job.id, job.attempt, job.worker_id, job.claimed_at, job.project_id, report.detail,
                   report.exit_code, report.oom_killed, report.log_tail, job.ticket_id
           ), kept as (
               insert into agent_job_attempts (job_id, attempt, worker_id, claimed_at, outcome, reason, detail,
                   exit_code, oom_killed, log_tail, reported)
               select id, attempt, worker_id, claimed_at, 'completed', 'completed', detail, exit_code, oom_killed,
                   log_tail, 'completed'
               from ended
           ), recorded as (
               insert into events (kind, actor, project_id, ticket_id, job_id, attempt, data)
               select 'attempt.ended', coalesce('worker:' || worker_id, 'worker'), project_id, ticket_id, id, attempt,
                   '{"outcome": "completed", "reason": "completed", "job_status": "completed"}'
               from ended where events_are_on()
           ), freed as materialized (
               select project.id from (select distinct project_id from ended) as of_project
               join projects as project on project.id = of_project.project_id
               where project.max_running is not null
           ), told as materialized (select notify_due(array_agg(freed.id)) from freed having count(*) > 0)
           select ended.id as "id!", ended.attempt as "attempt!", (select count(*) from told) as told,
               coalesce(extract(epoch from clock_timestamp() - ended.claimed_at), 0)::float8 as "ran_sec!"
           from ended"#,
        &ids,
        &attempts as &[Option<i32>],
        &column(|report| report.worker_id.as_ref()) as &[Option<String>],
        &column(|report| report.detail.as_ref()) as &[Option<String>],
        &exit_codes as &[Option<i32>],
        &oom_killed as &[Option<bool>],
        &column(|report| report.log_tail.as_ref()) as &[Option<String>]
    )
    .fetch_all(conn)
    .await?;
    let recorded = rows.into_iter().map(|row| {
        let ran = Duration::try_from_secs_f64(row.ran_sec).unwrap_or_default();
        (JobId(row.id), CompletedAttempt { attempt: row.attempt, ran })
    });
    Ok(recorded.collect())
}
