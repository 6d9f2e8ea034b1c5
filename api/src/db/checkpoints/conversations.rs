//! What agents and Directors of live jobs remember: one archive for each job, the newest.

use sqlx::PgConnection;
use terarchitect_worker_api::{ConversationInfo, JobId, ProjectId, TicketId};

/// Keeps a conversation; an older one of the job is replaced.
pub async fn keep(
    conn: &mut PgConnection,
    (project, ticket, job): (ProjectId, TicketId, JobId),
    info: &ConversationInfo,
    archive: &[u8],
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into conversations (job_id, project_id, ticket_id, attempt, turn, agent, archive)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict on constraint conversations_pkey do update set attempt = excluded.attempt, turn = excluded.turn,
             agent = excluded.agent, archive = excluded.archive, created_at = now()",
        job.0,
        project.0,
        ticket.0,
        info.attempt,
        info.turn,
        info.agent,
        archive
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What is kept of a job's conversation.
pub async fn info(conn: &mut PgConnection, job: JobId) -> sqlx::Result<Option<ConversationInfo>> {
    sqlx::query_as!(
        ConversationInfo,
        r#"select attempt, turn, agent, octet_length(archive)::bigint as "bytes!" from conversations where job_id = $1"#,
        job.0
    )
    .fetch_optional(conn)
    .await
}

/// A job's conversation.
pub async fn archive(conn: &mut PgConnection, job: JobId) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!("select archive from conversations where job_id = $1", job.0).fetch_optional(conn).await
}

/// Deletes the conversations of jobs that have ended: nothing goes on from there. Returns how many.
pub async fn delete_ended(conn: &mut PgConnection, limit: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        // Skips rows that are locked: they are checked again next time.
        "delete from conversations where job_id in (
             select kept.job_id from conversations as kept
             where exists (
                 select from agent_jobs as job
                 where job.id = kept.job_id and job.status in ('completed', 'failed', 'cancelled')
             )
             limit $1 for update of kept skip locked
         )",
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
