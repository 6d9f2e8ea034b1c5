//! Which attempt a runner speaks for.

use crate::db;
use crate::domain::tickets::activity::AttemptOf;
use crate::job_tokens::JobToken;
use sqlx::PgConnection;
use terarchitect_worker_api::TicketId;

/// The attempt of the job token; without one the attempt that runs, unless the caller names another.
pub(in crate::actions) async fn attempt_of(
    conn: &mut PgConnection,
    token: Option<JobToken>,
    ticket: TicketId,
    named: Option<i32>,
) -> sqlx::Result<AttemptOf> {
    if let Some(token) = token {
        return Ok(AttemptOf { job: Some(token.job_id), attempt: Some(token.attempt) });
    }
    let running = db::jobs::running_attempt(conn, ticket).await?;
    let running = running.filter(|(_, attempt)| named.is_none_or(|named| named == *attempt));
    Ok(match running {
        Some((job, attempt)) => AttemptOf { job: Some(job), attempt: Some(attempt) },
        None => AttemptOf { job: None, attempt: named },
    })
}
