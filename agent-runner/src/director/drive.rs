//! Carries the Director's decisions out: prompts the worker, asks the chat model, calls the hooks.

use super::chat::{ChatMessage, ChatModel};
use super::flow::{Action, Event, Failure, next, start};
use super::words::Report;
use super::{Brief, DriveError, Limits, Phase};
use crate::worker::{TurnOutput, Worker, WorkerError};
use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

/// What the caller does around the turns.
#[async_trait]
pub trait DriveHooks: Send {
    /// Called after each worker turn: logs it, commits and pushes what it changed, and says what that was. `turn`
    /// counts all turns of the worker from 1. An error ends the run as [`DriveError::Hook`].
    async fn after_worker_turn(
        &mut self,
        phase: Phase,
        turn: u32,
        output: &TurnOutput,
    ) -> Result<TurnChanges, anyhow::Error>;

    /// One entry of the ticket's log: the start of a turn, or what the Director decided, with its answer as it came.
    /// Never fails the run.
    async fn log(&mut self, step: &str, summary: &str, raw_output: Option<&str>);
}

/// What a turn changed in the repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TurnChanges {
    /// Whether anything did.
    pub changed: bool,
    /// The files with their added and removed lines, as `git diff --stat` shows them; empty if nothing changed.
    pub diffstat: String,
    /// The change itself, if the Director should see it; it is cut to size here.
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

/// Runs one ticket to its end. `director: None` lets the worker work alone. The worker is left running, for
/// [`Worker::shutdown`].
///
/// # Errors
/// The worker, the Director's model or a hook failed, the run was cancelled, or it gave up.
pub async fn run(
    brief: &Brief,
    limits: Limits,
    worker: &mut dyn Worker,
    director: Option<&ChatModel>,
    hooks: &mut dyn DriveHooks,
    cancel: &CancellationToken,
) -> Result<Outcome, DriveError> {
    let mut drive = Drive { worker, director, hooks, cancel, worker_turns: 0, cost_usd: None };
    let mut step = start(brief.clone(), limits, director.is_some());
    let mut answer = None;
    loop {
        if let Some(note) = &step.note {
            tracing::info!(phase = %note.phase, "{}", note.text);
            drive.hooks.log(note.phase.as_str(), &note.text, answer.as_deref()).await;
        }
        let event = match step.action {
            Action::PromptWorker { phase, prompt } => drive.prompt(phase, &prompt).await?,
            Action::AskDirector { phase, messages } => drive.ask(phase, &messages).await?,
            Action::Summarize => drive.summarize().await?,
            Action::Finish { summary, reason } => return Ok(drive.outcome(summary, reason)),
            Action::Fail(failure) => return Err(failed(failure)),
        };
        answer = match &event {
            Event::DirectorSaid(answer) => Some(answer.clone()),
            _ => None,
        };
        step = next(step.state, event);
    }
}

struct Drive<'a> {
    worker: &'a mut dyn Worker,
    director: Option<&'a ChatModel>,
    hooks: &'a mut dyn DriveHooks,
    cancel: &'a CancellationToken,
    worker_turns: u32,
    cost_usd: Option<f64>,
}

impl Drive<'_> {
    async fn prompt(&mut self, phase: Phase, prompt: &str) -> Result<Event, DriveError> {
        self.stop_if_cancelled()?;
        self.worker_turns += 1;
        let turn = self.worker_turns;
        tracing::info!(phase = %phase, turn, "worker turn {turn} starts: {phase}");
        self.hooks.log(phase.as_str(), &format!("Worker turn {turn} starts"), None).await;
        let output = self.worker.prompt(prompt, self.cancel).await.map_err(DriveError::from_worker)?;
        tracing::info!(
            phase = %phase,
            turn,
            duration_ms = output.duration.as_millis(),
            tools = output.tools.len(),
            cost_usd = output.cost_usd,
            "worker turn {turn} ended"
        );
        if let Some(cost) = output.cost_usd {
            self.cost_usd = Some(self.cost_usd.unwrap_or_default() + cost);
        }
        let tools: Vec<String> = output.tools.iter().map(ToString::to_string).collect();
        let changes = self.hooks.after_worker_turn(phase, turn, &output).await.map_err(DriveError::Hook)?;
        Ok(Event::WorkerDone(Report { text: output.text, tools, changes }))
    }

    async fn ask(&mut self, phase: Phase, messages: &[ChatMessage]) -> Result<Event, DriveError> {
        // The core asks only if there is somebody to ask.
        let Some(director) = self.director else { return Err(DriveError::OutOfOrder) };
        let answer = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(DriveError::Cancelled),
            answer = director.ask(messages) => answer.map_err(DriveError::Director)?,
        };
        tracing::debug!(
            phase = %phase,
            tokens.input = answer.tokens_in,
            tokens.output = answer.tokens_out,
            "the Director answered"
        );
        Ok(Event::DirectorSaid(answer.text))
    }

    /// A compaction that the model fails at is left for the next time; the conversation still stands.
    async fn summarize(&mut self) -> Result<Event, DriveError> {
        self.stop_if_cancelled()?;
        let text = match self.worker.summarize(self.cancel).await {
            Ok(()) => "The worker's conversation was compacted".to_owned(),
            Err(error @ WorkerError::Model { .. }) if !error.is_misconfiguration() => {
                format!("The worker's conversation could not be compacted, going on without: {error}")
            }
            Err(error) => return Err(DriveError::from_worker(error)),
        };
        tracing::info!("{text}");
        self.hooks.log("summarize", &text, None).await;
        Ok(Event::Compacted)
    }

    fn stop_if_cancelled(&self) -> Result<(), DriveError> {
        if self.cancel.is_cancelled() { Err(DriveError::Cancelled) } else { Ok(()) }
    }

    fn outcome(self, summary: String, reason: Option<String>) -> Outcome {
        Outcome { summary, reason, worker_turns: self.worker_turns, cost_usd: self.cost_usd }
    }
}

fn failed(failure: Failure) -> DriveError {
    match failure {
        Failure::UnreadableAnswer { phase, problem } => DriveError::UnreadableAnswer { phase, problem },
        Failure::TurnLimit { limit } => DriveError::TurnLimit { limit },
        Failure::Blocked { reason } => DriveError::Blocked { reason },
        Failure::OutOfOrder => DriveError::OutOfOrder,
    }
}
