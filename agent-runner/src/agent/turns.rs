//! What an agent is to the rest of the runner: one conversation, prompted turn by turn, and what a turn returns.

use super::AgentError;
use crate::gateway::Tokens;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How much of a tool's error or title is kept, in characters.
const LINE_CHARS: usize = 200;

/// How much of a tool's input and of its output is kept, in characters.
pub(super) const CALL_CHARS: usize = 6_000;

/// One coding agent with one continuing conversation.
#[async_trait]
pub trait Agent: Send {
    /// Name and version for logs, e.g. "OpenCode 1.18.33".
    fn name(&self) -> String;

    /// Runs one turn to its end. Returns early with [`AgentError::Cancelled`] when `cancel` fires, and with
    /// [`AgentError::Timeout`] after the turn timeout; in both cases the agent has been aborted and is idle.
    async fn prompt(&mut self, prompt: &str, cancel: &CancellationToken) -> Result<TurnOutput, AgentError>;

    /// Compacts the conversation.
    async fn compact(&mut self, cancel: &CancellationToken) -> Result<(), AgentError>;

    /// Lets the agent do from now on what it asked a permission for.
    fn grant(&mut self, _permission: &str, _patterns: &[String]) {}

    /// What the agent remembers, for [`Agent::resume`] of another one; none where there is nothing, or nothing that could be
    /// resumed.
    async fn remembered(&mut self) -> Result<Option<String>, AgentError> {
        Ok(None)
    }

    /// Goes on with what another agent of the same program remembered. The workspace is complete, and no turn has begun.
    /// Returns false where that can't be done; the conversation then starts again.
    async fn resume(&mut self, _remembered: &str) -> Result<bool, AgentError> {
        Ok(false)
    }

    /// Leaves the conversation, so that the next turn begins another one. Returns false where that can't be done.
    async fn begin_afresh(&mut self) -> bool {
        false
    }

    /// Stops the agent and everything that it started. No process is left.
    async fn shutdown(self: Box<Self>);
}

/// The result of one turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TurnOutput {
    /// The text of the agent's last message.
    pub text: String,
    /// The tools that it called, in order.
    pub tools: Vec<ToolCall>,
    /// The turn's cost in dollars, where the agent knows its model's prices.
    pub cost_usd: Option<f64>,
    /// The tokens of all model calls of the turn.
    pub tokens: Option<Tokens>,
    /// How long the turn took.
    pub duration: Duration,
    /// What a person has to answer before the agent can go on with this turn. The agent is idle; its next prompt has the answer.
    pub asked: Option<Asked>,
    /// The remote's branch to which an agent that works elsewhere has pushed its changes; none where they are in the
    /// workspace.
    pub branch: Option<String>,
}

/// What an agent asks of people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// A question, with what can be chosen, if that is given.
    Question {
        /// As people read it.
        text: String,
    },
    /// A permission.
    Permission {
        /// Its name, e.g. `external_directory`.
        permission: String,
        /// The paths or commands that it is wanted for.
        patterns: Vec<String>,
    },
}

impl Asked {
    /// As people read it.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Question { text } => text.clone(),
            Self::Permission { permission, patterns } if patterns.is_empty() => permission.clone(),
            Self::Permission { permission, patterns } => format!("{permission}: {}", patterns.join(", ")),
        }
    }
}

/// One tool call. Displayed, it is short enough for a log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// What the agent program calls it; unique within the conversation.
    pub id: String,
    /// The tool, e.g. `write`.
    pub name: String,
    /// What it was called for, e.g. the file's path or the command's description.
    pub title: Option<String>,
    /// How it ended.
    pub status: ToolStatus,
    /// What it was given, shortened.
    pub input: String,
    /// What came of it, shortened.
    pub output: String,
    /// How long it took.
    pub took: Option<Duration>,
}

impl fmt::Display for ToolCall {
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
    /// It succeeded.
    Completed,
    /// It failed or was refused.
    Failed {
        /// The first line of the error.
        error: String,
    },
    /// The turn ended before it did.
    Unfinished,
}

/// The first line, cut to its size.
pub(super) fn line(text: &str) -> String {
    let first = text.trim().lines().next().unwrap_or_default();
    match first.char_indices().nth(LINE_CHARS) {
        Some((end, _)) => format!("{}…", &first[..end]),
        None => first.to_owned(),
    }
}
