//! Lists of checkpoints, and how many there are.

use super::{Checkpoint, checkpoints_where};
use crate::db::words::Word;
use sqlx::PgConnection;
use terarchitect_worker_api::{CheckpointStage, CheckpointStatus, CheckpointType, JobId, TicketId};
use uuid::Uuid;

/// The most checkpoints of a job that are read: more than one job opens.
const MAX_OF_JOB: i64 = 500;

/// What waits for a person and is not late, the oldest first.
pub async fn pending(
    conn: &mut PgConnection,
    kind: Option<CheckpointType>,
    limit: i64,
    offset: i64,
) -> sqlx::Result<Vec<Checkpoint>> {
    checkpoints_where!(
        "status = 'pending' and expires_at > now() and ($1::text is null or type = $1)
         order by expires_at, seq limit $2 offset $3",
        kind.map(CheckpointType::as_str),
        limit,
        offset
    )
    .fetch_all(conn)
    .await
}

/// The checkpoints of a job, the oldest first.
pub async fn of_job(conn: &mut PgConnection, job: JobId) -> sqlx::Result<Vec<Checkpoint>> {
    checkpoints_where!("job_id = $1 order by seq limit $2", job.0, MAX_OF_JOB).fetch_all(conn).await
}

/// The checkpoints of all jobs of a ticket, the oldest first.
pub async fn of_ticket(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Vec<Checkpoint>> {
    checkpoints_where!("ticket_id = $1 order by seq limit $2", ticket.0, MAX_OF_JOB).fetch_all(conn).await
}

/// What jobs of the visible projects wait for, unless their ticket was put off; `None`: of all projects.
pub async fn for_a_person(
    conn: &mut PgConnection,
    visible: Option<&[Uuid]>,
    limit: i64,
) -> sqlx::Result<Vec<Checkpoint>> {
    checkpoints_where!(
        "status = 'pending' and type = 'approval_required' and expires_at > now()
             and ($1::uuid[] is null or project_id = any ($1))
             and not exists (
                 select from inbox_snoozes as snooze where snooze.ticket_id = checkpoints.ticket_id and snooze.until > now()
             )
         order by expires_at limit $2",
        visible,
        limit
    )
    .fetch_all(conn)
    .await
}

/// How many checkpoints there are of each status.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Those that wait.
    pub pending: i64,
    /// Those that were approved.
    pub approved: i64,
    /// Those that were rejected.
    pub rejected: i64,
    /// Those that were not decided in time.
    pub expired: i64,
}

/// Counts all checkpoints.
pub async fn count(conn: &mut PgConnection) -> sqlx::Result<Counts> {
    sqlx::query_as!(
        Counts,
        r#"select (select count(*) from checkpoints where status = 'pending') as "pending!",
               (select count(*) from checkpoints where status = 'approved') as "approved!",
               (select count(*) from checkpoints where status = 'rejected') as "rejected!",
               (select count(*) from checkpoints where status = 'expired') as "expired!""#
    )
    .fetch_one(conn)
    .await
}
