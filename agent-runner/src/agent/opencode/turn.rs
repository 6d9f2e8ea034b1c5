//! Reads the result of a turn from its messages. Pure.

use super::failure::{classify, describe};
use super::wire::{Message, Part, Role, ToolPart};
use crate::agent::retry::Ending;
use crate::agent::turns::{CALL_CHARS, line};
use crate::agent::{ModelFailure, Tokens, ToolCall, ToolStatus, TurnOutput};
use crate::prompts::shortened;
use crate::stuck::{Call, Seen};
use serde_json::Value;
use std::time::Duration;

/// What the agent said and did after one prompt.
#[derive(Debug, Default)]
pub(super) struct Record {
    text: String,
    tools: Vec<ToolCall>,
    cost_usd: f64,
    tokens: Tokens,
}

impl Record {
    /// Whether the agent called any tool.
    pub(super) fn has_acted(&self) -> bool {
        !self.tools.is_empty()
    }

    /// Adds what followed a further prompt of the same turn; its text replaces the earlier one.
    pub(super) fn extend(&mut self, next: Self) {
        self.text = next.text;
        self.tools.extend(next.tools);
        self.cost_usd += next.cost_usd;
        self.tokens += next.tokens;
    }

    pub(super) fn into_output(self, duration: Duration) -> TurnOutput {
        TurnOutput {
            text: self.text,
            tools: self.tools,
            // Where OpenCode does not know the prices it reports zero dollars, which is not the cost.
            cost_usd: (self.cost_usd > 0.0).then_some(self.cost_usd),
            tokens: (self.tokens != Tokens::default()).then_some(self.tokens),
            duration,
            ..TurnOutput::default()
        }
    }
}

/// Reads the messages since the prompt, oldest first.
pub(super) fn read_turn(messages: &[Message]) -> (Record, Ending) {
    let mut record = Record::default();
    let mut answers = messages.iter().filter(|message| message.info.role == Role::Assistant);
    for message in answers.clone() {
        record.cost_usd += message.info.cost;
        record.tokens += message.info.tokens.map(Tokens::from).unwrap_or_default();
        record.tools.extend(message.parts.iter().filter_map(|part| match part {
            Part::Tool(tool) => Some(call(tool)),
            _ => None,
        }));
    }
    if let Some(last) = answers.rfind(|message| !message.info.is_summary()) {
        record.text = text_of(last);
    }
    (record, ending(messages))
}

fn ending(messages: &[Message]) -> Ending {
    let last = messages.iter().rev().find(|message| message.info.role == Role::Assistant);
    if let Some(error) = last.and_then(|message| message.info.error.as_ref())
        && let Some(kind) = classify(error)
    {
        return Ending::Failed { kind, message: describe(error) };
    }
    if !last.is_some_and(|message| message.info.is_ended()) {
        return Ending::Failed { kind: ModelFailure::Unavailable, message: "its answer was cut off".to_owned() };
    }
    if lost_its_prompt(messages) { Ending::PromptLost } else { Ending::Finished }
}

/// After a compaction that was forced by an overflow, OpenCode repeats the prompt. If that overflows again, it continues
/// with a prompt of its own, and the answer is not one to the prompt that was given.
fn lost_its_prompt(messages: &[Message]) -> bool {
    let overflowed = messages.iter().flat_map(|message| &message.parts).any(is_overflow);
    let last_asked = messages.iter().rev().find(|message| message.info.role == Role::User);
    overflowed && last_asked.is_some_and(|message| message.parts.iter().any(is_synthetic))
}

fn is_overflow(part: &Part) -> bool {
    matches!(part, Part::Compaction { overflow: true })
}

fn is_synthetic(part: &Part) -> bool {
    matches!(part, Part::Text { synthetic: true, .. })
}

fn text_of(message: &Message) -> String {
    let texts = message.parts.iter().filter_map(|part| match part {
        Part::Text { text, synthetic: false } if !text.trim().is_empty() => Some(text.trim()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n\n")
}

/// A tool call, with as much of its input and output as a person reads.
pub(super) fn call(part: &ToolPart) -> ToolCall {
    let state = &part.state;
    let status = match state.status.as_str() {
        "completed" => ToolStatus::Completed,
        "error" => ToolStatus::Failed { error: line(state.error.as_deref().unwrap_or("no reason given")) },
        _ => ToolStatus::Unfinished,
    };
    let input = if state.input.is_null() { String::new() } else { format!("{:#}", state.input) };
    let output = state.error.as_deref().or(state.output.as_deref()).unwrap_or_default();
    ToolCall {
        id: part.id.clone(),
        name: part.tool.clone(),
        title: title(state.title.as_deref(), &state.input),
        status,
        input: shortened(&input, CALL_CHARS),
        output: shortened(output, CALL_CHARS),
        took: state.time.took(),
    }
}

/// What a tool was called for: its own title, or the argument that says most.
pub(super) fn title(title: Option<&str>, input: &Value) -> Option<String> {
    const TELLING: &[&str] = &["filePath", "path", "description", "command", "pattern", "url", "query"];
    title
        .filter(|title| !title.trim().is_empty())
        .or_else(|| TELLING.iter().find_map(|name| input.get(name)?.as_str()))
        .map(line)
}

/// The call as one of those by which it is noticed that an agent is stuck.
pub(super) fn seen(part: &ToolPart) -> Seen {
    let state = &part.state;
    let name = match title(state.title.as_deref(), &state.input) {
        Some(title) => format!("{} {title}", part.tool),
        None => part.tool.clone(),
    };
    let output = state.error.as_deref().or(state.output.as_deref()).unwrap_or_default();
    let took = state.time.took().unwrap_or_default();
    Seen::Call(Call {
        name,
        input: state.input.to_string(),
        output: output.to_owned(),
        failed: state.status == "error",
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn user(parts: Value) -> Message {
        serde_json::from_value(json!({ "info": { "id": "msg_u", "role": "user" }, "parts": parts })).unwrap()
    }

    fn assistant(info: Value, parts: Value) -> Message {
        let mut whole = json!({ "id": "msg_a", "role": "assistant", "cost": 0.5,
            "time": { "completed": 2 }, "tokens": { "input": 100, "output": 10 } });
        for (name, value) in info.as_object().unwrap() {
            whole[name] = value.clone();
        }
        serde_json::from_value(json!({ "info": whole, "parts": parts })).unwrap()
    }

    fn write_call() -> Value {
        json!([{ "type": "text", "text": "I will." }, { "type": "tool", "tool": "write",
            "state": { "status": "completed", "title": "a.txt", "input": { "filePath": "/w/a.txt" } } }])
    }

    #[test]
    fn a_turn_has_the_text_of_its_last_message_and_all_tools_and_costs() {
        let prompt = user(json!([{ "type": "text", "text": "write it" }]));
        let step = assistant(json!({}), write_call());
        let end = assistant(json!({}), json!([{ "type": "text", "text": "Written." }]));
        let (record, ending) = read_turn(&[prompt, step, end]);
        assert_eq!(ending, Ending::Finished);
        let output = record.into_output(Duration::ZERO);
        assert_eq!(output.text, "Written.");
        assert_eq!(output.tools[0].to_string(), "write a.txt");
        assert_eq!(output.cost_usd, Some(1.0));
        assert_eq!(output.tokens.unwrap().input, 200);
    }

    #[test]
    fn a_failed_call_fails_the_turn_although_the_server_returned_200() {
        let error = json!({ "name": "APIError", "data": { "message": "boom", "statusCode": 401 } });
        let (_, ending) = read_turn(&[user(json!([])), assistant(json!({ "error": error }), json!([]))]);
        let message = "it returned 401: boom".to_owned();
        assert_eq!(ending, Ending::Failed { kind: ModelFailure::Unauthorized, message });
    }

    #[test]
    fn an_answer_to_a_prompt_of_opencodes_own_does_not_count() {
        let messages = [
            user(json!([{ "type": "text", "text": "do it" }])),
            assistant(json!({}), json!([])),
            user(json!([{ "type": "compaction", "auto": true, "overflow": true }])),
            assistant(json!({ "summary": true }), json!([{ "type": "text", "text": "Summary" }])),
            user(json!([{ "type": "text", "text": "The previous request exceeded …", "synthetic": true }])),
            assistant(json!({}), json!([{ "type": "text", "text": "Okay." }])),
        ];
        assert_eq!(read_turn(&messages).1, Ending::PromptLost);
        assert_eq!(read_turn(&messages[..2]).1, Ending::Finished);
    }

    #[test]
    fn a_tool_that_was_refused_shows_the_first_line_of_why() {
        let part: ToolPart = serde_json::from_value(json!({ "tool": "read", "state": { "status": "error",
            "error": "The user rejected it\nfor a reason", "input": { "filePath": "/etc/shadow" } } }))
        .unwrap();
        assert_eq!(call(&part).to_string(), "read /etc/shadow (failed: The user rejected it)");
    }
}
