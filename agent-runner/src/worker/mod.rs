//! The seam between the runner and a coding agent: one agent, one continuing conversation, whole turns.
//!
//! It says what a turn is and how one can fail. How an agent is started and talked to is the implementation's
//! business ([`opencode`]); what to tell it is the [`director`](crate::director)'s.

mod api_base;
mod error;
pub mod opencode;

pub use api_base::{InvalidBase, api_base};
pub use error::{ModelFailure, WorkerError};

use async_trait::async_trait;
use std::fmt;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// One coding agent with one continuing conversation.
#[async_trait]
pub trait Worker: Send {
    /// Name and version for logs, e.g. "OpenCode 1.18.33".
    fn name(&self) -> String;

    /// Runs one turn to its end. Ends early with [`WorkerError::Cancelled`] when `cancel` fires (the agent is aborted
    /// and known idle before it returns) and [`WorkerError::Timeout`] after the turn timeout (also aborted).
    async fn prompt(&mut self, prompt: &str, cancel: &CancellationToken) -> Result<TurnOutput, WorkerError>;

    /// Compacts the conversation.
    async fn summarize(&mut self, cancel: &CancellationToken) -> Result<(), WorkerError>;

    /// Stops the agent and everything that it started; no process left.
    async fn shutdown(self: Box<Self>);
}

/// What one turn gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TurnOutput {
    /// The agent's closing words: the text of its last message.
    pub text: String,
    /// The tools that it called, in order.
    pub tools: Vec<ToolCallSummary>,
    /// What the turn cost in dollars, where the agent knows its model's prices.
    pub cost_usd: Option<f64>,
    /// The tokens of all model calls of the turn.
    pub tokens: Option<Tokens>,
    /// How long the turn took.
    pub duration: Duration,
}

/// One tool call, short enough for a log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCallSummary {
    /// The tool, e.g. `write`.
    pub name: String,
    /// What it was called for, e.g. the file's path or the command's description.
    pub title: Option<String>,
    /// How it ended.
    pub status: ToolStatus,
}

impl fmt::Display for ToolCallSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(title) = &self.title {
            write!(f, " {title}")?;
        }
        match &self.status {
            ToolStatus::Completed => Ok(()),
            ToolStatus::Failed { error } => write!(f, " (failed: {error})"),
            ToolStatus::Unfinished => f.write_str(" (unfinished)"),
        }
    }
}

/// How a tool call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolStatus {
    /// It ran to its end.
    Completed,
    /// It failed or was refused.
    Failed {
        /// The first line of what it said.
        error: String,
    },
    /// The turn ended first.
    Unfinished,
}

/// Tokens of one or several model calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Read by the model, without what its cache held.
    pub input: u64,
    /// Written by the model.
    pub output: u64,
    /// Spent on thinking.
    pub reasoning: u64,
    /// Read from the model's cache.
    pub cache_read: u64,
    /// Written to the model's cache.
    pub cache_write: u64,
}

impl std::ops::AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        self.input += other.input;
        self.output += other.output;
        self.reasoning += other.reasoning;
        self.cache_read += other.cache_read;
        self.cache_write += other.cache_write;
    }
}

/// Something that the agent does right now, for a person who watches. Nothing is decided by these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentEvent {
    /// More of the text that the agent writes.
    Text {
        /// The new part.
        delta: String,
    },
    /// More of what the model thinks aloud.
    Reasoning {
        /// The new part.
        delta: String,
    },
    /// A tool runs.
    ToolStarted {
        /// The tool.
        name: String,
        /// What for.
        title: Option<String>,
    },
    /// A tool came to its end.
    ToolFinished(ToolCallSummary),
    /// A file of the workspace was written.
    FileEdited {
        /// Its path as the agent gives it.
        path: String,
    },
    /// The agent's list of what it has yet to do changed.
    Todo {
        /// The whole list.
        items: Vec<TodoItem>,
    },
    /// A model call failed and is tried again by the agent.
    Retrying {
        /// Which try this was.
        attempt: u32,
        /// Why.
        message: String,
    },
    /// The agent wanted something that it may not, and was told no.
    PermissionRejected {
        /// The permission, e.g. `external_directory`.
        permission: String,
        /// What for.
        patterns: Vec<String>,
    },
    /// The agent asked a question; nobody is there, so it was told to decide itself.
    QuestionRejected,
    /// The conversation was compacted.
    Compacted,
}

/// One thing on the agent's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TodoItem {
    /// What is to be done.
    pub content: String,
    /// `pending`, `in_progress`, `completed` or `cancelled`.
    pub status: String,
}

/// Takes live events, for example to show them in a terminal. Must not block.
pub trait ProgressSink: Send + Sync {
    /// Called for each event, in order.
    fn event(&self, event: AgentEvent);
}

/// Drops every event.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl ProgressSink for NoProgress {
    fn event(&self, _event: AgentEvent) {}
}
