//! The forms in which programs speak to models. A script knows chats alone: what other forms ask is read as a chat, and what
//! the script replies is written in the form of the question.

use super::{ChatRequest, Reply};
use serde_json::{Value, json};

/// A form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wire {
    /// OpenAI's chat completions.
    #[default]
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// Google's `generateContent`.
    Gemini,
}

/// How texts begin that programs add to what a person said.
const ADDED: [&str; 5] =
    ["<system-reminder>", "<environment_context>", "<permissions", "# AGENTS.md", "<session_context>"];

impl Wire {
    /// The request as a chat has it: `model`, `stream`, `tools` and `messages`.
    pub(super) fn as_chat(self, mut body: Value, model: Option<&str>) -> Value {
        let messages = match self {
            Self::Chat => return without_reminders(body),
            Self::Responses => of_responses(&body),
            Self::Messages => of_messages(&body),
            Self::Gemini => of_gemini(&body),
        };
        body["messages"] = Value::Array(messages);
        if let Some(model) = model {
            body["model"] = json!(model);
        }
        body
    }

    /// A script names OpenCode's tools; this reply names those of the agent that speaks this form and does the same.
    pub(super) fn in_its_tools(self, mut reply: Reply) -> Reply {
        for tool in &mut reply.tools {
            let text = |name: &str| tool.arguments.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let (path, content, command) = (text("filePath"), text("content"), text("command"));
            let (name, arguments) = match (self, tool.name.as_str()) {
                (Self::Messages, "write") => ("Write", json!({"file_path": path, "content": content})),
                (Self::Messages, "read") => ("Read", json!({"file_path": path})),
                (Self::Messages, "bash") => ("Bash", json!({"command": command, "description": text("description")})),
                (Self::Responses, "write") => {
                    let line =
                        format!("cat > '{path}' <<'END_OF_FILE'\n{}\nEND_OF_FILE", content.trim_end_matches('\n'));
                    ("exec_command", json!({"cmd": line}))
                }
                (Self::Responses, "read") => ("exec_command", json!({"cmd": format!("cat '{path}'")})),
                (Self::Gemini, "write") => ("write_file", json!({"file_path": path, "content": content})),
                (Self::Gemini, "read") => ("read_file", json!({"file_path": path})),
                (Self::Gemini, "bash") => {
                    ("run_shell_command", json!({"command": command, "description": text("description")}))
                }
                (Self::Responses, "bash") => ("exec_command", json!({"cmd": command})),
                _ => continue,
            };
            tool.name = name.to_owned();
            if let Value::Object(arguments) = arguments {
                tool.arguments = arguments;
            }
        }
        reply
    }

    /// A whole answer.
    pub(super) fn whole(self, request: &ChatRequest, reply: &Reply, used: (usize, usize)) -> Value {
        match self {
            Self::Chat => Value::Null,
            Self::Responses => response(request, output_items(reply), used),
            Self::Messages => {
                let mut message = message(request, used.0, used.1);
                message["content"] = blocks(reply).into();
                message["stop_reason"] = json!(stop_reason(reply));
                message
            }
            Self::Gemini => gemini(gemini_parts(reply), true, used),
        }
    }

    /// The events of a streamed answer: how it begins, and how it ends. Each has its name, where the form has names.
    pub(super) fn events(
        self,
        request: &ChatRequest,
        reply: &Reply,
        pieces: &[String],
        used: (usize, usize),
    ) -> Streamed {
        match self {
            Self::Chat => Streamed::default(),
            Self::Responses => responses_events(request, reply, pieces, used),
            Self::Messages => messages_events(request, reply, pieces, used),
            Self::Gemini => {
                let text = |piece: &String| (None, gemini(vec![json!({"text": piece})], false, used));
                let end = (None, gemini(gemini_calls(reply), true, used));
                Streamed { begin: pieces.iter().map(text).collect(), end: vec![end] }
            }
        }
    }
}

/// An event's name and its data.
pub(super) type Event = (Option<&'static str>, Value);

/// A streamed answer in two parts: a script may let it break off in between.
#[derive(Debug, Default)]
pub(super) struct Streamed {
    pub(super) begin: Vec<Event>,
    pub(super) end: Vec<Event>,
}

/// The texts of a content, without what a program added.
fn said(content: &Value) -> String {
    let texts: Vec<&str> = match content {
        Value::String(text) => vec![text],
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => Vec::new(),
    };
    let own = texts.into_iter().filter(|text| !ADDED.iter().any(|added| text.trim_start().starts_with(added)));
    own.collect::<Vec<_>>().join("\n")
}

/// All texts of a content.
fn all_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n"),
        other => other.to_string(),
    }
}

/// A chat without the messages that consist of what a program added alone.
fn without_reminders(mut body: Value) -> Value {
    if let Some(messages) = body["messages"].as_array_mut() {
        let is_added = |message: &Value| {
            message["role"] == "user"
                && message["content"].as_str().is_some_and(|text| text.trim_start().starts_with("<system-reminder>"))
        };
        messages.retain(|message| !is_added(message));
    }
    body
}

fn add(messages: &mut Vec<Value>, role: &str, text: String) {
    if !text.is_empty() {
        messages.push(json!({"role": role, "content": text}));
    }
}

fn of_messages(body: &Value) -> Vec<Value> {
    let mut messages = Vec::new();
    add(&mut messages, "system", all_text(&body["system"]));
    for message in body["messages"].as_array().into_iter().flatten() {
        let role = message["role"].as_str().unwrap_or("user");
        let blocks = message["content"].as_array();
        let results = blocks.into_iter().flatten().filter(|block| block["type"] == "tool_result");
        let results: Vec<String> = results.map(|block| all_text(&block["content"])).collect();
        for result in &results {
            messages.push(json!({"role": "tool", "content": result}));
        }
        add(&mut messages, role, said(&message["content"]));
    }
    messages
}

fn of_responses(body: &Value) -> Vec<Value> {
    let mut messages = Vec::new();
    add(&mut messages, "system", all_text(&body["instructions"]));
    match &body["input"] {
        Value::String(text) => add(&mut messages, "user", text.clone()),
        items => {
            for item in items.as_array().into_iter().flatten() {
                match item["type"].as_str().unwrap_or("message") {
                    "message" if item["role"] == "developer" => {
                        add(&mut messages, "system", all_text(&item["content"]));
                    }
                    "message" => {
                        let role = item["role"].as_str().unwrap_or("user");
                        add(&mut messages, role, said(&item["content"]));
                    }
                    kind if kind.ends_with("_output") => {
                        messages.push(json!({"role": "tool", "content": all_text(&item["output"])}));
                    }
                    _ => {}
                }
            }
        }
    }
    messages
}

fn of_gemini(body: &Value) -> Vec<Value> {
    let mut messages = Vec::new();
    add(&mut messages, "system", all_text(&body["systemInstruction"]["parts"]));
    for content in body["contents"].as_array().into_iter().flatten() {
        let parts = content["parts"].as_array();
        for part in parts.into_iter().flatten().filter(|part| !part["functionResponse"].is_null()) {
            messages.push(json!({"role": "tool", "content": part["functionResponse"]["response"].to_string()}));
        }
        let role = if content["role"] == "model" { "assistant" } else { "user" };
        add(&mut messages, role, said(&content["parts"]));
    }
    messages
}

fn call_id() -> String {
    format!("call_{}", uuid::Uuid::new_v4().simple())
}

/// Programs take messages of the same id for parts of one.
fn message(request: &ChatRequest, read: usize, written: usize) -> Value {
    json!({
        "id": format!("msg_{}", uuid::Uuid::new_v4().simple()), "type": "message", "role": "assistant", "model": request.model(), "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": read, "output_tokens": written},
    })
}

fn stop_reason(reply: &Reply) -> &'static str {
    if reply.tools.is_empty() { "end_turn" } else { "tool_use" }
}

fn blocks(reply: &Reply) -> Vec<Value> {
    let text = (!reply.text.is_empty()).then(|| json!({"type": "text", "text": reply.text}));
    let tools = reply.tools.iter().map(
        |tool| json!({"type": "tool_use", "id": format!("toolu_{}", call_id()), "name": tool.name, "input": tool.arguments}),
    );
    text.into_iter().chain(tools).collect()
}

fn messages_events(
    request: &ChatRequest,
    reply: &Reply,
    pieces: &[String],
    (read, written): (usize, usize),
) -> Streamed {
    let event = |name: &'static str, mut data: Value| {
        data["type"] = json!(name);
        (Some(name), data)
    };
    let (mut begin, mut end) =
        (vec![event("message_start", json!({"message": message(request, read, 1)}))], Vec::new());
    let tools: Vec<Value> = blocks(reply).into_iter().filter(|block| block["type"] == "tool_use").collect();
    if !reply.text.is_empty() || tools.is_empty() {
        let block = json!({"index": 0, "content_block": {"type": "text", "text": ""}});
        begin.push(event("content_block_start", block));
        let delta = |piece: &String| json!({"index": 0, "delta": {"type": "text_delta", "text": piece}});
        begin.extend(pieces.iter().map(|piece| event("content_block_delta", delta(piece))));
        end.push(event("content_block_stop", json!({"index": 0})));
    }
    let first = usize::from(!reply.text.is_empty());
    for (place, mut block) in tools.into_iter().enumerate() {
        let index = first + place;
        let input = std::mem::replace(&mut block["input"], json!({})).to_string();
        end.push(event("content_block_start", json!({"index": index, "content_block": block})));
        let delta = json!({"index": index, "delta": {"type": "input_json_delta", "partial_json": input}});
        end.push(event("content_block_delta", delta));
        end.push(event("content_block_stop", json!({"index": index})));
    }
    let ended = json!({"delta": {"stop_reason": stop_reason(reply), "stop_sequence": null}, "usage": {"output_tokens": written}});
    end.push(event("message_delta", ended));
    end.push(event("message_stop", json!({})));
    Streamed { begin, end }
}

fn output_items(reply: &Reply) -> Vec<Value> {
    let text = (!reply.text.is_empty()).then(|| {
        let id = format!("msg_{}", uuid::Uuid::new_v4().simple());
        json!({"type": "message", "id": id, "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": reply.text, "annotations": []}]})
    });
    let tools = reply.tools.iter().map(|tool| {
        let arguments = Value::Object(tool.arguments.clone()).to_string();
        let id = call_id();
        json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": tool.name, "arguments": arguments,
            "status": "completed"})
    });
    text.into_iter().chain(tools).collect()
}

fn response(request: &ChatRequest, output: Vec<Value>, (read, written): (usize, usize)) -> Value {
    json!({
        "id": format!("resp_{}", uuid::Uuid::new_v4().simple()), "object": "response", "created_at": 0, "status": "completed", "model": request.model(),
        "output": output, "usage": {"input_tokens": read, "output_tokens": written, "total_tokens": read + written,
            "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}},
    })
}

fn responses_events(request: &ChatRequest, reply: &Reply, pieces: &[String], used: (usize, usize)) -> Streamed {
    let event = |name: &'static str, mut data: Value| {
        data["type"] = json!(name);
        (Some(name), data)
    };
    let items = output_items(reply);
    let mut created = response(request, Vec::new(), used);
    created["status"] = json!("in_progress");
    let mut begin = vec![event("response.created", json!({"response": created}))];
    let mut end = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if item["type"] == "message" {
            let mut empty = item.clone();
            (empty["status"], empty["content"]) = (json!("in_progress"), json!([]));
            begin.push(event("response.output_item.added", json!({"output_index": index, "item": empty})));
            let delta = |piece: &String| json!({"item_id": "msg_scripted", "output_index": index, "content_index": 0, "delta": piece});
            begin.extend(pieces.iter().map(|piece| event("response.output_text.delta", delta(piece))));
        }
        end.push(event("response.output_item.done", json!({"output_index": index, "item": item})));
    }
    end.push(event("response.completed", json!({"response": response(request, items, used)})));
    Streamed { begin, end }
}

fn gemini_calls(reply: &Reply) -> Vec<Value> {
    reply.tools.iter().map(|tool| json!({"functionCall": {"name": tool.name, "args": tool.arguments}})).collect()
}

fn gemini_parts(reply: &Reply) -> Vec<Value> {
    let text = (!reply.text.is_empty()).then(|| json!({"text": reply.text}));
    text.into_iter().chain(gemini_calls(reply)).collect()
}

fn gemini(parts: Vec<Value>, is_last: bool, (read, written): (usize, usize)) -> Value {
    let mut candidate = json!({"index": 0, "content": {"role": "model", "parts": parts}});
    if is_last {
        candidate["finishReason"] = json!("STOP");
    }
    json!({"candidates": [candidate], "usageMetadata":
        {"promptTokenCount": read, "candidatesTokenCount": written, "totalTokenCount": read + written}})
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The roles of the messages of a chat.
    fn roles(chat: &Value) -> Vec<&str> {
        chat["messages"].as_array().unwrap().iter().map(|message| message["role"].as_str().unwrap()).collect()
    }

    #[test]
    fn the_same_conversation_is_one_chat_in_each_form() {
        let messages = json!({"model": "m", "system": [{"type": "text", "text": "be brief"}], "messages": [
            {"role": "user", "content": [{"type": "text", "text": "<system-reminder>x"}, {"type": "text", "text": "hi"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "Bash", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "done"}]}]});
        let responses = json!({"model": "m", "instructions": "be brief", "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "<environment_context>x"}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            {"type": "function_call", "name": "shell"}, {"type": "function_call_output", "output": "done"}]});
        let gemini = json!({"systemInstruction": {"parts": [{"text": "be brief"}]}, "contents": [
            {"role": "user", "parts": [{"text": "hi"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "x", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "x", "response": {"output": "done"}}}]}]});
        for (wire, body) in [(Wire::Messages, messages), (Wire::Responses, responses), (Wire::Gemini, gemini)] {
            let chat = wire.as_chat(body, Some("m"));
            assert_eq!(roles(&chat), ["system", "user", "tool"], "{wire:?}");
            assert_eq!((&chat["model"], &chat["messages"][1]["content"]), (&json!("m"), &json!("hi")), "{wire:?}");
        }
    }
}
