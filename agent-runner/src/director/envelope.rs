//! Reads a model's words from a server's response, in whatever envelope they come. Pure.
//!
//! Servers that call themselves compatible differ in nearly every field, and gateways pass on the forms of others. The
//! table of what was seen, with its sources, is `tests/shapes/`.

use super::lenient::{count, list};
use super::objects::{last_of_thoughts, objects};
use flate2::read::GzDecoder;
use serde_json::{Map, Value};
use std::io::Read;

/// What a response with a status of success holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Envelope {
    /// A model's answer. Its text is empty where the model said nothing.
    Answer(Answer),
    /// The server says that it failed, whatever the status says.
    Failure { code: Option<u16>, message: String },
    /// Nothing that a model said, for example no choices or no body at all.
    Nothing { why: &'static str },
    /// A page or a text that no chat API sends.
    Foreign,
}

/// A model's words, and what the server says about them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) text: String,
    /// Why the answer ended, as the server names it, e.g. `stop`, `length` or `content_filter`.
    pub(super) ended: String,
    pub(super) tokens_in: Option<u64>,
    pub(super) tokens_out: Option<u64>,
}

impl Answer {
    /// Whether the answer was cut at its length limit.
    pub(super) fn is_cut(&self) -> bool {
        matches!(self.ended.as_str(), "length" | "max_tokens" | "max_output_tokens" | "model_length")
    }

    /// Whether a filter kept the answer back.
    pub(super) fn is_filtered(&self) -> bool {
        matches!(self.ended.as_str(), "content_filter" | "safety" | "recitation" | "prohibited_content" | "refusal")
    }
}

/// Reads a response's body.
pub(super) fn read(body: &[u8]) -> Envelope {
    let text = decoded(body);
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Envelope::Nothing { why: "its response was empty" };
    }
    let values = values(text);
    if values.is_empty() {
        return Envelope::Foreign;
    }
    let mut found = Found::default();
    values.iter().for_each(|value| found.look(value, 0));
    found.envelope()
}

/// The largest body that is unpacked, in bytes.
const MAX_UNPACKED_BYTES: u64 = 16 * 1024 * 1024;

/// The text of a body: UTF-8, UTF-16 with its mark, or else one character for each byte. Some gateways pack a body
/// that was not asked for packed, and some do not say so.
fn decoded(body: &[u8]) -> String {
    let mut unpacked = Vec::new();
    if body.starts_with(&[0x1f, 0x8b])
        && GzDecoder::new(body).take(MAX_UNPACKED_BYTES).read_to_end(&mut unpacked).is_ok()
    {
        return decoded_text(&unpacked);
    }
    decoded_text(body)
}

fn decoded_text(body: &[u8]) -> String {
    let utf16 = |from: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = body[2..].as_chunks::<2>().0.iter().map(|pair| from(*pair)).collect();
        String::from_utf16_lossy(&units)
    };
    match body {
        [0xff, 0xfe, ..] => utf16(u16::from_le_bytes),
        [0xfe, 0xff, ..] => utf16(u16::from_be_bytes),
        _ => match std::str::from_utf8(body) {
            Ok(text) => text.to_owned(),
            Err(_) => body.iter().copied().map(char::from).collect(),
        },
    }
}

/// The JSON values of a body: one, one a line, or one in each event of a stream.
fn values(text: &str) -> Vec<Value> {
    if let Ok(value) = serde_json::from_str(text) {
        return vec![value];
    }
    let data = text.lines().filter_map(|line| line.trim().strip_prefix("data:"));
    let events: Vec<Value> = data.filter_map(|data| serde_json::from_str(data.trim()).ok()).collect();
    if !events.is_empty() {
        return events;
    }
    let mut stream = serde_json::Deserializer::from_str(text).into_iter();
    let values: Vec<Value> = stream.by_ref().map_while(Result::ok).filter(Value::is_object).collect();
    if !values.is_empty() || text.starts_with('<') {
        return values;
    }
    // An object with what JSON does not know, such as `NaN`.
    objects(text).pop().map(Value::Object).into_iter().collect()
}

/// The fields that hold the words themselves, in servers without choices.
const WORDS: &[&str] = &["output_text", "generated_text", "completion", "response", "text", "content", "answer"];

/// The fields that hold the whole response of another server.
const WRAPPERS: &[&str] = &["result", "data", "body", "output", "response", "message", "completion", "payload"];

/// Fields beside the words, for thoughts.
const ASIDE: &[&str] = &["reasoning_content", "reasoning", "thinking", "thoughts", "reasoning_text", "refusal"];

/// What was found so far.
#[derive(Default)]
struct Found {
    /// Words of whole messages; they count before the pieces, which a stream may repeat as a whole.
    whole: String,
    pieces: String,
    aside: String,
    calls: Vec<String>,
    ended: String,
    tokens_in: Option<u64>,
    tokens_out: Option<u64>,
    failure: Option<(Option<u16>, String)>,
    /// Whether it has the form of a chat API's response at all.
    is_known: bool,
    has_choice: bool,
}

impl Found {
    fn look(&mut self, value: &Value, depth: usize) {
        if depth > 4 {
            return;
        }
        let object = match value {
            Value::Object(object) => object,
            Value::Array(entries) => return entries.iter().for_each(|entry| self.look(entry, depth + 1)),
            _ => return,
        };
        self.failed(object);
        self.counted(object);
        self.is_known |=
            ["choices", "candidates", "usage", "model", "id", "done"].iter().any(|n| object.contains_key(*n));
        if let Some(choices) = object.get("choices").or_else(|| object.get("candidates")) {
            // Further choices are other answers to the same question.
            let before = self.said();
            for choice in list(choices) {
                self.choice(choice);
                if self.said() > before {
                    break;
                }
            }
            return;
        }
        if let Some(output) = object.get("output").filter(|output| output.is_array()) {
            return list(output).into_iter().for_each(|item| self.item(item));
        }
        if object.get("type").is_some_and(|kind| self.event(kind, object)) {
            return;
        }
        self.end_of(object);
        self.message(object);
        for name in WRAPPERS {
            match object.get(*name) {
                Some(inner @ Value::Object(_)) => self.look(inner, depth + 1),
                Some(Value::Array(entries)) if *name != "message" => {
                    entries.iter().for_each(|entry| self.look(entry, depth + 1));
                }
                Some(Value::String(text)) if *name == "result" || *name == "output" => self.say(text),
                _ => {}
            }
        }
    }

    /// A choice of OpenAI's form, or a candidate of Gemini's.
    fn choice(&mut self, choice: &Value) {
        let Value::Object(choice) = choice else { return };
        self.has_choice = true;
        self.failed(choice);
        self.end_of(choice);
        if choice.get("index").and_then(count).is_some_and(|index| index > 0) {
            return;
        }
        match (choice.get("message"), choice.get("delta")) {
            (Some(Value::Object(message)), None | Some(Value::Null)) => self.message(message),
            (_, Some(Value::Object(delta))) => self.delta(delta),
            (Some(Value::String(text)), _) => self.say(text),
            _ => match choice.get("content") {
                Some(Value::Object(content)) => self.message(content),
                _ => self.message(choice),
            },
        }
    }

    /// An item of the output of OpenAI's Responses API.
    fn item(&mut self, item: &Value) {
        let Value::Object(object) = item else { return };
        self.has_choice = true;
        match object.get("type").and_then(Value::as_str) {
            Some("reasoning") => self.aside.push_str(&texts(object.get("summary").unwrap_or(&Value::Null))),
            Some("function_call") => self.call(object),
            _ => self.message(object),
        }
    }

    /// An event of a stream that has a type; whether it is one.
    fn event(&mut self, kind: &Value, object: &Map<String, Value>) -> bool {
        match (kind.as_str().unwrap_or_default(), object.get("delta")) {
            ("response.output_text.delta", Some(Value::String(text))) => self.pieces.push_str(text),
            ("content_block_delta", Some(delta)) => {
                self.pieces.push_str(delta.get("text").and_then(Value::as_str).unwrap_or_default());
            }
            (kind, _) if kind.starts_with("response.") && !kind.ends_with(".completed") => {}
            ("content_block_start" | "content_block_stop" | "ping" | "message_stop", _) => {}
            _ => return false,
        }
        self.is_known = true;
        self.has_choice = true;
        true
    }

    fn message(&mut self, message: &Map<String, Value>) {
        for name in WORDS.iter().chain(&["parts"]) {
            let Some(value) = message.get(*name).filter(|value| value.is_string() || value.is_array()) else {
                continue;
            };
            let text = texts(value);
            list(value).into_iter().for_each(|part| self.part(part));
            if !text.trim().is_empty() {
                self.say(&text);
                break;
            }
        }
        for name in ASIDE {
            self.aside.push_str(&texts(message.get(*name).unwrap_or(&Value::Null)));
        }
        for call in message.get("tool_calls").map(list).unwrap_or_default() {
            if let Value::Object(call) = call {
                self.call(call.get("function").and_then(Value::as_object).unwrap_or(call));
            }
        }
        if let Some(Value::Object(call)) = message.get("function_call") {
            self.call(call);
        }
        if let Some(parsed @ Value::Object(_)) = message.get("parsed").or_else(|| message.get("content")) {
            self.calls.push(parsed.to_string());
        }
    }

    /// Thoughts and tool calls among the parts of a content.
    fn part(&mut self, part: &Value) {
        let Value::Object(object) = part else { return };
        match object.get("type").and_then(Value::as_str) {
            Some("tool_use" | "tool_call" | "function_call") => self.call(object),
            Some("thinking" | "reasoning") => {
                ["thinking", "reasoning", "text"].iter().filter_map(|name| object.get(*name)).for_each(|value| {
                    self.aside.push_str(&texts(value));
                });
            }
            _ => {
                if let Some(Value::Object(call)) = object.get("functionCall") {
                    self.call(call);
                }
            }
        }
    }

    fn delta(&mut self, delta: &Map<String, Value>) {
        self.pieces.push_str(&texts(delta.get("content").unwrap_or(&Value::Null)));
        ASIDE.iter().for_each(|name| self.aside.push_str(&texts(delta.get(*name).unwrap_or(&Value::Null))));
        for call in delta.get("tool_calls").map(list).unwrap_or_default() {
            let piece = call.pointer("/function/arguments").and_then(Value::as_str).unwrap_or_default();
            match self.calls.last_mut() {
                Some(arguments) => arguments.push_str(piece),
                None => self.calls.push(piece.to_owned()),
            }
        }
    }

    fn call(&mut self, call: &Map<String, Value>) {
        self.has_choice = true;
        match ["arguments", "input", "args", "parameters"].iter().find_map(|name| call.get(*name)) {
            Some(Value::String(text)) => self.calls.push(text.clone()),
            Some(object @ Value::Object(_)) => self.calls.push(object.to_string()),
            _ => {}
        }
    }

    /// Words of a whole message. They may come in several, as Ollama's stream does.
    fn say(&mut self, text: &str) {
        self.has_choice = true;
        self.whole.push_str(text);
    }

    fn said(&self) -> usize {
        self.whole.len() + self.pieces.len() + self.calls.len()
    }

    fn end_of(&mut self, object: &Map<String, Value>) {
        let names = ["finish_reason", "finishReason", "done_reason", "stop_reason"];
        if let Some(ended) = names.iter().find_map(|name| object.get(*name)?.as_str()) {
            self.ended = ended.to_lowercase();
        }
    }

    fn counted(&mut self, object: &Map<String, Value>) {
        let usage = ["usage", "usageMetadata", "meta"].iter().find_map(|name| object.get(*name)?.as_object());
        let usage = usage.unwrap_or(object);
        let read = |names: &[&str]| names.iter().find_map(|name| count(usage.get(*name)?));
        let tokens_in = ["prompt_tokens", "input_tokens", "promptTokens", "promptTokenCount", "prompt_eval_count"];
        let tokens_out =
            ["completion_tokens", "output_tokens", "completionTokens", "candidatesTokenCount", "eval_count"];
        self.tokens_in = read(&tokens_in).or(self.tokens_in);
        self.tokens_out = read(&tokens_out).or(self.tokens_out);
    }

    fn failed(&mut self, object: &Map<String, Value>) {
        let is_set = |value: &&Value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::String(text) => !text.is_empty(),
            _ => true,
        };
        let error = object.get("error").or_else(|| object.get("errors")).filter(is_set);
        let error = match error {
            Some(Value::Array(errors)) => errors.first(),
            Some(error) => Some(error),
            None if object.get("object").and_then(Value::as_str) == Some("error") => object.get("message"),
            None => object.get("detail").or_else(|| object.get("error_msg")).filter(is_set),
        };
        let Some(error) = error else { return };
        let code = ["code", "status", "status_code"].iter().find_map(|name| error.get(*name).or(object.get(*name)));
        let code = code.and_then(count).and_then(|code| u16::try_from(code).ok());
        let message = error.get("message").or_else(|| error.get("msg")).unwrap_or(error);
        let message = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
        self.failure = Some((code, message));
    }

    fn envelope(self) -> Envelope {
        let content = if self.whole.trim().is_empty() { self.pieces } else { self.whole };
        let text = if objects(&content).is_empty() {
            // A draft in thoughts that were cut is not an answer.
            let call = self.calls.into_iter().rev().find(|call| !objects(call).is_empty());
            let is_cut = Answer { ended: self.ended.clone(), ..Answer::default() }.is_cut();
            let thought = || last_of_thoughts(&self.aside).filter(|_| !is_cut);
            call.or_else(|| thought().map(|object| Value::Object(object).to_string())).unwrap_or(content)
        } else {
            content
        };
        match self.failure {
            Some((code, message)) if text.trim().is_empty() => Envelope::Failure { code, message },
            _ if self.has_choice => {
                let (tokens_in, tokens_out) = (self.tokens_in, self.tokens_out);
                Envelope::Answer(Answer { text, ended: self.ended, tokens_in, tokens_out })
            }
            _ if self.is_known => Envelope::Nothing { why: "its response has no choices" },
            _ => Envelope::Foreign,
        }
    }
}

/// The text of a value: itself, or the texts of its parts without thoughts.
fn texts(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(texts).collect(),
        Value::Object(part) if part.get("thought") == Some(&Value::Bool(true)) => String::new(),
        Value::Object(part) if matches!(part.get("type").and_then(Value::as_str), Some("thinking" | "reasoning")) => {
            String::new()
        }
        Value::Object(part) => {
            ["text", "content", "output_text"].iter().find_map(|name| part.get(*name)).map(texts).unwrap_or_default()
        }
        _ => String::new(),
    }
}
