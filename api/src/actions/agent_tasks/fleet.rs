//! The fleet as one worker, as the agent worker's guide sees it.

use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::agent_tasks::Counts;
use crate::domain::worker::fleet::is_lost;

/// How the fleet is doing.
#[derive(Clone, Copy, Debug)]
pub struct WorkerState {
    /// Claims are allowed, and a coordinator is there.
    pub is_running: bool,
    /// How many jobs all coordinators may run at once.
    pub slots: i64,
    /// The jobs of the queue.
    pub jobs: Counts,
}

/// How the fleet is doing.
///
/// # Errors
/// When the database is not available.
pub async fn worker_state(database: &Database) -> ActionResult<WorkerState> {
    let mut tx = database.transaction().await?;
    db::prefer_indexes(&mut tx).await?;
    let stopped = db::live::surroundings::queue_state(&mut tx).await?.stopped_at.is_some();
    let there = db::worker::coordinators::list(&mut tx).await?;
    let there: Vec<_> =
        there.into_iter().filter(|one| !is_lost((one.last_heartbeat_sec * 1000.0).max(0.0) as i64)).collect();
    let slots = there.iter().map(|one| i64::from(one.limit.or(one.slots).unwrap_or(0))).sum();
    let jobs = db::agent_tasks::counts(&mut tx).await?;
    tx.commit().await?;
    Ok(WorkerState { is_running: !stopped && !there.is_empty(), slots, jobs })
}
