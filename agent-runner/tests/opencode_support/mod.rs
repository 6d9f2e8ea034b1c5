//! What the tests with the real OpenCode share: a scripted model, a workspace, a look at the processes.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(unreachable_pub, reason = "a module that several test binaries include")]

use secrecy::SecretString;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use terarchitect_agent_runner::worker::opencode::{OpenCodeOptions, Provider};
use terarchitect_agent_runner::worker::{AgentEvent, ProgressSink, api_base};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// OpenCode's program, or `None` with a word about it: the tests that need it are then skipped.
pub fn opencode() -> Option<PathBuf> {
    let named = std::env::var_os("OPENCODE_BIN").map(PathBuf::from);
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|directory| directory.join("opencode")).find(|program| program.is_file())
    };
    let found = named.or_else(on_path).filter(|program| program.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: no OpenCode here; set OPENCODE_BIN or put `opencode` on PATH to run this test");
    }
    found
}

/// What the model answers to a request.
pub enum Reply {
    Text(&'static str),
    Call(&'static str, Value),
    Refusal(u16, &'static str),
    Stall,
}

/// A model that answers as `script` says: it is given the words of the last prompt, and whether a tool has answered
/// since. Requests without tools are OpenCode's own, such as summaries.
pub struct Model {
    server: MockServer,
}

/// A request as the script sees it.
pub struct Asked<'a> {
    pub prompt: &'a str,
    pub tool_answer: Option<&'a str>,
    pub has_tools: bool,
}

impl Model {
    pub async fn start(script: impl Fn(Asked<'_>) -> Reply + Send + Sync + 'static) -> Self {
        let server = MockServer::start().await;
        Mock::given(path("/v1/chat/completions")).respond_with(Script(script)).mount(&server).await;
        Self { server }
    }

    pub fn provider(&self) -> Provider {
        Provider {
            base_url: api_base(&self.server.uri()).unwrap(),
            model: "scripted/model".to_owned(),
            api_key: Some(SecretString::from("key-with-\"quote\"")),
            limits: None,
        }
    }

    /// The values of a header in all requests so far.
    pub async fn header(&self, name: &str) -> Vec<String> {
        let requests = self.server.received_requests().await.unwrap();
        let value = |request: &Request| Some(request.headers.get(name)?.to_str().unwrap().to_owned());
        requests.iter().filter_map(value).collect()
    }
}

struct Script<F>(F);

impl<F: Fn(Asked<'_>) -> Reply + Send + Sync> Respond for Script<F> {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body: Value = request.body_json().unwrap();
        let messages = body["messages"].as_array().unwrap();
        let prompt = messages.iter().rev().find(|message| message["role"] == "user").map(words).unwrap_or_default();
        let tool_answer = messages.last().filter(|message| message["role"] == "tool").map(words);
        let asked = Asked { prompt: &prompt, tool_answer: tool_answer.as_deref(), has_tools: body["tools"].is_array() };
        match (self.0)(asked) {
            Reply::Text(text) => stream(json!({ "role": "assistant", "content": text }), "stop"),
            Reply::Call(name, arguments) => {
                let function = json!({ "name": name, "arguments": arguments.to_string() });
                let call = json!({ "index": 0, "id": uuid::Uuid::new_v4().to_string(), "type": "function", "function": function });
                stream(json!({ "role": "assistant", "tool_calls": [call] }), "tool_calls")
            }
            Reply::Refusal(status, message) => {
                ResponseTemplate::new(status).set_body_json(json!({ "error": { "message": message } }))
            }
            Reply::Stall => ResponseTemplate::new(200).set_delay(Duration::from_secs(600)),
        }
    }
}

fn words(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

fn stream(delta: Value, finish: &str) -> ResponseTemplate {
    let chunk = |delta: Value, finish: Option<&str>, usage: Value| {
        json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "usage": usage,
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
    };
    let usage = json!({ "prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110 });
    let first = chunk(delta, None, Value::Null);
    let last = chunk(json!({}), Some(finish), usage);
    ResponseTemplate::new(200).set_body_raw(format!("data: {first}\n\ndata: {last}\n\ndata: [DONE]\n\n"), "text/event-stream")
}

/// A repository to work in, and a place for the agent's state.
pub struct Place {
    root: tempfile::TempDir,
    pub events: Arc<Events>,
}

impl Place {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("work")).unwrap();
        git2::Repository::init(root.path().join("work")).unwrap();
        Self { root, events: Arc::default() }
    }

    pub fn work(&self, name: &str) -> PathBuf {
        self.root.path().join("work").join(name)
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }

    pub fn options(&self, binary: PathBuf, provider: Provider) -> OpenCodeOptions {
        let mut options = OpenCodeOptions::new(self.work(""), self.root.path().join("state"), provider);
        options.binary = binary;
        options.progress = self.events.clone();
        options
    }

    /// The command lines of all living processes that belong to this place's agent.
    pub fn processes(&self) -> Vec<(i32, String)> {
        let mark = format!("TMPDIR={}", self.root.path().join("state/tmp").display()).into_bytes();
        let pids = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        pids.filter_map(|pid| {
            let environ = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
            environ.split(|&byte| byte == 0).any(|variable| variable == mark).then_some(())?;
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            Some((pid, String::from_utf8_lossy(&command).replace('\0', " ").trim().to_owned()))
        })
        .collect()
    }
}

/// Keeps what it is told.
#[derive(Default)]
pub struct Events(Mutex<Vec<AgentEvent>>);

impl ProgressSink for Events {
    fn event(&self, event: AgentEvent) {
        self.0.lock().unwrap().push(event);
    }
}

impl Events {
    /// Waits until an event of this kind was seen.
    pub async fn wait_for(&self, what: &str, is_it: impl Fn(&AgentEvent) -> bool) {
        eventually(what, || self.0.lock().unwrap().iter().any(&is_it)).await;
    }
}

/// Waits until it is so, for a bounded time.
pub async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited too long for: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
