//! What an attempt remembers, kept for the next one.

use super::open::lock_running;
use crate::actions::ActionResult;
use crate::actions::tickets::attempt::attempt_of;
use crate::changes::Database;
use crate::db;
use crate::domain::actor::Actor;
use crate::domain::refusal::Refusal;
use crate::job_tokens::JobToken;
use terarchitect_worker_api::{ConversationInfo, ProjectId, TicketId};

/// The longest name of an agent program, in bytes.
const MAX_AGENT_BYTES: usize = 100;

/// Keeps the conversation of the attempt that runs; an older one is replaced. No event: nothing that anyone watches changes.
///
/// # Errors
/// When no attempt of the ticket runs for this caller, or the archive is too large.
pub async fn keep(
    database: &Database,
    actor: &Actor,
    token: Option<JobToken>,
    (project, ticket): (ProjectId, TicketId),
    (turn, agent): (i32, String),
    archive: &[u8],
) -> ActionResult<ConversationInfo> {
    if agent.is_empty() || agent.len() > MAX_AGENT_BYTES || turn < 0 {
        return Err(Refusal::invalid("'agent' must name an agent program, and 'turn' must not be negative.").into());
    }
    let mut change = database.change(actor).await?;
    let (job, reported) = lock_running(&mut change, token, (project, ticket), None).await?;
    let bytes = i64::try_from(archive.len()).unwrap_or(i64::MAX);
    let info = ConversationInfo { attempt: reported.attempt, turn, agent, bytes };
    db::checkpoints::conversations::keep(&mut change, (project, ticket, job), &info, archive).await?;
    change.commit().await?;
    Ok(info)
}

/// The conversation of the caller's job; none if none was kept.
///
/// # Errors
/// When the database is not available.
pub async fn kept(database: &Database, token: Option<JobToken>, ticket: TicketId) -> ActionResult<Option<Vec<u8>>> {
    let mut conn = database.read().await?;
    let Some(job) = attempt_of(&mut conn, token, ticket, None).await?.job else { return Ok(None) };
    Ok(db::checkpoints::conversations::archive(&mut conn, job).await?)
}
