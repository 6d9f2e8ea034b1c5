//! The parts of OpenCode's bodies that are used here, as version 1.18 sends them. Unknown fields and kinds are skipped.

use crate::agent::Tokens;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

#[derive(Debug, Deserialize)]
pub(super) struct Health {
    #[serde(default)]
    pub(super) healthy: bool,
    #[serde(default)]
    pub(super) version: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Session {
    pub(super) id: String,
}

/// The models that a server has.
#[derive(Debug, Deserialize)]
pub(super) struct Providers {
    #[serde(default)]
    pub(super) providers: Vec<ProviderModels>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ProviderModels {
    pub(super) id: String,
    #[serde(default)]
    pub(super) models: std::collections::BTreeMap<String, serde::de::IgnoredAny>,
}

/// A message with its parts.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    pub(super) info: MessageInfo,
    #[serde(default)]
    pub(super) parts: Vec<Part>,
}

#[derive(Debug, Deserialize)]
pub(super) struct MessageInfo {
    pub(super) id: String,
    pub(super) role: Role,
    #[serde(default)]
    pub(super) time: MessageTime,
    #[serde(default)]
    pub(super) error: Option<MessageError>,
    #[serde(default)]
    pub(super) cost: f64,
    #[serde(default)]
    pub(super) tokens: Option<WireTokens>,
    /// `true` on the answer of a compaction; an object on a user's message.
    #[serde(default)]
    pub(super) summary: Value,
    #[serde(rename = "providerID", default)]
    pub(super) provider_id: Option<String>,
    #[serde(rename = "modelID", default)]
    pub(super) model_id: Option<String>,
}

impl MessageInfo {
    pub(super) fn is_summary(&self) -> bool {
        self.summary == Value::Bool(true)
    }

    pub(super) fn is_ended(&self) -> bool {
        self.time.completed.is_some() || self.error.is_some()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    User,
    Assistant,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct MessageTime {
    #[serde(default)]
    pub(super) completed: Option<f64>,
}

/// Why a model call failed, as a message carries it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct MessageError {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) data: MessageErrorData,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct MessageErrorData {
    #[serde(default)]
    pub(super) message: String,
    #[serde(rename = "statusCode", default)]
    pub(super) status_code: Option<u16>,
    #[serde(rename = "isRetryable", default)]
    pub(super) is_retryable: bool,
    #[serde(rename = "responseBody", default)]
    pub(super) response_body: String,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct WireTokens {
    #[serde(default)]
    input: f64,
    #[serde(default)]
    output: f64,
    #[serde(default)]
    reasoning: f64,
    #[serde(default)]
    cache: WireCache,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct WireCache {
    #[serde(default)]
    read: f64,
    #[serde(default)]
    write: f64,
}

impl From<WireTokens> for Tokens {
    fn from(wire: WireTokens) -> Self {
        // JSON knows no integers; a float-to-integer cast saturates.
        let whole = |number: f64| number as u64;
        Self {
            input: whole(wire.input),
            output: whole(wire.output),
            reasoning: whole(wire.reasoning),
            cache_read: whole(wire.cache.read),
            cache_write: whole(wire.cache.write),
        }
    }
}

/// A part of a message.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum Part {
    Text {
        #[serde(default)]
        text: String,
        /// Set on text that OpenCode wrote in the user's name.
        #[serde(default)]
        synthetic: bool,
    },
    Tool(ToolPart),
    Compaction {
        /// Whether the model refused the conversation because it was too long.
        #[serde(default)]
        overflow: bool,
    },
    #[serde(other)]
    Other,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct ToolPart {
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    pub(super) tool: String,
    pub(super) state: ToolState,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct ToolState {
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    pub(super) title: Option<String>,
    #[serde(default)]
    pub(super) error: Option<String>,
    #[serde(default)]
    pub(super) input: Value,
    #[serde(default)]
    pub(super) output: Option<String>,
    #[serde(default)]
    pub(super) time: Span,
}

/// When something began and ended, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Span {
    pub(super) start: Option<f64>,
    pub(super) end: Option<f64>,
}

impl Span {
    pub(super) fn took(self) -> Option<Duration> {
        let (start, end) = (self.start?, self.end?);
        Duration::try_from_secs_f64((end - start) / 1000.0).ok()
    }
}

/// What a session is doing right now; an idle one is not listed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum SessionStatus {
    Idle,
    Busy,
    Retry {
        #[serde(default)]
        attempt: u32,
        #[serde(default)]
        message: String,
    },
    #[serde(other)]
    Unknown,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct PermissionRequest {
    pub(super) id: String,
    #[serde(default)]
    pub(super) permission: String,
    #[serde(default)]
    pub(super) patterns: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct QuestionRequest {
    pub(super) id: String,
    #[serde(default)]
    pub(super) questions: Vec<Value>,
}

/// A server-sent event. Parsing fails for events of other types.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", content = "properties")]
pub(super) enum Event {
    #[serde(rename = "session.status")]
    Status {
        #[serde(rename = "sessionID")]
        session_id: String,
        status: SessionStatus,
    },
    #[serde(rename = "session.compacted")]
    Compacted {},
    #[serde(rename = "message.updated")]
    MessageUpdated { info: EventMessage },
    #[serde(rename = "message.part.updated")]
    PartUpdated { part: Box<EventPart> },
    #[serde(rename = "message.part.delta")]
    PartDelta {
        #[serde(rename = "sessionID")]
        session_id: String,
        #[serde(rename = "partID")]
        part_id: String,
        #[serde(default)]
        delta: String,
    },
    #[serde(rename = "permission.asked")]
    PermissionAsked(PermissionRequest),
    #[serde(rename = "question.asked")]
    QuestionAsked(QuestionRequest),
    #[serde(rename = "todo.updated")]
    TodoUpdated {
        #[serde(default)]
        todos: Vec<Todo>,
    },
    #[serde(rename = "file.edited")]
    FileEdited { file: String },
}

/// A message as an event has it.
#[derive(Debug, Deserialize)]
pub(super) struct EventMessage {
    pub(super) id: String,
    #[serde(rename = "sessionID", default)]
    pub(super) session_id: String,
    pub(super) role: Role,
    /// As in [`MessageInfo`].
    #[serde(default)]
    pub(super) summary: Value,
}

/// A part as an event has it.
#[derive(Debug, Deserialize)]
pub(super) struct EventPart {
    pub(super) id: String,
    /// The agent's own session, or one of its subagents.
    #[serde(rename = "sessionID", default)]
    pub(super) session_id: String,
    #[serde(rename = "messageID", default)]
    pub(super) message_id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) text: String,
    /// Set on text that OpenCode wrote itself.
    #[serde(default)]
    pub(super) synthetic: bool,
    #[serde(default)]
    pub(super) time: Option<Span>,
    #[serde(default)]
    pub(super) tool: String,
    #[serde(default)]
    pub(super) state: Option<ToolState>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Todo {
    #[serde(default)]
    pub(super) content: String,
    #[serde(default)]
    pub(super) status: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_part_is_skipped_rather_than_refused() {
        let part: Part = serde_json::from_str(r#"{"type":"step-start","snapshot":"abc"}"#).unwrap();
        assert!(matches!(part, Part::Other));
    }

    #[test]
    fn a_failed_message_is_read_whole() {
        let text = r#"{"info":{"id":"msg_1","role":"assistant","time":{"created":1,"completed":2},
            "error":{"name":"APIError","data":{"message":"boom","statusCode":401,"isRetryable":false,
            "responseHeaders":{"date":"today"},"responseBody":"{}"}},"cost":0,
            "tokens":{"total":110,"input":100,"output":10,"reasoning":0,"cache":{"write":0,"read":7}},
            "modelID":"m","providerID":"p"},"parts":[]}"#;
        let message: Message = serde_json::from_str(text).unwrap();
        assert!(message.info.is_ended() && !message.info.is_summary());
        assert_eq!(message.info.error.unwrap().data.status_code, Some(401));
        assert_eq!(Tokens::from(message.info.tokens.unwrap()).cache_read, 7);
    }
}
