//! Checkpoints: opened once for each key of a job, decided once.

pub mod conversations;
pub mod list;

use crate::db::words::Word;
use crate::domain::checkpoints::{EXPIRES_AFTER, NewCheckpoint};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;
use terarchitect_worker_api::{CheckpointStage, CheckpointStatus, CheckpointType, JobId, ProjectId, TicketId};
use uuid::Uuid;

/// A stored checkpoint.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The checkpoint.
    pub id: Uuid,
    /// Its project.
    pub project_id: ProjectId,
    /// Its ticket.
    pub ticket_id: TicketId,
    /// Its job.
    pub job_id: JobId,
    /// The attempt that opened it; none: it was opened with the job.
    pub attempt: Option<i32>,
    /// What makes it one among those of its job.
    pub key: String,
    /// What it wants of a person.
    pub kind: CheckpointType,
    /// Where in the job's life it stands.
    pub stage: Option<Word<CheckpointStage>>,
    /// What became of it.
    pub status: CheckpointStatus,
    /// What a person should decide or know.
    pub message: String,
    /// What it is about.
    pub data: Value,
    /// For programs.
    pub metadata: Value,
    /// Who decided, as events name them.
    pub decided_by: Option<String>,
    /// When that was.
    pub decided_at: Option<DateTime<Utc>>,
    /// What the person said to it.
    pub words: Option<String>,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
    /// Whether that is past.
    pub is_late: bool,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// Checkpoints with these conditions.
macro_rules! checkpoints_where {
    ($rest:literal, $($parameter:expr),+) => {
        sqlx::query_as!(
            crate::db::checkpoints::Checkpoint,
            r#"select id, project_id, ticket_id, job_id, attempt, key, type as "kind: Word<CheckpointType>",
                   stage as "stage: Word<CheckpointStage>", status as "status: Word<CheckpointStatus>", message, data, metadata,
                   decided_by, decided_at, words, expires_at, expires_at <= now() as "is_late!", created_at, updated_at
               from checkpoints where "# + $rest,
            $($parameter),+
        )
    };
}
pub(crate) use checkpoints_where;

/// Opens a checkpoint, unless its job has one with this key. Returns whether it is new.
pub async fn open(conn: &mut PgConnection, new: &NewCheckpoint) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "insert into checkpoints (id, project_id, ticket_id, job_id, attempt, key, type, stage, message, data, metadata,
             expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, now() + $12 * interval '1 second')
         on conflict on constraint checkpoints_key_key do nothing",
        Uuid::now_v7(),
        new.project_id.0,
        new.ticket_id.0,
        new.job_id.0,
        new.attempt,
        new.key,
        new.kind.as_str(),
        new.stage.map(CheckpointStage::as_str),
        new.message,
        json!(new.data),
        json!(new.metadata),
        EXPIRES_AFTER.as_secs_f64()
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A checkpoint.
pub async fn find(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Checkpoint>> {
    checkpoints_where!("id = $1", id).fetch_optional(conn).await
}

/// The checkpoint of a job that has this key.
pub async fn find_by_key(conn: &mut PgConnection, job: JobId, key: &str) -> sqlx::Result<Option<Checkpoint>> {
    checkpoints_where!("job_id = $1 and key = $2", job.0, key).fetch_optional(conn).await
}

/// A checkpoint, locked until the transaction ends. Its job's row is locked before.
pub async fn find_for_update(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Checkpoint>> {
    // Locks the checkpoint: of two decisions about it, the second learns of the first.
    checkpoints_where!("id = $1 for update", id).fetch_optional(conn).await
}

/// The job that a checkpoint belongs to.
pub async fn job_of(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<JobId>> {
    let job = sqlx::query_scalar!("select job_id from checkpoints where id = $1", id);
    Ok(job.fetch_optional(conn).await?.map(JobId))
}

/// The project that a checkpoint belongs to.
pub async fn project_of(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<ProjectId>> {
    let project = sqlx::query_scalar!("select project_id from checkpoints where id = $1", id);
    Ok(project.fetch_optional(conn).await?.map(ProjectId))
}

/// Stores what became of a checkpoint that was pending.
pub async fn decide(
    conn: &mut PgConnection,
    id: Uuid,
    status: CheckpointStatus,
    by: &str,
    words: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update checkpoints set status = $2, decided_by = $3, decided_at = now(), words = $4, updated_at = now()
         where id = $1 and status = 'pending'",
        id,
        status.as_str(),
        by,
        words
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a job waits for another decision.
pub async fn waits_for_more(conn: &mut PgConnection, job: JobId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from checkpoints where job_id = $1 and status = 'pending' and type = 'approval_required'
           ) as "waits!""#,
        job.0
    )
    .fetch_one(conn)
    .await
}

/// Rejects what a job that has ended waited for. Returns which.
pub async fn close_of_job(conn: &mut PgConnection, job: JobId, by: &str, words: &str) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "update checkpoints set status = 'rejected', decided_by = $2, decided_at = now(), words = $3, updated_at = now()
         where job_id = $1 and status = 'pending' and type = 'approval_required' returning id",
        job.0,
        by,
        words
    )
    .fetch_all(conn)
    .await
}

/// Checkpoints that were not decided in time, the longest past first.
pub async fn expired(conn: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select id from checkpoints where status = 'pending' and expires_at <= now() order by expires_at limit $1",
        limit
    )
    .fetch_all(conn)
    .await
}
