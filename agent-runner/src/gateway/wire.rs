//! The wire forms of models: which calls are passed on, and what a response says about itself. Pure.

use super::failure::{MARK, ModelFailure};
use super::tokens::{Counted, Tokens};
use crate::wire::Wire;
use serde_json::{Value, json};

/// A call that is passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) wire: Wire,
    /// The path below the model's base address.
    pub(super) path: String,
    /// Whether a model answers, so that it costs something.
    pub(super) is_asked: bool,
    /// The model, where the path has it.
    pub(super) model: Option<String>,
}

impl Call {
    /// The call behind a path below a door; none for all that has nothing to do with models.
    ///
    /// Programs that know their model's server alone put its version in front: it is part of the base address here.
    pub(super) fn find(is_post: bool, path: &str) -> Option<Self> {
        let path = path.trim_start_matches('/');
        let path = path.strip_prefix("v1/").or_else(|| path.strip_prefix("v1beta/")).unwrap_or(path);
        // However they are written, parts that lead upwards would lead to what is not the model's.
        let plain = path.replace('\\', "/").replace("%2e", ".").replace("%2E", ".");
        if plain.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
            return None;
        }
        let call = |wire, is_asked| Some(Self { wire, path: path.to_owned(), is_asked, model: None });
        match path {
            "chat/completions" if is_post => return call(Wire::Chat, true),
            "responses" if is_post => return call(Wire::Responses, true),
            "messages" if is_post => return call(Wire::Messages, true),
            "messages/count_tokens" if is_post => return call(Wire::Messages, false),
            "models" if !is_post => return call(Wire::Chat, false),
            _ => {}
        }
        let name = path.strip_prefix("models/")?;
        if !is_post {
            return call(Wire::Chat, false);
        }
        let (model, method) = name.rsplit_once(':')?;
        let is_asked = match method {
            "generateContent" | "streamGenerateContent" => true,
            "countTokens" => false,
            _ => return None,
        };
        Some(Self { wire: Wire::Gemini, path: path.to_owned(), is_asked, model: Some(model.to_owned()) })
    }
}

/// A failure in the form in which an agent reads it. All agents stop at 400.
pub(super) fn refusal(wire: Wire, kind: ModelFailure, message: &str) -> Value {
    let code = kind.code();
    match wire {
        Wire::Chat | Wire::Responses => json!({ "error": { "message": message, "type": "invalid_request_error",
            "param": null, "code": code, MARK: code } }),
        Wire::Messages => json!({ "type": "error",
            "error": { "type": "invalid_request_error", "message": message, MARK: code } }),
        Wire::Gemini => {
            json!({ "error": { "code": 400, "status": "INVALID_ARGUMENT", "message": message, MARK: code } })
        }
    }
}

/// What a response said, once it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// What it used; none where the server does not count.
    pub(super) tokens: Option<Tokens>,
    /// Whether it came to its end.
    pub(super) is_whole: bool,
    /// The failure that it reports with a status of success.
    pub(super) failure: Option<String>,
}

/// The longest line of a stream, and the longest response that is not one, that is read. A longer one is passed on, and
/// its tokens are not known.
const READ_BYTES: usize = 16 * 1024 * 1024;

/// How much of a failure is kept, in characters.
const FAILURE_CHARS: usize = 300;

/// Reads a response while it is passed on.
#[derive(Debug)]
pub(super) struct Meter {
    is_stream: bool,
    unread: Vec<u8>,
    is_too_long: bool,
    counted: Counted,
    is_whole: bool,
    failure: Option<String>,
}

impl Meter {
    pub(super) fn new(is_stream: bool) -> Self {
        let (unread, counted) = (Vec::new(), Counted::default());
        Self { is_stream, unread, is_too_long: false, counted, is_whole: false, failure: None }
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        if !self.is_stream {
            self.keep(bytes);
            return;
        }
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.keep(&bytes[..end]);
            bytes = &bytes[end + 1..];
            let line = std::mem::take(&mut self.unread);
            if !std::mem::take(&mut self.is_too_long) {
                self.read_line(&line);
            }
        }
        self.keep(bytes);
    }

    /// What all of it said.
    pub(super) fn end(mut self) -> Said {
        let rest = std::mem::take(&mut self.unread);
        if self.is_stream {
            self.read_line(&rest);
        } else {
            let value = serde_json::from_slice::<Value>(&rest);
            self.is_whole = value.is_ok() || self.is_too_long;
            if let Ok(value) = value {
                self.read_value(&value);
            }
        }
        Said { tokens: self.counted.tokens(), is_whole: self.is_whole, failure: self.failure }
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.is_too_long |= self.unread.len() + bytes.len() > READ_BYTES;
        if self.is_too_long {
            self.unread.clear();
        } else {
            self.unread.extend_from_slice(bytes);
        }
    }

    fn read_line(&mut self, line: &[u8]) {
        let Some(data) = line.strip_prefix(b"data:") else { return };
        let Ok(data) = std::str::from_utf8(data) else { return };
        let data = data.trim();
        if data == "[DONE]" {
            self.is_whole = true;
            return;
        }
        // Most parts are a few letters of text, and say nothing else.
        let signs = ["usage", "finish", "Reason", "_stop", "completed", "incomplete", "failed", "\"error\""];
        if signs.iter().any(|sign| data.contains(sign))
            && let Ok(part) = serde_json::from_str::<Value>(data)
        {
            self.read_value(&part);
        }
    }

    fn read_value(&mut self, part: &Value) {
        self.counted.read(part);
        let reason = |choices: &Value, name: &str| {
            choices.as_array().is_some_and(|choices| choices.iter().any(|choice| choice[name].is_string()))
        };
        let kind = part["type"].as_str().unwrap_or_default();
        self.is_whole |= reason(&part["choices"], "finish_reason")
            || reason(&part["candidates"], "finishReason")
            || matches!(kind, "message_stop" | "response.completed" | "response.incomplete" | "response.failed");
        let error = [&part["error"], &part["response"]["error"]].into_iter().find(|error| !error.is_null());
        if let Some(error) = error {
            let message = error["message"].as_str().or(error.as_str()).map_or_else(|| error.to_string(), str::to_owned);
            self.failure = Some(message.chars().take(FAILURE_CHARS).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metered(is_stream: bool, text: &str, piece: usize) -> Said {
        let mut meter = Meter::new(is_stream);
        for bytes in text.as_bytes().chunks(piece) {
            meter.push(bytes);
        }
        meter.end()
    }

    #[test]
    fn only_calls_of_models_are_passed_on() {
        let found = |path: &str| Call::find(true, path).map(|call| (call.wire, call.path, call.is_asked));
        assert_eq!(found("/chat/completions"), Some((Wire::Chat, "chat/completions".to_owned(), true)));
        assert_eq!(found("v1/responses"), Some((Wire::Responses, "responses".to_owned(), true)));
        assert_eq!(
            found("v1/messages/count_tokens"),
            Some((Wire::Messages, "messages/count_tokens".to_owned(), false))
        );
        let gemini = Call::find(true, "v1beta/models/gemini-3:streamGenerateContent").unwrap();
        assert_eq!((gemini.wire, gemini.model.as_deref()), (Wire::Gemini, Some("gemini-3")));
        for path in [
            "",
            "files",
            "fine_tuning/jobs",
            "models/x:tune",
            "models/../files",
            "models/%2e%2E/files",
            "models/.%2e/files",
            "models/..\\files",
            "../chat/completions",
            "v1//models",
        ] {
            assert_eq!(Call::find(true, path), None, "{path}");
        }
        assert!(Call::find(false, "models").is_some_and(|call| !call.is_asked));
        assert_eq!(Call::find(false, "chat/completions"), None);
    }

    #[test]
    fn a_stream_is_read_however_it_is_cut_into_pieces() {
        let text = "data: {\"choices\":[{\"delta\":{\"content\":\"Hello \\u2026\"},\"finish_reason\":null}]}\n\n\
            : a comment\r\n\
            data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\n\
            data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";
        for piece in [1, 2, 7, 64, text.len()] {
            let said = metered(true, text, piece);
            let tokens = Tokens { input: 7, output: 3, ..Tokens::default() };
            assert_eq!(said, Said { tokens: Some(tokens), is_whole: true, failure: None }, "{piece}");
        }
        let cut = metered(true, &text[..80], 10);
        assert_eq!(cut, Said { tokens: None, is_whole: false, failure: None });
    }

    #[test]
    fn each_form_says_when_it_is_over() {
        for end in [
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            "data: {\"type\":\"response.completed\",\"response\":{}}\n\n",
            "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n",
        ] {
            assert!(metered(true, end, 9).is_whole, "{end}");
        }
        assert!(metered(false, "{\"choices\":[]}", 3).is_whole);
        assert!(!metered(false, "{\"choices\":[", 3).is_whole);
    }

    #[test]
    fn a_failure_within_a_success_is_seen() {
        let said = metered(true, "data: {\"error\":{\"message\":\"overloaded\",\"code\":502}}\n\n", 5);
        assert_eq!(said.failure.as_deref(), Some("overloaded"));
        assert_eq!(metered(false, "{\"error\":\"no such path\"}", 5).failure.as_deref(), Some("no such path"));
    }
}
