//! The fleet: what runs where, and the stop of everything.

use crate::db::words::Word;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use terarchitect_worker_api::{JobId, JobKind, ProjectId, TicketId};
use uuid::Uuid;

/// A job that a worker holds.
#[derive(Clone, Debug)]
pub struct RunningJob {
    /// The job.
    pub id: Uuid,
    /// Its attempt.
    pub attempt: i32,
    /// Its ticket.
    pub ticket_id: Uuid,
    /// The worker.
    pub worker_id: String,
    /// When it was claimed.
    pub claimed_at: Option<DateTime<Utc>>,
    /// How much of its lease is left.
    pub lease_remaining_ms: i64,
}

/// The jobs that named workers hold, of the visible projects; `None`: all.
pub async fn running(conn: &mut PgConnection, visible: Option<&[Uuid]>) -> sqlx::Result<Vec<RunningJob>> {
    sqlx::query_as!(
        RunningJob,
        r#"select id, attempt, ticket_id, worker_id as "worker_id!", claimed_at,
               greatest(0, extract(epoch from lease_expires_at - now()) * 1000)::bigint as "lease_remaining_ms!"
           from agent_jobs
           where status = 'running' and worker_id is not null and ($1::uuid[] is null or project_id = any ($1))
           order by claimed_at, id"#,
        visible
    )
    .fetch_all(conn)
    .await
}

/// Lets no claim begin until the transaction ends, and waits for those that have begun.
pub async fn lock_claims(conn: &mut PgConnection) -> sqlx::Result<()> {
    // Locks what `claim_jobs` locks.
    sqlx::query!("select pg_advisory_xact_lock(7311001)").execute(conn).await?;
    Ok(())
}

/// Notes that everything is stopped. Returns false if it was already.
pub async fn stop(conn: &mut PgConnection, by: &str) -> sqlx::Result<bool> {
    let stop = sqlx::query!(
        "update queue_state set stopped_at = now(), stopped_by = $1 where only_row and stopped_at is null",
        by
    );
    Ok(stop.execute(conn).await?.rows_affected() == 1)
}

/// Notes that claims are allowed again; waiting claims are notified. Returns false if they were already.
pub async fn resume(conn: &mut PgConnection) -> sqlx::Result<bool> {
    let resume = sqlx::query!(
        "update queue_state set stopped_at = null, stopped_by = null where only_row and stopped_at is not null"
    );
    Ok(resume.execute(conn).await?.rows_affected() == 1)
}

/// A job that was asked to stop.
#[derive(Clone, Copy, Debug)]
pub struct AskedToStop {
    /// The job.
    pub id: JobId,
    /// Its ticket.
    pub ticket_id: TicketId,
    /// Its project.
    pub project_id: ProjectId,
    /// What it asks for.
    pub kind: JobKind,
}

/// Asks every running job to stop that was not asked before, as a person does with one of them.
pub async fn request_stop_of_all(conn: &mut PgConnection) -> sqlx::Result<Vec<AskedToStop>> {
    let rows = sqlx::query!(
        // Locks the running jobs, in the order in which every statement locks several jobs; then their tickets, as
        // everywhere. Runners without a job token poll the ticket; a review's stop must not stop the ticket's own job.
        r#"with running as materialized (
               select id from agent_jobs where status = 'running' order by id for update
           ), asked as (
               update agent_jobs as job set cancel_requested_at = now(), requeue_requested = false
               from running where job.id = running.id and job.cancel_requested_at is null
               returning job.id, job.ticket_id, job.project_id, job.kind
           ), told as (
               update tickets as ticket set cancel_requested_at = coalesce(ticket.cancel_requested_at, now())
               from asked where ticket.id = asked.ticket_id and (asked.kind = 'ticket' or not exists (
                   select from agent_jobs as other
                   where other.ticket_id = asked.ticket_id and other.id <> asked.id
                     and other.status in ('pending', 'running')
               ))
           )
           select id as "id!", ticket_id as "ticket_id!", project_id as "project_id!", kind as "kind!: Word<JobKind>"
           from asked order by id"#
    )
    .fetch_all(conn)
    .await?;
    let asked = rows.into_iter().map(|row| AskedToStop {
        id: row.id.into(),
        ticket_id: row.ticket_id.into(),
        project_id: row.project_id.into(),
        kind: row.kind.into(),
    });
    Ok(asked.collect())
}
