//! What an agent does right now, for a person who watches. Nothing is decided by these events.

use super::ToolCall;
use crate::stuck::{Found, Remedy};

/// Something that the agent does right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentEvent {
    /// The prompt is part of the conversation.
    Accepted,
    /// An agent that works elsewhere was launched there.
    Launched {
        /// What it is called there.
        id: String,
        /// Where people see it.
        page: Option<String>,
    },
    /// The agent has written this text to its end.
    Said {
        /// The whole text.
        text: String,
    },
    /// More of the text that the agent writes.
    Text {
        /// The new part.
        delta: String,
    },
    /// More of the model's visible reasoning.
    Reasoning {
        /// The new part.
        delta: String,
    },
    /// A tool call started.
    ToolStarted {
        /// The tool.
        name: String,
        /// What it is called for.
        title: Option<String>,
    },
    /// A tool call ended.
    ToolFinished(ToolCall),
    /// A file of the workspace was written.
    FileEdited {
        /// Its path as the agent gives it.
        path: String,
    },
    /// The agent's to-do list changed.
    Todo {
        /// The whole list.
        items: Vec<TodoItem>,
    },
    /// A model call failed, and the agent retries it.
    Retrying {
        /// The number of the try that failed.
        attempt: u32,
        /// Why.
        message: String,
    },
    /// The agent requested a permission, which was rejected.
    PermissionRejected {
        /// The permission, e.g. `external_directory`.
        permission: String,
        /// The paths or commands that it was requested for.
        patterns: Vec<String>,
    },
    /// The agent asked a question. No person can answer, so the reply is that it must decide by itself.
    QuestionRejected,
    /// The conversation was compacted.
    Compacted,
    /// The agent is stuck, and was stopped.
    Stuck {
        /// How.
        found: Found,
        /// What is tried now.
        remedy: Remedy,
    },
}

/// One entry of the agent's to-do list.
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

/// Ignores every event.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl ProgressSink for NoProgress {
    fn event(&self, _event: AgentEvent) {}
}
