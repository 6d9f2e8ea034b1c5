//! Carries the Director's decisions out: prompts the worker, asks the chat model, calls the hooks.

use super::chat::ChatModel;
use super::{Brief, DriveError, Limits, Phase};
use crate::worker::{TurnOutput, Worker};
use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

/// What the caller does around the turns.
#[async_trait]
pub trait DriveHooks: Send {
    /// Called after each worker turn: commits and pushes what the turn changed, and says what that was. An error ends
    /// the run as [`DriveError::Hook`].
    async fn after_worker_turn(
        &mut self,
        phase: Phase,
        turn: u32,
        output: &TurnOutput,
    ) -> Result<TurnChanges, anyhow::Error>;

    /// One entry of the ticket's log. Never fails the run.
    async fn log(&mut self, step: &str, summary: &str, raw_output: Option<&str>);
}

/// What a turn changed in the repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TurnChanges {
    /// Whether anything did.
    pub changed: bool,
    /// The files with their added and removed lines, as `git diff --stat` shows them; empty if nothing changed.
    pub diffstat: String,
    /// The change itself, if the Director should see it; cut to its size here.
    pub diff: Option<String>,
}

/// How a run ended well.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// What was done, for the pull request.
    pub summary: String,
    /// Why nothing needed to change, if the Director says so.
    pub reason: Option<String>,
    /// How many turns the worker took, research and plan included.
    pub worker_turns: u32,
    /// What the worker cost in dollars, where its model's prices are known.
    pub cost_usd: Option<f64>,
}

/// Runs one ticket to its end. `director: None` lets the worker work alone.
///
/// # Errors
/// The worker, the Director's model or a hook failed, the run was cancelled, or it reached one of its limits.
pub async fn run(
    _brief: &Brief,
    _limits: Limits,
    _worker: &mut dyn Worker,
    _director: Option<&ChatModel>,
    _hooks: &mut dyn DriveHooks,
    _cancel: &CancellationToken,
) -> Result<Outcome, DriveError> {
    Err(DriveError::Cancelled)
}
