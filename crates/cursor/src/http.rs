//! HTTP as both versions share it: the key, retries, rate limits, and refusals as sentences. It knows no endpoint.

use crate::CursorError;
use reqwest::header::HeaderMap;
use reqwest::{Method, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::time::Duration;
use terarchitect_outbound::{Mask, Retriable, Retry, chain, endpoint, is_loopback, retry};
use url::Url;

/// The most of a response that is read, in bytes: a conversation has whole files in it.
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;
/// The most of Cursor's own words that is shown, in bytes.
const MAX_SHOWN_BYTES: usize = 600;
/// The longest wait that Cursor's word is taken for.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// How long calls go on when Cursor fails or limits requests.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For how long a call that fails is retried.
    pub failures: Duration,
    /// For how long in total the waits are obeyed that a rate limit names.
    pub limits: Duration,
    /// How long one request may take.
    pub request: Duration,
}

impl Patience {
    /// For a program that has nothing better to do than to wait.
    pub const LONG: Self =
        Self { failures: Duration::from_secs(90), limits: Duration::from_secs(600), request: Duration::from_secs(30) };
    /// For what is repeated soon anyway.
    pub const SHORT: Self =
        Self { failures: Duration::from_secs(4), limits: Duration::ZERO, request: Duration::from_secs(30) };
}

/// One call below the API's base.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    once: bool,
    what: &'static str,
}

impl Call {
    fn new(method: Method, path: impl Into<String>, what: &'static str) -> Self {
        Self { method, path: path.into(), query: Vec::new(), body: None, once: false, what }
    }

    /// `what` says in messages what the call is about.
    pub(crate) fn get(path: impl Into<String>, what: &'static str) -> Self {
        Self::new(Method::GET, path, what)
    }

    pub(crate) fn delete(path: impl Into<String>, what: &'static str) -> Self {
        Self::new(Method::DELETE, path, what)
    }

    /// A write, which is not repeated where it may have happened.
    pub(crate) fn post(path: impl Into<String>, body: Value, what: &'static str) -> Self {
        Self { body: Some(body), once: true, ..Self::new(Method::POST, path, what) }
    }

    /// A write that may happen twice without harm.
    pub(crate) fn repeatable(self) -> Self {
        Self { once: false, ..self }
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }
}

/// Why there is no response that could be read.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked may have happened all the same.
    Lost(CursorError),
    /// It did not happen.
    Undone(CursorError),
}

impl From<Failure> for CursorError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Lost(error) | Failure::Undone(error) => error,
        }
    }
}

impl From<CursorError> for Failure {
    fn from(error: CursorError) -> Self {
        Self::Undone(error)
    }
}

/// A response that was read to its end, whatever its status.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) json: Value,
}

impl Reply {
    /// The code of an error, such as `agent_id_conflict`.
    pub(crate) fn code(&self) -> &str {
        self.json["error"]["code"].as_str().or(self.json["code"].as_str()).unwrap_or_default()
    }
}

/// A client for one key.
#[derive(Debug)]
pub(crate) struct Http {
    client: reqwest::Client,
    api: Url,
    key: SecretString,
    mask: Mask,
    pub(crate) patience: Patience,
}

impl Http {
    /// # Errors
    /// The client could not be set up, for example because no CA certificates can be read.
    pub(crate) fn new(api: Url, key: SecretString, patience: Patience) -> Result<Self, CursorError> {
        let builder = reqwest::Client::builder()
            .timeout(patience.request)
            // The key goes to the API that was named alone.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("terarchitect/", env!("CARGO_PKG_VERSION")));
        let builder = if is_loopback(&api) { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(|error| CursorError::Unavailable { message: chain(&error) })?;
        let mask = Mask::new([&key]);
        Ok(Self { client, api, key, mask, patience })
    }

    /// The JSON of a call that succeeds.
    pub(crate) async fn ok(&self, call: &Call) -> Result<Value, Failure> {
        let reply = self.send(call).await?;
        if reply.status.is_success() { Ok(reply.json) } else { Err(Failure::Undone(self.refusal(call.what, &reply))) }
    }

    /// One call, retried while Cursor fails or limits requests, as far as it can be repeated. Any other status is
    /// returned.
    pub(crate) async fn send(&self, call: &Call) -> Result<Reply, Failure> {
        let mut left = self.patience.limits;
        loop {
            let error = match retry(Retry::For(self.patience.failures), || self.try_once(call)).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            match error {
                TryError::Limited { wait: Some(wait), .. } if wait <= left => {
                    // A wait of 0 s must not make this a busy loop.
                    let wait = wait.max(Duration::from_secs(1));
                    left = left.saturating_sub(wait);
                    tracing::warn!(wait_s = wait.as_secs(), "Cursor limits requests; waiting as it asks");
                    tokio::time::sleep(wait).await;
                }
                TryError::Limited { status, wait } => {
                    return Err(Failure::Undone(CursorError::Limited { status, retry_after: wait }));
                }
                error => {
                    let lost = call.once && !error.was_not_sent();
                    let error = CursorError::Unavailable { message: self.mask.apply(&chain(&error)) };
                    return Err(if lost { Failure::Lost(error) } else { Failure::Undone(error) });
                }
            }
        }
    }

    async fn try_once(&self, call: &Call) -> Result<Reply, TryError> {
        let once = call.once;
        let unreachable = |error: reqwest::Error| TryError::Unreachable { error: error.without_url(), once };
        let mut request = self
            .client
            .request(call.method.clone(), endpoint(&self.api, &call.path))
            .query(&call.query)
            .basic_auth(self.key.expose_secret(), Some(""));
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(unreachable)?;
        let (status, wait) = (response.status(), asked_wait(response.headers()));
        if status.is_server_error() {
            return Err(TryError::Failed { status, wait, once });
        }
        let Some(body) = read(response).await.map_err(unreachable)? else { return Err(TryError::TooLong) };
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(TryError::Limited { status, wait });
        }
        match serde_json::from_slice(&body) {
            Ok(json) => Ok(Reply { status, json }),
            // A page of a proxy is not what was asked for; an empty body may be all that there is to say.
            Err(_) if status.is_success() && !body.is_empty() => Err(TryError::Page { once }),
            Err(_) => Ok(Reply { status, json: Value::Null }),
        }
    }

    /// What a response with any other status than 2xx means.
    pub(crate) fn refusal(&self, what: &'static str, reply: &Reply) -> CursorError {
        let message = self.mask.apply(&words(reply));
        match reply.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => CursorError::Denied { message },
            StatusCode::NOT_FOUND | StatusCode::GONE => CursorError::NotFound { what },
            StatusCode::CONFLICT if reply.code() == "agent_busy" => CursorError::Busy { message },
            _ => CursorError::Refused { what, message },
        }
    }

    /// A success whose body is not what it should be.
    pub(crate) fn odd(what: &'static str) -> CursorError {
        CursorError::Refused { what, message: "its response is not what Cursor sends".to_owned() }
    }
}

/// Cursor's reason, as one line: its status where there is none.
fn words(reply: &Reply) -> String {
    let said = ["/error/message", "/message", "/error"].iter().find_map(|at| reply.json.pointer(at)?.as_str());
    let mut said =
        said.map_or_else(|| reply.status.to_string(), |text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let end = said.floor_char_boundary(MAX_SHOWN_BYTES);
    if end < said.len() {
        said.truncate(end);
        said.push('…');
    }
    said
}

/// How long a response asks to wait, in whole seconds.
fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

/// The body; none where it is too long.
async fn read(mut response: Response) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(bytes) = response.chunk().await? {
        body.extend_from_slice(&bytes);
        if body.len() > MAX_RESPONSE_BYTES {
            return Ok(None);
        }
    }
    Ok(Some(body))
}

/// Why one try failed. All kinds may be temporary.
#[derive(Debug, thiserror::Error)]
enum TryError {
    #[error("no response")]
    Unreachable {
        #[source]
        error: reqwest::Error,
        once: bool,
    },
    #[error("it returned {status}")]
    Failed { status: StatusCode, wait: Option<Duration>, once: bool },
    #[error("it limits requests at the moment, with {status}")]
    Limited { status: StatusCode, wait: Option<Duration> },
    #[error("its response is not JSON")]
    Page { once: bool },
    #[error("its response is too long")]
    TooLong,
}

impl TryError {
    /// Whether the request can't have reached Cursor.
    fn was_not_sent(&self) -> bool {
        matches!(self, Self::Unreachable { error, .. } if error.is_connect() || error.is_builder())
    }
}

impl Retriable for TryError {
    /// A wait that Cursor names is not retried but waited for. What may have happened is not repeated here.
    fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { once, .. } => !once || self.was_not_sent(),
            Self::Failed { once, .. } | Self::Page { once } => !once,
            Self::Limited { wait, .. } => wait.is_none(),
            Self::TooLong => false,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Failed { wait, .. } => wait.map(|wait| wait.min(Duration::from_secs(60))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_way_to_refuse_becomes_one_line() {
        let said = |status: u16, json: Value| words(&Reply { status: StatusCode::from_u16(status).unwrap(), json });
        assert_eq!(
            said(400, json!({"error": {"code": "validation", "message": "ref\nis  unknown"}})),
            "ref is unknown"
        );
        assert_eq!(said(400, json!({"error": "no such model"})), "no such model");
        assert_eq!(said(403, json!({"message": "plan"})), "plan");
        assert_eq!(said(403, Value::Null), "403 Forbidden");
        assert!(said(400, json!({"error": "x".repeat(5000)})).len() < 610);
    }

    #[test]
    fn a_wait_is_read_in_seconds_and_bounded() {
        let asked = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", value.parse().unwrap());
            asked_wait(&headers)
        };
        assert_eq!(asked("61"), Some(Duration::from_secs(61)));
        assert_eq!(asked("86400"), Some(LONGEST_WAIT));
        assert_eq!(asked("soon"), None);
    }
}
