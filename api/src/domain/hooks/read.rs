//! Reads an event of Cursor, of Claude Code or of another sender into an entry of the log.

use super::secrets::without_secrets;
use super::{EventType, Sent};
use crate::domain::refusal::Refusal;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The longest summary, in characters.
const MAX_SUMMARY_CHARS: usize = 300;
/// The most that is kept of what an event carries, in bytes.
const MAX_PAYLOAD_BYTES: usize = 24 * 1024;
/// The longest text inside of that, in bytes.
const MAX_TEXT_BYTES: usize = 4 * 1024;
/// The longest output, in bytes.
const MAX_OUTPUT_BYTES: usize = 64 * 1024;
/// What stands where something was cut off.
const CUT: &str = "… [cut]";

/// An event as the log has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What happened.
    pub kind: EventType,
    /// For a person, in one line.
    pub summary: String,
    /// Whether it went well.
    pub success: bool,
    /// What the event carries, bounded and without secrets.
    pub payload: Value,
    /// The agent's output or answer.
    pub output: Option<String>,
    /// Groups the entries of one conversation.
    pub session: String,
    /// What makes the entry one, where that is known.
    pub key: Option<Uuid>,
    /// How the agent ended, where it did.
    pub end: Option<Ended>,
}

/// How an agent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub how: How,
    /// Whether it can be told something now, and then goes on.
    pub can_go_on: bool,
}

/// How an agent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// By itself, without a failure.
    Well,
    /// A person stopped it.
    Stopped,
    /// With a failure.
    Badly,
}

/// Reads an event.
///
/// # Errors
/// When it does not say what happened, or in a word that is not known.
pub fn read(sent: &Sent) -> Result<Entry, Refusal> {
    let empty = Value::Object(Map::new());
    let raw = sent.raw_payload.as_ref().unwrap_or(&empty);
    let event = Raw(raw);
    let kind = kind_of(sent.event_type.as_deref(), event)?;
    let (summary, output) = told(kind, event);
    let summary = without_secrets(&one_line(&summary, MAX_SUMMARY_CHARS));
    let (success, end) = outcome(kind, event);
    Ok(Entry {
        kind,
        summary,
        success,
        payload: bounded(raw),
        output: output.filter(|text| !text.is_empty()).map(|text| without_secrets(&cut(&text, MAX_OUTPUT_BYTES))),
        session: sent.conversation().map_or_else(|| "hooks".to_owned(), |id| cut(id, 180)),
        key: key_of(sent, raw),
        end,
    })
}

/// An event as it came.
#[derive(Clone, Copy)]
struct Raw<'a>(&'a Value);

impl<'a> Raw<'a> {
    /// The first of these fields that is a text.
    fn text(self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| self.0.get(name)?.as_str()).filter(|text| !text.is_empty())
    }

    /// The event as the agent program calls it.
    fn name(self) -> &'static str {
        let known = [
            "sessionStart",
            "sessionEnd",
            "postToolUse",
            "postToolUseFailure",
            "afterShellExecution",
            "afterFileEdit",
            "afterMCPExecution",
            "afterAgentThought",
            "afterAgentResponse",
            "subagentStart",
            "subagentStop",
            "stop",
            "SessionStart",
            "SessionEnd",
            "PostToolUse",
            "PostToolUseFailure",
            "SubagentStart",
            "SubagentStop",
            "Stop",
        ];
        let given = self.text(&["hook_event_name"]).unwrap_or_default();
        known.into_iter().find(|name| *name == given).unwrap_or_default()
    }
}

/// What happened: as it is said, or as the agent program's own name of the event means. What Claude Code calls the use of a tool
/// is told apart by the tool.
fn kind_of(said: Option<&str>, event: Raw<'_>) -> Result<EventType, Refusal> {
    if let Some(word) = said.map(str::trim).filter(|word| !word.is_empty()) {
        let known = || EventType::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
        return word.parse().map_err(|_| {
            let shown: String = word.chars().take(60).collect();
            Refusal::invalid(format!("'event_type' is '{shown}', but must be one of these: {}.", known()))
        });
    }
    let tool = event.text(&["tool_name"]).unwrap_or_default();
    Ok(match event.name() {
        "sessionStart" | "SessionStart" => EventType::SessionStart,
        "PostToolUse" if tool == "Bash" => EventType::ShellExecution,
        "PostToolUse" if matches!(tool, "Edit" | "MultiEdit" | "Write" | "NotebookEdit") => EventType::FileEdit,
        "PostToolUse" if tool.starts_with("mcp__") => EventType::McpExecution,
        "postToolUse" | "PostToolUse" => EventType::ToolCall,
        "postToolUseFailure" | "PostToolUseFailure" => EventType::ToolFailure,
        "afterShellExecution" => EventType::ShellExecution,
        "afterFileEdit" => EventType::FileEdit,
        "afterMCPExecution" => EventType::McpExecution,
        "afterAgentThought" => EventType::AgentThought,
        "afterAgentResponse" => EventType::AgentResponse,
        "subagentStart" | "SubagentStart" => EventType::SubagentStart,
        "subagentStop" | "SubagentStop" => EventType::SubagentStop,
        "stop" | "sessionEnd" | "Stop" | "SessionEnd" => EventType::SessionEnd,
        _ => {
            return Err(Refusal::invalid("'event_type' is required: what happened, such as tool_call or session_end."));
        }
    })
}

/// What a person reads of an event, and its output.
fn told(kind: EventType, event: Raw<'_>) -> (String, Option<String>) {
    let own = |names: &[&str]| event.text(names).map(str::to_owned);
    let input = |name: &str| event.0.pointer(&format!("/tool_input/{name}")).and_then(Value::as_str);
    let tool = event.text(&["tool_name"]).unwrap_or("a tool");
    let said = own(&["text", "message", "thought", "response", "content"]);
    match kind {
        EventType::SessionStart => ("The session began.".to_owned(), None),
        EventType::SessionEnd => {
            let how = event.text(&["final_status", "status", "reason"]).unwrap_or("completed");
            (format!("The agent stopped: {how}."), own(&["error_message"]))
        }
        EventType::ToolCall | EventType::ToolResult => {
            let names = ["command", "file_path", "path", "pattern", "query", "url", "description"];
            let what = names.into_iter().find_map(input).unwrap_or_default();
            let what = if what.is_empty() { tool.to_owned() } else { format!("{tool}: {what}") };
            (what, as_text(event.0.get("tool_output").or_else(|| event.0.get("tool_response"))))
        }
        EventType::ToolFailure => {
            let why = event.text(&["error_message", "error", "failure_type"]).unwrap_or("it failed");
            (format!("{tool} failed: {why}"), own(&["error_message", "error"]))
        }
        EventType::ShellExecution => {
            let command = event.text(&["command"]).or_else(|| input("command")).unwrap_or("a command");
            let output = own(&["output"]).or_else(|| as_text(event.0.get("tool_response")));
            (format!("$ {command}"), output)
        }
        EventType::FileEdit => {
            let path = event.text(&["file_path", "path"]).or_else(|| input("file_path")).unwrap_or("a file");
            let edits = event.0.get("edits").and_then(Value::as_array).map_or(1, Vec::len);
            (format!("Edited {path} ({edits} {})", if edits == 1 { "place" } else { "places" }), None)
        }
        EventType::McpExecution => {
            (format!("Used {tool}"), own(&["result_json"]).or_else(|| as_text(event.0.get("tool_response"))))
        }
        EventType::SubagentStart => {
            let task = event.text(&["task", "prompt", "description"]).unwrap_or("a task");
            (format!("Started another agent: {task}"), None)
        }
        EventType::SubagentStop => {
            let what = event.text(&["summary", "result", "description", "task", "last_assistant_message"]);
            (format!("Another agent ended: {}", what.unwrap_or("its task")), own(&["summary", "result"]))
        }
        EventType::AgentThought | EventType::AgentResponse => (said.clone().unwrap_or_default(), said),
        EventType::SkillLoad => (format!("Loaded {}", event.text(&["skill", "name"]).unwrap_or("a skill")), None),
        EventType::ApprovalRequested => (said.unwrap_or_else(|| "Asks for approval.".to_owned()), None),
        EventType::Error => {
            let text = own(&["error_message", "error", "message"]);
            (text.clone().unwrap_or_else(|| "Something went wrong.".to_owned()), text)
        }
    }
}

fn outcome(kind: EventType, event: Raw<'_>) -> (bool, Option<Ended>) {
    let word = event.text(&["final_status", "status", "reason"]).unwrap_or("completed");
    match kind {
        EventType::ToolFailure | EventType::Error => (false, None),
        EventType::SubagentStop => (word != "error", None),
        EventType::SessionEnd => {
            let how = match word {
                "error" | "failed" | "failure" => How::Badly,
                "aborted" | "cancelled" | "user_close" | "window_close" | "logout" | "prompt_input_exit" | "clear" => {
                    How::Stopped
                }
                _ => How::Well,
            };
            // Both programs say separately that a turn ends and that the session does. An answer to the latter is not read.
            let can_go_on = !matches!(event.name(), "sessionEnd" | "SessionEnd");
            (how != How::Badly, Some(Ended { how, can_go_on }))
        }
        _ => (true, None),
    }
}

/// What makes an event one: its own id, or all of it where it carries an id of what it is about.
fn key_of(sent: &Sent, raw: &Value) -> Option<Uuid> {
    let given = sent.event_id.as_deref().map(str::trim).filter(|id| !id.is_empty());
    if let Some(id) = given {
        return Some(id.parse().unwrap_or_else(|_| hashed(&[id])));
    }
    let is_one =
        ["tool_use_id", "generation_id", "tool_call_id"].iter().any(|name| raw.get(name).is_some_and(Value::is_string));
    is_one.then(|| hashed(&[sent.event_type.as_deref().unwrap_or_default(), &raw.to_string()]))
}

fn hashed(parts: &[&str]) -> Uuid {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

fn as_text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        value => {
            let printed: Vec<&str> = ["stdout", "stderr"].iter().filter_map(|name| value.get(name)?.as_str()).collect();
            if printed.is_empty() { Some(value.to_string()) } else { Some(printed.join("\n")) }
        }
    }
}

/// What an event carries: long texts cut, secrets masked, and nothing but its size where it is too much even so.
fn bounded(raw: &Value) -> Value {
    let value = walked(raw, 0);
    let bytes = value.to_string().len();
    if bytes <= MAX_PAYLOAD_BYTES { value } else { json!({"cut": true, "bytes": raw.to_string().len()}) }
}

fn walked(value: &Value, depth: usize) -> Value {
    match value {
        _ if depth > 12 => Value::String(CUT.to_owned()),
        Value::String(text) => Value::String(without_secrets(&cut(text, MAX_TEXT_BYTES))),
        Value::Array(items) => items.iter().take(200).map(|item| walked(item, depth + 1)).collect(),
        Value::Object(fields) => fields
            .iter()
            .take(200)
            .map(|(name, value)| {
                let secret = value.is_string() && terarchitect_outbound::is_secret_name(name);
                let value = if secret { Value::String("[secret]".to_owned()) } else { walked(value, depth + 1) };
                (cut(name, 200), value)
            })
            .collect(),
        value => value.clone(),
    }
}

/// At most so many bytes of a text, whole characters; what Postgres can't store is left out.
fn cut(text: &str, most: usize) -> String {
    let text = text.replace('\0', "");
    if text.len() <= most {
        return text;
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}{CUT}", text.get(..end).unwrap_or_default())
}

fn one_line(text: &str, most: usize) -> String {
    let joined = text.split_whitespace().take(most).collect::<Vec<_>>().join(" ").replace('\0', "");
    if joined.chars().count() <= most { joined } else { joined.chars().take(most).chain("…".chars()).collect() }
}
