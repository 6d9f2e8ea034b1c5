//! Asks a model's address before any work starts, so that a wrong setting is named within seconds.
//!
//! A server that is only busy passes: how long to wait for it is decided where the model is used. The key is sent to
//! the model's own address alone, never over a redirect to another host.

mod error;

pub use error::ProbeError;

use crate::wire::Wire;
use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::time::Duration;
use terarchitect_outbound::{Retriable, Retry, chain, endpoint, is_same_server, retry};
use tokio::time::timeout;
use url::Url;

/// How long one connection may take, with the look-up of its name.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one response may take. A slower one is not waited for.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// For how long a server that can't be reached is retried. The last pause and connection end within [`TIME_LIMIT`].
const PATIENCE: Duration = Duration::from_secs(6);

/// How long all of it may take.
const TIME_LIMIT: Duration = Duration::from_secs(18);

/// How much of a response is read, and shown.
const MAX_RESPONSE_BYTES: usize = 256 * 1024;
const EXCERPT_CHARS: usize = 200;

/// A model to ask, and the settings that name it.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Whose model it is, e.g. `the agent's model`.
    pub whose: &'static str,
    /// The setting with its address.
    pub url_setting: &'static str,
    /// The setting with its name.
    pub model_setting: &'static str,
    /// The setting with its key.
    pub key_setting: &'static str,
    /// The API's base as [`api_base`](terarchitect_outbound::api_base) returns it.
    pub base: Url,
    /// The model's name.
    pub model: String,
    /// The key, where one is needed.
    pub key: Option<SecretString>,
    /// The form in which it is spoken to.
    pub wire: Wire,
}

/// Follows a redirect to the same server alone: keys and questions are not for others. Another port is another server.
pub(crate) fn same_server() -> Policy {
    Policy::custom(|attempt| {
        let is_same = attempt.previous().last().is_some_and(|from| is_same_server(from, attempt.url()));
        if attempt.previous().len() > 5 || !is_same {
            return attempt.stop();
        }
        attempt.follow()
    })
}

/// An address without what may be secret.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = (url.set_username(""), url.set_password(None));
    url.set_query(None);
    url.to_string()
}

impl Probe {
    /// Asks the address, and the same one with or without `/v1` where no API is there. Returns the base that works.
    ///
    /// # Errors
    /// The model can't be used as it is configured; within 20 seconds.
    pub async fn run(&self) -> Result<Url, ProbeError> {
        self.run_with(PATIENCE).await
    }

    /// The same, with another time limit for retries.
    ///
    /// # Errors
    /// See [`Self::run`].
    pub async fn run_with(&self, patience: Duration) -> Result<Url, ProbeError> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CONNECT_TIMEOUT + RESPONSE_TIMEOUT)
            .redirect(same_server())
            .build()
            .map_err(ProbeError::Setup)?;
        let asking = async {
            let found = retry(Retry::For(patience), || self.ask(&http, &self.base)).await;
            match found.map_err(|failed| self.failed(&self.base, failed))? {
                Found::Api => Ok(self.base.clone()),
                Found::Nothing { message } => self.ask_other(&http, message).await,
            }
        };
        // It was reached, and is slow: the patience where the model is used decides.
        timeout(TIME_LIMIT, asking).await.unwrap_or_else(|_| Ok(self.base.clone()))
    }

    async fn ask_other(&self, http: &reqwest::Client, message: String) -> Result<Url, ProbeError> {
        let other = other_form(&self.base);
        if let Ok(Found::Api) = self.ask(http, &other).await {
            tracing::warn!(
                "{} is not at {}, but at {}; set {} to that",
                self.whose,
                shown(&self.base),
                shown(&other),
                self.url_setting
            );
            return Ok(other);
        }
        let (whose, setting) = (self.whose, self.url_setting);
        Err(ProbeError::NotApi { whose, url: shown(&self.base), other: shown(&other), message, setting })
    }

    /// Asks for the list of models; where there is none, for a short answer.
    async fn ask(&self, http: &reqwest::Client, base: &Url) -> Result<Found, Failed> {
        let listed = self.send(http.get(endpoint(base, "models"))).await?;
        match judged_list(&listed) {
            Some(found) => Ok(found),
            None => {
                let (path, question) = question(self.wire, &self.model);
                judged_chat(self.send(http.post(endpoint(base, &path)).json(&question)).await?)
            }
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Said, Failed> {
        let request = match &self.key {
            Some(key) if !key.expose_secret().is_empty() => match self.wire {
                Wire::Chat | Wire::Responses => request.bearer_auth(key.expose_secret()),
                Wire::Messages => request.header("x-api-key", key.expose_secret()),
                Wire::Gemini => request.header("x-goog-api-key", key.expose_secret()),
            },
            _ => request,
        };
        let request =
            if self.wire == Wire::Messages { request.header("anthropic-version", "2023-06-01") } else { request };
        match request.send().await {
            Ok(response) => Ok(self.read(response).await),
            Err(error) if error.is_connect() => Err(no_connection(error)),
            // It was reached, and then it was slow or broke off.
            Err(_) => Ok(Said { status: StatusCode::SERVICE_UNAVAILABLE, ..Said::default() }),
        }
    }

    async fn read(&self, mut response: Response) -> Said {
        let status = response.status();
        let location = response.headers().get(LOCATION).map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_RESPONSE_BYTES {
                break;
            }
        }
        let is_long = body.len() > MAX_RESPONSE_BYTES;
        let text = String::from_utf8_lossy(&body).trim().to_owned();
        let json = serde_json::from_str(&text)
            .ok()
            .or_else(|| is_long.then(|| json!({})))
            .filter(|_| text.starts_with(['{', '[']));
        let mask = |text: &str| match &self.key {
            Some(key) if !key.expose_secret().is_empty() => text.replace(key.expose_secret(), "[secret]"),
            _ => text.to_owned(),
        };
        Said { status, location, message: mask(&message_of(&text, json.as_ref())), json }
    }

    fn failed(&self, base: &Url, failed: Failed) -> ProbeError {
        let (whose, url, setting) = (self.whose, shown(base), self.url_setting);
        match failed {
            Failed::NoConnection { cause } => ProbeError::Unreachable { whose, url, cause, setting },
            Failed::Untrusted { cause } => ProbeError::Untrusted { whose, url, cause, setting },
            Failed::Moved { location } => ProbeError::Moved { whose, url, location, setting },
            Failed::Refused { status, message } => {
                ProbeError::Refused { whose, url, status, message, setting: self.key_setting }
            }
            Failed::UnknownModel { message } => {
                let model = self.model.clone();
                ProbeError::UnknownModel { whose, url, model, message, setting: self.model_setting }
            }
        }
    }
}

/// The path and the body of a question that is answered in one token, or a few.
fn question(wire: Wire, model: &str) -> (String, Value) {
    let messages = json!([{ "role": "user", "content": "Hi" }]);
    match wire {
        Wire::Chat => {
            let body = json!({ "model": model, "max_tokens": 1, "stream": false, "messages": messages });
            ("chat/completions".to_owned(), body)
        }
        Wire::Messages => ("messages".to_owned(), json!({ "model": model, "max_tokens": 1, "messages": messages })),
        // The least that it takes.
        Wire::Responses => ("responses".to_owned(), json!({ "model": model, "max_output_tokens": 16, "input": "Hi" })),
        Wire::Gemini => {
            let body = json!({ "contents": [{ "role": "user", "parts": [{ "text": "Hi" }] }],
                "generationConfig": { "maxOutputTokens": 1 } });
            (format!("models/{model}:generateContent"), body)
        }
    }
}

/// What is at an address.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// An API, also one that is busy.
    Api,
    /// Something else.
    Nothing { message: String },
}

/// Why a model can't be used, whatever the form of its address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Failed {
    #[error("{cause}")]
    NoConnection { cause: String },
    #[error("{cause}")]
    Untrusted { cause: String },
    #[error("it redirects to {location}")]
    Moved { location: String },
    #[error("it returned {status}: {message}")]
    Refused { status: StatusCode, message: String },
    #[error("{message}")]
    UnknownModel { message: String },
}

impl Retriable for Failed {
    fn may_pass(&self) -> bool {
        matches!(self, Self::NoConnection { .. })
    }
}

/// A response.
#[derive(Debug, Default)]
struct Said {
    status: StatusCode,
    location: Option<String>,
    json: Option<Value>,
    message: String,
}

/// What a response to the request for the list of models says; nothing where an answer has to be asked for.
fn judged_list(said: &Said) -> Option<Found> {
    match (said.status, &said.json) {
        (status, Some(json)) if status.is_success() && !is_foreign(json) => Some(Found::Api),
        (status, _) if is_busy(status) => Some(Found::Api),
        _ => None,
    }
}

/// What a response to a question says.
fn judged_chat(said: Said) -> Result<Found, Failed> {
    let Said { status, location, json, message } = said;
    let names_model = message.to_lowercase().contains("model");
    match (status, json) {
        (status, _) if status.is_redirection() => Err(Failed::Moved { location: location.unwrap_or_default() }),
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => Err(Failed::Refused { status, message }),
        (StatusCode::NOT_FOUND, Some(_)) if names_model => Err(Failed::UnknownModel { message }),
        (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, _) => {
            Ok(Found::Nothing { message: format!("it returned {status}: {message}") })
        }
        (status, Some(json)) if status.is_success() && is_foreign(&json) => Ok(Found::Nothing { message }),
        (status, None) if status.is_success() => Ok(Found::Nothing { message: format!("it returned: {message}") }),
        // It is an API that has its reasons, which the first real question will show.
        _ => Ok(Found::Api),
    }
}

/// LM Studio returns 200 and says this for every path that it does not have.
fn is_foreign(json: &Value) -> bool {
    json.get("error").and_then(Value::as_str).is_some_and(|error| error.contains("Unexpected endpoint"))
}

fn is_busy(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

/// The same base with `/v1`, or without it.
fn other_form(base: &Url) -> Url {
    let path = base.path().trim_end_matches('/');
    let other = path.strip_suffix("/v1").map_or_else(|| format!("{path}/v1"), str::to_owned);
    let mut url = base.clone();
    url.set_path(&other);
    url
}

fn no_connection(error: reqwest::Error) -> Failed {
    let is_slow = error.is_timeout();
    let cause = chain(&error.without_url());
    let lower = cause.to_lowercase();
    if lower.contains("certificate") || lower.contains("unknownissuer") {
        return Failed::Untrusted { cause };
    }
    let cause = if lower.contains("dns error") || lower.contains("failed to lookup") {
        "its name does not resolve".to_owned()
    } else if lower.contains("refused") {
        "the connection is refused".to_owned()
    } else if is_slow {
        format!("there was no connection within {} seconds", CONNECT_TIMEOUT.as_secs())
    } else {
        cause
    };
    Failed::NoConnection { cause }
}

/// What a response says, in one short line.
fn message_of(text: &str, json: Option<&Value>) -> String {
    let said = json.and_then(|json| {
        let error = json.get("error").or_else(|| json.get("detail")).unwrap_or(json);
        error.get("message").unwrap_or(error).as_str().map(str::to_owned)
    });
    let said = said.unwrap_or_else(|| text.split_whitespace().collect::<Vec<_>>().join(" "));
    if said.is_empty() { "nothing".to_owned() } else { said.chars().take(EXCERPT_CHARS).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_form_of_an_address_has_or_lacks_its_version() {
        let other = |text: &str| other_form(&text.parse().unwrap()).to_string();
        assert_eq!(other("http://host:8000/v1"), "http://host:8000/");
        assert_eq!(other("http://host:8000/"), "http://host:8000/v1");
        assert_eq!(other("https://host/openai?version=2"), "https://host/openai/v1?version=2");
    }

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        assert_eq!(shown(&"https://me:pw@host/v1?key=secret".parse().unwrap()), "https://host/v1");
    }
}
