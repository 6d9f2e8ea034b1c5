//! Real requests to the address of a model or of the forge, for people who ask whether their settings are right. What came
//! back is said in words. Bounded in time and size; a redirect is never followed, since a key is for one address alone.

mod forge;
mod model;

pub use forge::{ForgeProbe, RepositoryFacts};
pub use model::{ModelForm, ModelProbe};

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::time::Duration;
use terarchitect_outbound::chain;
use url::Url;

/// How long a connection may take, with the look-up of its name.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one request may take.
const TIME_LIMIT: Duration = Duration::from_secs(20);
/// How much of a response is read, and how much of it is shown.
const MAX_RESPONSE_BYTES: usize = 256 * 1024;
const EXCERPT_CHARS: usize = 300;

/// What a test found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// Whether it works.
    pub ok: bool,
    /// What was found, in a sentence.
    pub sentence: String,
    /// What the server said, or a remark.
    pub detail: Option<String>,
    /// The model that answered, as the server calls it.
    pub model: Option<String>,
}

impl Probed {
    fn good(sentence: impl Into<String>) -> Self {
        Self { ok: true, sentence: sentence.into(), detail: None, model: None }
    }

    /// Something does not work.
    #[must_use]
    pub fn bad(sentence: impl Into<String>) -> Self {
        Self { ok: false, sentence: sentence.into(), detail: None, model: None }
    }

    fn because(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()).filter(|detail: &String| !detail.is_empty()), ..self }
    }
}

/// A response.
#[derive(Debug)]
struct Said {
    status: StatusCode,
    headers: HeaderMap,
    json: Option<Value>,
    /// What it says, in one short line, without the key.
    message: String,
}

/// Sends a request with the key. The error is a sentence about why there is no response, and its cause.
async fn send(request: RequestBuilder, url: &Url, key: Option<&SecretString>) -> Result<Said, Probed> {
    let key = key.map(ExposeSecret::expose_secret).filter(|key| !key.is_empty());
    let request = match key {
        Some(key) => request.bearer_auth(key),
        None => request,
    };
    let mut response = request.send().await.map_err(|error| no_response(error, url))?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| no_response(error, url))? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_RESPONSE_BYTES {
            let sentence = format!("{} sent a response that is far too long for this question.", host(url));
            return Err(Probed::bad(sentence));
        }
    }
    let text = String::from_utf8_lossy(&body);
    let json = serde_json::from_str(&text).ok();
    let message = message_of(&text, json.as_ref());
    let message = key.map_or(message.clone(), |key| message.replace(key, "[secret]"));
    Ok(Said { status, headers, json, message: message.chars().take(EXCERPT_CHARS).collect() })
}

fn client() -> Result<reqwest::Client, Probed> {
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIME_LIMIT)
        .redirect(Policy::none())
        .user_agent(concat!("terarchitect/", env!("CARGO_PKG_VERSION")));
    client.build().map_err(|error| {
        Probed::bad("The API could not set up its HTTP client; check its CA certificates.").because(chain(&error))
    })
}

fn host(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or_default())
}

fn no_response(error: reqwest::Error, url: &Url) -> Probed {
    let (host, is_timeout, is_connect) = (host(url), error.is_timeout(), error.is_connect());
    let cause = chain(&error.without_url());
    let lower = cause.to_lowercase();
    let sentence = if lower.contains("dns error") || lower.contains("failed to lookup") {
        format!("The name {host} does not resolve.")
    } else if lower.contains("certificate") || lower.contains("unknownissuer") {
        format!("The certificate of {host} is not trusted.")
    } else if lower.contains("refused") {
        format!("{host} refused the connection: no server listens there.")
    } else if is_timeout && is_connect {
        format!("There was no connection to {host} within {} seconds.", CONNECT_TIMEOUT.as_secs())
    } else if is_timeout {
        format!("{host} sent no answer within {} seconds.", TIME_LIMIT.as_secs())
    } else if is_connect {
        format!("There was no connection to {host}.")
    } else {
        format!("The connection to {host} broke before the answer was complete.")
    };
    Probed::bad(sentence).because(cause.chars().take(EXCERPT_CHARS).collect::<String>())
}

/// Where a redirect leads.
fn moved(said: &Said, url: &Url) -> Option<Probed> {
    let to = said.headers.get(LOCATION).filter(|_| said.status.is_redirection())?;
    let to = String::from_utf8_lossy(to.as_bytes()).chars().take(EXCERPT_CHARS).collect::<String>();
    Some(Probed::bad(format!("{} redirects to another address; set that one.", host(url))).because(to))
}

/// What a response says, in one line.
fn message_of(text: &str, json: Option<&Value>) -> String {
    let said = json.and_then(|json| {
        let error = json.get("error").or_else(|| json.get("detail")).unwrap_or(json);
        error.get("message").unwrap_or(error).as_str().map(str::to_owned)
    });
    let said = said.unwrap_or_else(|| text.chars().take(4 * EXCERPT_CHARS).collect());
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}
