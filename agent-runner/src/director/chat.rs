//! A client for any chat API that is compatible with OpenAI's: one question, one answer. What an answer means is not
//! decided here.

use super::envelope::{self, Envelope};
use crate::gateway::ModelFailure;
use crate::probe::{same_server, shown};
use reqwest::StatusCode;
use reqwest::header::LOCATION;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use terarchitect_outbound::{InvalidUrl, Retriable, Retry, api_base, chain, endpoint, is_loopback, retry, retry_after};
use url::Url;

/// How long one answer may take: a reasoning model can be silent for minutes.
const CALL_TIMEOUT: Duration = Duration::from_secs(600);

/// For how long temporary failures are retried, counted from the first call.
const PATIENCE: Duration = Duration::from_secs(180);

/// How often a question is asked whose responses hold no answer.
const MAX_ASKS: u32 = 3;

/// The largest response that is read.
const MAX_RESPONSE_BYTES: usize = 8 * 1024 * 1024;

/// How much of a refusal is shown, in characters.
const EXCERPT_CHARS: usize = 300;

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The rules.
    System,
    /// The program that asks.
    User,
    /// The model.
    Assistant,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// Who wrote it.
    pub role: Role,
    /// Its text.
    pub content: String,
}

/// A model's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatAnswer {
    /// Its text.
    pub text: String,
    /// Tokens that the model read, if the server counts them.
    pub tokens_in: Option<u64>,
    /// Tokens that the model wrote, if the server counts them.
    pub tokens_out: Option<u64>,
}

/// Why a call to the model failed. Each is a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// The address is not a usable base URL.
    #[error("AGENT_LLM_URL is {url:?}; set it to a URL that starts with http:// or https://")]
    InvalidUrl {
        /// The address as given.
        url: String,
    },
    /// The HTTP client could not be set up, for example because no CA certificates can be read.
    #[error("could not set up the HTTP client")]
    Setup(#[source] reqwest::Error),
    /// The key, the model or the address is wrong.
    #[error("the Director's model returned {status} ({message}): check AGENT_LLM_URL, AGENT_MODEL and AGENT_API_KEY")]
    Misconfigured {
        /// The status of the response.
        status: StatusCode,
        /// What it said.
        message: String,
    },
    /// The server does not speak the chat API.
    #[error("the server at {url} is not an OpenAI-compatible chat API ({message}): check AGENT_LLM_URL")]
    NotChatApi {
        /// The address that was called.
        url: String,
        /// What it returned instead.
        message: String,
    },
    /// The request itself was refused.
    #[error("the Director's model refused the request with {status}: {message}")]
    Refused {
        /// The status of the response.
        status: StatusCode,
        /// What it said.
        message: String,
    },
    /// The attempt's budget is used up, so the model was not asked.
    #[error("the Director's model is not asked any more ({message})")]
    Budget {
        /// Which budget.
        message: String,
    },
    /// There was no usable response, even after retries.
    #[error(
        "the Director's model at {url} is unavailable, even after retries ({message}): start the ticket again later"
    )]
    Unavailable {
        /// The address that was called.
        url: String,
        /// Why the last call failed.
        message: String,
    },
}

impl ChatError {
    /// Whether the environment failed (exit code 75).
    #[must_use]
    pub fn is_infrastructure(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Whether a setting is wrong (exit code 2).
    #[must_use]
    pub fn is_misconfiguration(&self) -> bool {
        matches!(self, Self::InvalidUrl { .. } | Self::Misconfigured { .. } | Self::NotChatApi { .. })
    }
}

/// A chat model that the Director asks.
pub struct ChatModel {
    http: reqwest::Client,
    endpoint: Url,
    /// The address in messages, which is the one that people know.
    shown: String,
    model: String,
    api_key: Option<SecretString>,
    /// Whether to ask for an answer in JSON. Switched off once the server has refused that.
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
    /// The address is invalid, or the HTTP client could not be set up.
    pub fn new(base_url: &str, model: &str, api_key: Option<SecretString>) -> Result<Self, ChatError> {
        let base = api_base(base_url).map_err(|InvalidUrl { url }| ChatError::InvalidUrl { url })?;
        Self::at(&base, model, api_key)
    }

    /// A client for the API at exactly this base.
    ///
    /// # Errors
    /// The HTTP client could not be set up.
    pub fn at(base: &Url, model: &str, api_key: Option<SecretString>) -> Result<Self, ChatError> {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .timeout(CALL_TIMEOUT)
            .redirect(same_server());
        let http = if is_loopback(base) { http.no_proxy() } else { http };
        let http = http.build().map_err(ChatError::Setup)?;
        let endpoint = endpoint(base, "chat/completions");
        Ok(Self {
            http,
            shown: shown(&endpoint),
            endpoint,
            model: model.to_owned(),
            api_key: api_key.filter(|key| !key.expose_secret().is_empty()),
            asks_for_json: AtomicBool::new(true),
            patience: PATIENCE,
        })
    }

    /// A client that asks through a gateway at `base`. Messages name the model's own address.
    ///
    /// # Errors
    /// See [`Self::new`].
    pub fn behind(base: &Url, model: &str, placeholder: SecretString, own_url: &str) -> Result<Self, ChatError> {
        let own = api_base(own_url).map_err(|InvalidUrl { url }| ChatError::InvalidUrl { url })?;
        let shown = shown(&endpoint(&own, "chat/completions"));
        Ok(Self { shown, ..Self::at(base, model, Some(placeholder))? })
    }

    /// The same model, with another time limit for retries.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The model's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.model
    }

    /// Asks, and waits for the whole answer. Temporary failures are retried for a while.
    ///
    /// # Errors
    /// The model refused, or there was no usable response in time.
    pub async fn ask(&self, messages: &[ChatMessage]) -> Result<ChatAnswer, ChatError> {
        let unusable = AtomicU32::new(0);
        let answered = retry(Retry::For(self.patience), || async {
            let mut answered = self.try_once(messages).await;
            if matches!(answered, Err(Failure::NoJsonMode)) {
                tracing::info!("the Director's model does not support JSON mode; continuing without it");
                self.asks_for_json.store(false, Ordering::Relaxed);
                answered = self.try_once(messages).await;
            }
            match answered {
                Err(Failure::Unusable { error, .. }) if unusable.fetch_add(1, Ordering::Relaxed) + 1 >= MAX_ASKS => {
                    Err(Failure::Final(error))
                }
                answered => answered,
            }
        });
        answered.await.map_err(|failure| match failure {
            Failure::Final(error) | Failure::Unusable { error, .. } => error,
            Failure::MayPass { .. } | Failure::NoJsonMode => {
                ChatError::Unavailable { url: self.shown.clone(), message: failure.to_string() }
            }
        })
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
        let response = request.send().await.map_err(lost)?;
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let location = response.headers().get(LOCATION).map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
        let body = read_bounded(response).await?;
        if status.is_success() {
            return self.read_answer(&body);
        }
        let message = self.excerpt(&body);
        if ModelFailure::of_gateway(&String::from_utf8_lossy(&body)) == Some(ModelFailure::Budget) {
            return Err(Failure::Final(ChatError::Budget { message }));
        }
        Err(match status {
            status if status.is_redirection() => {
                let message = format!("it redirects to {}", location.unwrap_or_default());
                Failure::Final(ChatError::Misconfigured { status, message })
            }
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
        // Long enough for a gateway that restarts, and in proportion where the patience is short.
        let unusable = |error| Failure::Unusable { error, wait: self.patience / 60 };
        match envelope::read(body) {
            Envelope::Answer(answer) if answer.text.trim().is_empty() && answer.is_filtered() => {
                let message = format!("its answer was held back ({})", answer.ended);
                Err(unusable(ChatError::Refused { status: StatusCode::OK, message }))
            }
            Envelope::Answer(answer) => {
                if answer.is_cut() {
                    tracing::warn!("the Director's answer was cut at the length limit of its model");
                }
                let (tokens_in, tokens_out) = (answer.tokens_in, answer.tokens_out);
                Ok(ChatAnswer { text: answer.text, tokens_in, tokens_out })
            }
            Envelope::Failure { code, message } => Err(self.reported(code, &self.masked(&message), body)),
            Envelope::Nothing { why } => {
                Err(unusable(ChatError::Unavailable { url: self.shown.clone(), message: why.to_owned() }))
            }
            Envelope::Foreign => {
                let message = format!("it returned: {}", self.excerpt(body));
                Err(unusable(ChatError::NotChatApi { url: self.shown.clone(), message }))
            }
        }
    }

    /// Some gateways report failures with a status of 200.
    fn reported(&self, code: Option<u16>, message: &str, body: &[u8]) -> Failure {
        let status = code.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::OK);
        let message = message.to_owned();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                Failure::Final(ChatError::Misconfigured { status, message })
            }
            // LM Studio says this of every path that it does not have.
            _ if message.contains("Unexpected endpoint") => {
                Failure::Final(ChatError::NotChatApi { url: self.shown.clone(), message })
            }
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
                if self.asks_for_json.load(Ordering::Relaxed) && is_about_json(body) {
                    return Failure::NoJsonMode;
                }
                Failure::Final(ChatError::Refused { status, message })
            }
            _ => passing(message),
        }
    }

    /// The message of a refusal, without the key, which some servers repeat.
    fn excerpt(&self, body: &[u8]) -> String {
        let text = serde_json::from_slice::<Value>(body)
            .ok()
            .and_then(|body| {
                let error = body.get("error").unwrap_or(&body);
                error.get("message").unwrap_or(error).as_str().map(str::to_owned)
            })
            .unwrap_or_else(|| String::from_utf8_lossy(body).trim().to_owned());
        self.masked(&text)
    }

    fn masked(&self, text: &str) -> String {
        let text = match &self.api_key {
            Some(key) => text.replace(key.expose_secret(), "[secret]"),
            None => text.to_owned(),
        };
        text.chars().take(EXCERPT_CHARS).collect()
    }
}

/// Why one call failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Final(ChatError),
    #[error("the server does not support JSON mode")]
    NoJsonMode,
    /// A response without an answer: asked again, a bounded number of times.
    #[error("{error}")]
    Unusable { error: ChatError, wait: Duration },
    #[error("{message}")]
    MayPass { message: String, retry_after: Option<Duration> },
}

impl Retriable for Failure {
    fn may_pass(&self) -> bool {
        matches!(self, Self::MayPass { .. } | Self::Unusable { .. })
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::MayPass { retry_after, .. } => *retry_after,
            Self::Unusable { wait, .. } => Some(*wait),
            Self::Final(_) | Self::NoJsonMode => None,
        }
    }
}

fn is_about_json(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body).to_lowercase();
    ["response_format", "json_object", "json mode", "json_schema"].iter().any(|sign| text.contains(sign))
}

fn passing(message: String) -> Failure {
    Failure::MayPass { message, retry_after: None }
}

/// The connection failed before or within the response.
fn lost(error: reqwest::Error) -> Failure {
    passing(chain(&error.without_url()))
}

fn may_pass(status: StatusCode, message: &str, retry_after: Option<Duration>) -> Failure {
    Failure::MayPass { message: format!("it returned {status}: {message}"), retry_after }
}

async fn read_bounded(mut response: reqwest::Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
            return Err(passing("its response is too large".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
