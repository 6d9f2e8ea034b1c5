//! A scripted model behind OpenAI's chat API: `POST …/chat/completions`, streaming or whole, with tool calls. It speaks
//! OpenAI's responses, Anthropic's messages and Google's `generateContent` as well, by the same scripts.
//!
//! It replies as its [`Script`] defines for the conversation, and misbehaves where the script requests it: errors,
//! silence, cut connections, replies that are held until `POST …/release/<name>`. `GET …/requests` shows what arrived. A request that no rule fits gets a 400 that names it, so that scripts fail loudly.

mod reply;
mod script;
mod wire;

pub use script::{Reply, Rule, Script, ToolCall, When};
pub use wire::Wire;

use crate::listen::{Server, any_loopback, serve};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use script::Progress;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct ChatRequest {
    /// The whole body. Of another form than a chat it has `model` and `messages` as a chat has them, too.
    pub body: Value,
    /// The form that it came in.
    pub wire: Wire,
    /// The key that came with it.
    pub key: Option<String>,
    /// What tells conversations apart: the header `x-session-id`, else model and first user message.
    pub conversation: String,
}

impl ChatRequest {
    /// The requested model.
    #[must_use]
    pub fn model(&self) -> &str {
        self.body["model"].as_str().unwrap_or_default()
    }

    /// The text of the last message of this role.
    #[must_use]
    pub fn last(&self, role: &str) -> String {
        self.messages().iter().rev().find(|m| m["role"] == role).map(text_of).unwrap_or_default()
    }

    /// All messages.
    #[must_use]
    pub fn messages(&self) -> &[Value] {
        self.body["messages"].as_array().map(Vec::as_slice).unwrap_or_default()
    }
}

/// A message's text, whether it is one string or a list of parts.
fn text_of(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

struct Shared {
    script: Mutex<Script>,
    key: Option<String>,
    progress: Mutex<Progress>,
    requests: watch::Sender<Vec<ChatRequest>>,
    released: watch::Sender<BTreeSet<String>>,
}

/// A running scripted model; dropping it stops it.
pub struct ChatServer {
    shared: Arc<Shared>,
    server: Server,
}

impl Shared {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChatServer {
    /// Starts on a free port of loopback.
    ///
    /// # Errors
    /// When it can't listen.
    pub async fn start(script: Script) -> anyhow::Result<Self> {
        Self::start_on(&[any_loopback()], script, None).await
    }

    /// Starts on these addresses; with a key, requests without it get 401.
    ///
    /// # Errors
    /// When it can't listen on an address.
    pub async fn start_on(addresses: &[SocketAddr], script: Script, key: Option<String>) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            script: Mutex::new(script),
            key,
            progress: Mutex::default(),
            requests: watch::Sender::new(Vec::new()),
            released: watch::Sender::new(BTreeSet::new()),
        });
        let router = Router::new()
            .route("/v1/chat/completions", post(complete))
            .route("/chat/completions", post(complete))
            .route("/v1/responses", post(answer_responses))
            .route("/v1/messages", post(answer_messages))
            .route("/v1/messages/count_tokens", post(count_tokens))
            .route("/v1beta/models/{*call}", post(answer_gemini))
            .route("/v1/models/{*call}", post(answer_gemini))
            .route("/v1/models", get(models))
            .route("/v1/release/{name}", post(release))
            .route("/v1/requests", get(arrived))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(shared.clone());
        let server = serve(addresses, router).await?;
        Ok(Self { shared, server })
    }

    /// Replies by another script from now on.
    pub fn set_script(&self, script: Script) {
        *self.shared.script() = script;
    }

    /// The base URL that clients are given, with `/v1`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.server.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Every request so far.
    #[must_use]
    pub fn requests(&self) -> Vec<ChatRequest> {
        self.shared.requests.borrow().clone()
    }

    /// Waits until more than this many requests have arrived.
    ///
    /// # Panics
    /// Never: the sender lives as long as this.
    pub async fn wait_for_more_than(&self, number: usize) {
        let mut requests = self.shared.requests.subscribe();
        let more = requests.wait_for(|requests| requests.len() > number).await;
        more.expect("the sender lives as long as the server");
    }

    /// Waits until a request that fits has arrived, and returns it.
    ///
    /// # Panics
    /// Never: the sender lives as long as this.
    pub async fn wait_for_request(&self, fits: impl Fn(&ChatRequest) -> bool) -> ChatRequest {
        let mut requests = self.shared.requests.subscribe();
        let seen = requests
            .wait_for(|requests| requests.iter().any(&fits))
            .await
            .expect("the sender lives as long as the server");
        seen.iter().find(|request| fits(request)).cloned().expect("the wait ended because there is one")
    }
}

async fn models(State(shared): State<Arc<Shared>>) -> Response {
    let models = shared.script().models();
    let data: Vec<_> = models.into_iter().map(|id| json!({"id": id, "object": "model"})).collect();
    axum::Json(json!({"object": "list", "data": data})).into_response()
}

async fn complete(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    answer(shared, Wire::Chat, None, headers, body).await
}

async fn answer_responses(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    answer(shared, Wire::Responses, None, headers, body).await
}

async fn answer_messages(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    answer(shared, Wire::Messages, None, headers, body).await
}

async fn answer_gemini(
    State(shared): State<Arc<Shared>>,
    Path(call): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(shared, Wire::Gemini, Some(&call), headers, body).await
}

/// `call` has the model and what is asked of it, where the path says that.
async fn answer(shared: Arc<Shared>, wire: Wire, call: Option<&str>, headers: HeaderMap, body: Bytes) -> Response {
    let given = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = given("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let key = bearer.or_else(|| given("x-api-key")).or_else(|| given("x-goog-api-key")).map(str::to_owned);
    if shared.key.is_some() && key != shared.key {
        return error(StatusCode::UNAUTHORIZED, "the API key is not valid");
    }
    let Ok(mut body) = serde_json::from_slice::<Value>(&body) else {
        return error(StatusCode::BAD_REQUEST, "the body is not JSON");
    };
    let (model, method) = call.and_then(|call| call.rsplit_once(':')).unzip();
    if method == Some("countTokens") {
        return axum::Json(json!({"totalTokens": body.to_string().len() / 4})).into_response();
    }
    if let Some(method) = method {
        body["stream"] = json!(method == "streamGenerateContent");
    }
    let body = wire.as_chat(body, model);
    let conversation = conversation_of(&headers, &body);
    let request = ChatRequest { body, wire, key, conversation };
    shared.requests.send_modify(|requests| requests.push(request.clone()));
    let found = match shared.progress.lock() {
        Ok(mut progress) => shared.script().reply_to(&request, &mut progress),
        Err(_) => None,
    };
    if let Some(name) = found.as_ref().and_then(|reply| reply.hold.as_deref()) {
        // It can only fail when the sender is gone, and `shared` holds it.
        let _ = shared.released.subscribe().wait_for(|released| released.contains(name)).await;
    }
    match found {
        Some(reply) => reply::respond(&request, wire.in_its_tools(reply)).await,
        None => error(StatusCode::BAD_REQUEST, &script::unmatched(&request)),
    }
}

async fn count_tokens(body: Bytes) -> Response {
    axum::Json(json!({"input_tokens": body.len() / 4})).into_response()
}

/// Every request so far, for tests in other processes.
async fn arrived(State(shared): State<Arc<Shared>>) -> Response {
    let requests = shared.requests.borrow().clone();
    let all: Vec<_> = requests
        .into_iter()
        .map(|request| json!({"conversation": request.conversation, "body": request.body}))
        .collect();
    axum::Json(all).into_response()
}

async fn release(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> StatusCode {
    shared.released.send_modify(|released| {
        released.insert(name);
    });
    StatusCode::NO_CONTENT
}

fn conversation_of(headers: &HeaderMap, body: &Value) -> String {
    if let Some(session) = headers.get("x-session-id").and_then(|value| value.to_str().ok()) {
        return session.to_owned();
    }
    let first = body["messages"].as_array().and_then(|all| all.iter().find(|m| m["role"] == "user")).map(text_of);
    format!("{}\n{}", body["model"].as_str().unwrap_or_default(), first.unwrap_or_default())
}

fn error(status: StatusCode, message: &str) -> Response {
    let body = json!({"error": {"message": message, "type": "invalid_request_error", "code": status.as_u16()}});
    (status, axum::Json(body)).into_response()
}
