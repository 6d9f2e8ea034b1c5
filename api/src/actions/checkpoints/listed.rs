//! Checkpoints that wait, each with its job.

use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::checkpoints::Checkpoint;
use crate::db::jobs::list::JobEntry;
use sqlx::PgConnection;
use terarchitect_worker_api::CheckpointType;

/// A checkpoint with its job and its ticket's title; none if they were deleted at this moment.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Its job, with the ticket's title.
    pub job: Option<(JobEntry, String)>,
}

/// What waits for a person, the oldest first.
///
/// # Errors
/// When the database is not available.
pub async fn listed(
    database: &Database,
    kind: Option<CheckpointType>,
    limit: i64,
    offset: i64,
) -> ActionResult<Vec<Listed>> {
    let mut conn = database.read().await?;
    let mut found = Vec::new();
    for checkpoint in db::checkpoints::list::pending(&mut conn, kind, limit, offset).await? {
        found.push(with_job(&mut conn, checkpoint).await?);
    }
    Ok(found)
}

/// One checkpoint with its job.
///
/// # Errors
/// When the database is not available.
pub async fn of_checkpoint(database: &Database, checkpoint: Checkpoint) -> ActionResult<Listed> {
    with_job(&mut *database.read().await?, checkpoint).await
}

async fn with_job(conn: &mut PgConnection, checkpoint: Checkpoint) -> ActionResult<Listed> {
    let job = db::jobs::list::find(conn, checkpoint.job_id).await?;
    let title = db::tickets::inbox::titles(conn, &[checkpoint.ticket_id.0]).await?.remove(&checkpoint.ticket_id.0);
    Ok(Listed { checkpoint, job: job.zip(title) })
}
