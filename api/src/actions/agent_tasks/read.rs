//! Such jobs with everything about them.

use super::change::find;
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::agent_tasks::{AgentTask, TaskFilter};
use crate::db::checkpoints::Checkpoint;
use crate::db::jobs::list::AttemptEntry;
use crate::db::tickets::logs::LogEntry;
use sqlx::PgConnection;
use terarchitect_worker_api::{ModelUsage, TicketId};

/// The most entries of a log that come with one.
const MAX_LOGS: i64 = 1_000;
/// How many checkpoints come with each of a list.
const CHECKPOINTS_IN_LIST: usize = 5;

/// Such a job with everything about it.
#[derive(Clone, Debug)]
pub struct Whole {
    /// The job.
    pub task: AgentTask,
    /// Its checkpoints, the oldest first.
    pub checkpoints: Vec<Checkpoint>,
    /// The latest entries of its log, the oldest first.
    pub logs: Vec<LogEntry>,
    /// Its ended attempts, the oldest first.
    pub attempts: Vec<AttemptEntry>,
    /// What the calls of models came to.
    pub usage: Vec<ModelUsage>,
}

/// Such a job in a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The job.
    pub task: AgentTask,
    /// Its newest checkpoints, the newest first.
    pub checkpoints: Vec<Checkpoint>,
    /// What the calls of models came to.
    pub usage: Vec<ModelUsage>,
}

/// One of them.
///
/// # Errors
/// When there is none.
pub async fn whole(database: &Database, id: TicketId) -> ActionResult<Whole> {
    let task = find(database, id).await?;
    let mut conn = database.read().await?;
    let checkpoints = db::checkpoints::list::of_ticket(&mut conn, id).await?;
    let attempts = db::jobs::list::attempts(&mut conn, task.job_id).await?;
    let logs = db::tickets::logs::list_between(&mut conn, id, task.created_at, None, MAX_LOGS).await?;
    let usage = usage(&mut conn, id).await?;
    Ok(Whole { task, checkpoints, logs, attempts, usage })
}

/// One of them without what happened to it, and what the calls of models came to.
///
/// # Errors
/// When there is none.
pub async fn one(database: &Database, id: TicketId) -> ActionResult<(AgentTask, Vec<ModelUsage>)> {
    let task = find(database, id).await?;
    let usage = usage(&mut *database.read().await?, id).await?;
    Ok((task, usage))
}

async fn usage(conn: &mut PgConnection, id: TicketId) -> ActionResult<Vec<ModelUsage>> {
    let rows = db::tickets::usage::of_ticket(conn, id).await?;
    Ok(rows.into_iter().map(|row| row.usage).collect())
}

/// A page of them, each with its newest checkpoints, and how many there are.
///
/// # Errors
/// When the database is not available.
pub async fn page(
    database: &Database,
    filter: &TaskFilter,
    limit: i64,
    offset: i64,
) -> ActionResult<(Vec<Listed>, i64)> {
    let mut conn = database.read().await?;
    let mut all = Vec::new();
    for task in db::agent_tasks::list(&mut conn, filter, limit, offset).await? {
        let mut checkpoints = db::checkpoints::list::of_ticket(&mut conn, task.ticket_id).await?;
        checkpoints.reverse();
        checkpoints.truncate(CHECKPOINTS_IN_LIST);
        let usage = usage(&mut conn, task.ticket_id).await?;
        all.push(Listed { task, checkpoints, usage });
    }
    Ok((all, db::agent_tasks::count(&mut conn, filter).await?))
}
