//! What turns changed, and whole branches: compressed patches that outlive the branch.

use crate::domain::tickets::activity::AttemptOf;
use sqlx::PgConnection;
use terarchitect_worker_api::{DiffInfo, ProjectId, StoreDiffRequest, TicketId};
use uuid::Uuid;

/// A diff to store.
#[derive(Clone, Debug)]
pub struct NewDiff {
    /// The project.
    pub project_id: ProjectId,
    /// The ticket.
    pub ticket_id: TicketId,
    /// The attempt that sent it.
    pub by: AttemptOf,
    /// What was sent, without the patch.
    pub request: StoreDiffRequest,
    /// How long the patch is.
    pub bytes: i64,
    /// The patch, compressed with gzip.
    pub patch: Vec<u8>,
}

/// Stores a diff. A second one of the same turn of the same attempt takes the place of the first.
pub async fn store(conn: &mut PgConnection, new: &NewDiff) -> sqlx::Result<DiffInfo> {
    let request = &new.request;
    sqlx::query_as!(
        DiffInfo,
        r#"insert into ticket_diffs (id, project_id, ticket_id, job_id, attempt, turn, commit_id, base_id, files, added,
             removed, patch, patch_bytes, truncated)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         on conflict on constraint ticket_diffs_turn_key do update set commit_id = excluded.commit_id,
             base_id = excluded.base_id, files = excluded.files, added = excluded.added, removed = excluded.removed,
             patch = excluded.patch, patch_bytes = excluded.patch_bytes, truncated = excluded.truncated, created_at = now()
         returning id, attempt, turn, commit_id as "commit", base_id as "base", files, added, removed,
             patch_bytes as "bytes", truncated, created_at"#,
        Uuid::now_v7(),
        new.project_id.0,
        new.ticket_id.0,
        new.by.job.map(|job| job.0),
        new.by.attempt,
        request.turn,
        request.commit,
        request.base,
        request.files,
        request.added,
        request.removed,
        new.patch,
        new.bytes,
        request.truncated
    )
    .fetch_one(conn)
    .await
}

/// A ticket's diffs, the oldest first.
pub async fn list(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Vec<DiffInfo>> {
    sqlx::query_as!(
        DiffInfo,
        r#"select id, attempt, turn, commit_id as "commit", base_id as "base", files, added, removed,
             patch_bytes as "bytes", truncated, created_at
         from ticket_diffs where ticket_id = $1 order by created_at, turn nulls last, id"#,
        ticket.0
    )
    .fetch_all(conn)
    .await
}

/// A patch, compressed with gzip.
pub async fn patch(conn: &mut PgConnection, ticket: TicketId, id: Uuid) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!("select patch from ticket_diffs where ticket_id = $1 and id = $2", ticket.0, id)
        .fetch_optional(conn)
        .await
}
