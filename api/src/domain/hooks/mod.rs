//! What agents that run elsewhere report through hooks: their events, read into entries of a work order's log.
//!
//! Cursor and Claude Code send events of their own shapes; the hooks send them as they came. Here they become the words of this
//! system, bounded and without secrets.

pub mod end;
pub mod knowledge;
pub mod read;
pub mod reply;
mod secrets;

use crate::domain::words::words;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// The most events in one request.
pub const MAX_EVENTS: usize = 500;
/// The largest request, in bytes.
pub const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

words! {
    /// What happened, as an agent's hook reports it.
    pub enum EventType "event type" {
        /// A session began.
        SessionStart = "session_start",
        /// The agent used a tool.
        ToolCall = "tool_call",
        /// A tool returned something.
        ToolResult = "tool_result",
        /// A tool failed.
        ToolFailure = "tool_failure",
        /// The agent ran a command.
        ShellExecution = "shell_execution",
        /// The agent changed a file.
        FileEdit = "file_edit",
        /// The agent used a tool of an MCP server.
        McpExecution = "mcp_execution",
        /// The agent thought.
        AgentThought = "agent_thought",
        /// The agent said something.
        AgentResponse = "agent_response",
        /// The agent started another one.
        SubagentStart = "subagent_start",
        /// Another agent that it started has ended.
        SubagentStop = "subagent_stop",
        /// The agent loaded a skill.
        SkillLoad = "skill_load",
        /// The agent asked whether it may do something.
        ApprovalRequested = "approval_requested",
        /// Something went wrong.
        Error = "error",
        /// The agent stopped, or its session ended.
        SessionEnd = "session_end",
    }
}

/// An event as a hook sends it.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[schema(as = IngestEvent)]
pub struct Sent {
    /// What happened; an event of Cursor or Claude Code as `raw_payload` says it itself.
    pub event_type: Option<String>,
    /// What makes the event one: the same again is stored once. A UUID or another short word.
    pub event_id: Option<String>,
    /// The work order. Without it, the conversation's id is looked for among those of agents that were launched from here.
    pub work_order_id: Option<String>,
    /// Who worked: an agent of the catalogue, by its id or slug.
    pub agent_id: Option<String>,
    /// The event as it came.
    #[schema(value_type = Option<Object>)]
    pub raw_payload: Option<Value>,
}

impl Sent {
    /// The work order that it names, if it is an id.
    #[must_use]
    pub fn order(&self) -> Option<Uuid> {
        self.work_order_id.as_deref().and_then(|id| id.trim().parse().ok())
    }

    /// Whether it names a work order, whatever that is.
    #[must_use]
    pub fn names_order(&self) -> bool {
        self.work_order_id.as_deref().is_some_and(|id| !id.trim().is_empty())
    }

    /// The conversation that it belongs to, as the agent program calls it.
    #[must_use]
    pub fn conversation(&self) -> Option<&str> {
        let payload = self.raw_payload.as_ref()?;
        ["conversation_id", "session_id"]
            .iter()
            .find_map(|name| payload.get(name)?.as_str())
            .filter(|id| !id.is_empty())
    }
}
