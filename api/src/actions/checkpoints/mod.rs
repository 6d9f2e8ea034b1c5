//! Checkpoints: opened by jobs, decided by people, expired by time; and jobs that are held meanwhile.

pub mod close;
pub mod conversations;
pub mod decide;
pub mod hold;
pub mod listed;
pub mod open;
pub mod view;
pub mod wait;

use crate::db::checkpoints::Checkpoint;
use terarchitect_worker_api::RunnerCheckpoint;

/// A checkpoint as its runner sees it.
fn for_runner(checkpoint: Checkpoint) -> RunnerCheckpoint {
    RunnerCheckpoint { id: checkpoint.id, key: checkpoint.key, status: checkpoint.status, words: checkpoint.words }
}
