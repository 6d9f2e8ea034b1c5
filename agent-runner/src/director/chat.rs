//! A client for any chat API that speaks OpenAI's dialect. One question, one answer; what it means is not known here.

use crate::worker::api_base;
use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use terarchitect_worker_api::client::{Retry, Waits};
use url::Url;

/// How long one answer may take: a thinking model can be silent for minutes.
const CALL_TIMEOUT: Duration = Duration::from_secs(600);

/// How long failures that can pass are tried again, counted from the first try.
const PATIENCE: Duration = Duration::from_secs(180);

/// The longest pause that the server can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// The largest answer that is read.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// How much of a refusal is shown, in characters.
const EXCERPT_CHARS: usize = 300;

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The rules.
    System,
    /// The one who asks.
    User,
    /// The model.
    Assistant,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChatMessage {
    /// Who says it.
    pub role: Role,
    /// What.
    pub content: String,
}

/// A model's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatAnswer {
    /// Its words.
    pub text: String,
    /// Tokens that it read, if the server counts them.
    pub tokens_in: Option<u64>,
    /// Tokens that it wrote.
    pub tokens_out: Option<u64>,
}

/// Why the model could not be asked. Each is a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// The address is no usable base URL.
    #[error("AGENT_LLM_URL is {url:?}, which is not an http:// or https:// address")]
    InvalidUrl {
        /// The address as given.
        url: String,
    },
    /// The HTTP client could not be set up, for example because no CA certificates can be read.
    #[error("could not set up the HTTP client")]
    Setup(#[source] reqwest::Error),
    /// The key, the model or the address is wrong.
    #[error("the Director's model answered {status} ({message}): check AGENT_LLM_URL, AGENT_MODEL and AGENT_API_KEY")]
    Misconfigured {
        /// The status of the answer.
        status: StatusCode,
        /// What it said.
        message: String,
    },
    /// What answers is no chat API.
    #[error("what answers at {url} is no chat API in OpenAI's dialect ({message}): check AGENT_LLM_URL")]
    NoChatApi {
        /// The address that was called.
        url: String,
        /// What came instead.
        message: String,
    },
    /// The request itself is refused.
    #[error("the Director's model refused the request with {status}: {message}")]
    Refused {
        /// The status of the answer.
        status: StatusCode,
        /// What it said.
        message: String,
    },
    /// No usable answer arrived, also after several tries.
    #[error("the Director's model did not answer properly, also after several tries ({message}): try again later")]
    Unavailable {
        /// What happened at the last try.
        message: String,
    },
}

impl ChatError {
    /// Whether the surroundings failed (exit code 75).
    #[must_use]
    pub fn is_infrastructure(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Whether a setting is wrong (exit code 2).
    #[must_use]
    pub fn is_misconfiguration(&self) -> bool {
        matches!(self, Self::InvalidUrl { .. } | Self::Misconfigured { .. } | Self::NoChatApi { .. })
    }
}

/// A chat model that the Director asks.
pub struct ChatModel {
    http: reqwest::Client,
    endpoint: Url,
    model: String,
    api_key: Option<SecretString>,
    /// Whether the server understands that an answer must be JSON; learnt from its refusal.
    asks_for_json: AtomicBool,
    patience: Duration,
}

impl std::fmt::Debug for ChatModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatModel").field("model", &self.model).finish_non_exhaustive()
    }
}

impl ChatModel {
    /// A client for the API at `base_url` (see [`api_base`]).
    ///
    /// # Errors
    /// The address is none, or the HTTP client could not be set up.
    pub fn new(base_url: &str, model: &str, api_key: Option<SecretString>) -> Result<Self, ChatError> {
        let mut endpoint = api_base(base_url).map_err(|error| ChatError::InvalidUrl { url: error.url })?;
        let path = format!("{}/chat/completions", endpoint.path().trim_end_matches('/'));
        endpoint.set_path(&path);
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .timeout(CALL_TIMEOUT)
            .build()
            .map_err(ChatError::Setup)?;
        Ok(Self {
            http,
            endpoint,
            model: model.to_owned(),
            api_key: api_key.filter(|key| !key.expose_secret().is_empty()),
            asks_for_json: AtomicBool::new(true),
            patience: PATIENCE,
        })
    }

    /// The same model, given up on after another time.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The model's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.model
    }

    /// Asks, and waits for the whole answer. Failures that can pass are tried again for a while.
    ///
    /// # Errors
    /// The model refused, or did not answer in time.
    pub async fn ask(&self, messages: &[ChatMessage]) -> Result<ChatAnswer, ChatError> {
        let mut waits = Waits::new(Retry::For(self.patience));
        loop {
            let (message, asked_wait) = match self.try_once(messages).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::NoJsonMode) => {
                    tracing::info!("the Director's model has no JSON mode, asking without");
                    self.asks_for_json.store(false, Ordering::Relaxed);
                    continue;
                }
                Err(Failure::MayPass { message, retry_after }) => (message, retry_after),
            };
            let Some(wait) = waits.next_wait() else { return Err(ChatError::Unavailable { message }) };
            let wait = asked_wait.unwrap_or(wait);
            tracing::warn!(wait_ms = wait.as_millis(), "the Director's model did not answer ({message}), trying again");
            tokio::time::sleep(wait).await;
        }
    }

    async fn try_once(&self, messages: &[ChatMessage]) -> Result<ChatAnswer, Failure> {
        let mut body = json!({ "model": self.model, "messages": messages, "stream": false });
        let asks_for_json = self.asks_for_json.load(Ordering::Relaxed);
        if asks_for_json {
            body["response_format"] = json!({ "type": "json_object" });
        }
        let mut request = self.http.post(self.endpoint.clone()).json(&body);
        if let Some(key) = &self.api_key {
            request = request.bearer_auth(key.expose_secret());
        }
        let response = request.send().await.map_err(|error| passing(chain(error)))?;
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = read_bounded(response).await?;
        if status.is_success() {
            return self.read_answer(&body);
        }
        let message = self.excerpt(&body);
        Err(match status {
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY if asks_for_json && is_about_json(&body) => {
                Failure::NoJsonMode
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                Failure::Final(ChatError::Misconfigured { status, message })
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => may_pass(status, &message, retry_after),
            status if status.is_server_error() => may_pass(status, &message, retry_after),
            status => Failure::Final(ChatError::Refused { status, message }),
        })
    }

    fn read_answer(&self, body: &[u8]) -> Result<ChatAnswer, Failure> {
        let no_api = |message: String| {
            let mut url = self.endpoint.clone();
            let _ = (url.set_username(""), url.set_password(None));
            url.set_query(None);
            Failure::Final(ChatError::NoChatApi { url: url.to_string(), message })
        };
        // Gateways report failures behind them with a status of 200.
        if serde_json::from_slice::<Value>(body).is_ok_and(|body| body.get("error").is_some_and(|e| !e.is_null())) {
            return Err(passing(self.excerpt(body)));
        }
        let completion: Completion =
            serde_json::from_slice(body).map_err(|_| no_api(format!("it said: {}", self.excerpt(body))))?;
        let Some(choice) = completion.choices.into_iter().next() else {
            return Err(no_api("its answer holds no choice".to_owned()));
        };
        let usage = completion.usage.unwrap_or_default();
        Ok(ChatAnswer {
            text: words(choice.message.content),
            tokens_in: usage.prompt_tokens,
            tokens_out: usage.completion_tokens,
        })
    }

    /// What a refusal says, without our key, which some servers repeat.
    fn excerpt(&self, body: &[u8]) -> String {
        let text = serde_json::from_slice::<Value>(body)
            .ok()
            .and_then(|body| {
                let error = body.get("error").unwrap_or(&body);
                error.get("message").unwrap_or(error).as_str().map(str::to_owned)
            })
            .unwrap_or_else(|| String::from_utf8_lossy(body).trim().to_owned());
        let text = match &self.api_key {
            Some(key) => text.replace(key.expose_secret(), "[secret]"),
            None => text,
        };
        text.chars().take(EXCERPT_CHARS).collect()
    }
}

enum Failure {
    Final(ChatError),
    NoJsonMode,
    MayPass { message: String, retry_after: Option<Duration> },
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: AnswerMessage,
}

#[derive(Deserialize)]
struct AnswerMessage {
    #[serde(default)]
    content: Value,
}

#[derive(Default, Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
}

/// The text of a content, which is a string or a list of parts.
fn words(content: Value) -> String {
    match content {
        Value::String(text) => text,
        Value::Array(parts) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
        _ => String::new(),
    }
}

fn is_about_json(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body).to_lowercase();
    ["response_format", "json_object", "json mode", "json_schema"].iter().any(|sign| text.contains(sign))
}

fn passing(message: String) -> Failure {
    Failure::MayPass { message, retry_after: None }
}

fn may_pass(status: StatusCode, message: &str, retry_after: Option<u64>) -> Failure {
    let retry_after = retry_after.map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    Failure::MayPass { message: format!("it answered {status}: {message}"), retry_after }
}

async fn read_bounded(mut response: reqwest::Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| passing(chain(error)))? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(passing("its answer is larger than any answer should be".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
