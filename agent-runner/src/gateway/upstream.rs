//! Calls a model's server, and says what became of the call. The only place that decides about retries.

use super::failure::ModelFailure;
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{RequestBuilder, Response, StatusCode};
use std::time::Duration;
use terarchitect_outbound::{Retriable, chain, retry_after};
use tokio::time::timeout;

/// How much of a refusal is passed on.
const REFUSAL_BYTES: usize = 256 * 1024;

/// How much of a refusal is shown to people, in characters.
const EXCERPT_CHARS: usize = 300;

/// A response that begins.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) status: StatusCode,
    pub(super) content_type: Option<String>,
    pub(super) is_stream: bool,
    pub(super) first: Bytes,
    pub(super) rest: Response,
}

/// Why there is no response to pass on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// The server refused, and says why: that is passed on as it is.
    #[error("it returned {status}: {message}")]
    Refused { status: StatusCode, kind: ModelFailure, content_type: Option<String>, body: Bytes, message: String },
    /// It may succeed later.
    #[error("{}{message}", .status.map(|status| format!("it returned {status}: ")).unwrap_or_default())]
    MayPass { kind: ModelFailure, status: Option<StatusCode>, message: String, retry_after: Option<Duration> },
    /// It said nothing for so long that asking again is for others to decide.
    #[error("it said nothing for {} seconds", after.as_secs())]
    Silent { after: Duration },
    /// What is there is not a model's API.
    #[error("it is not a model's API: {message}")]
    Foreign { message: String },
}

impl Retriable for Failed {
    fn may_pass(&self) -> bool {
        matches!(self, Self::MayPass { .. })
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::MayPass { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl Failed {
    pub(super) fn kind(&self) -> ModelFailure {
        match self {
            Self::Refused { kind, .. } | Self::MayPass { kind, .. } => *kind,
            Self::Silent { .. } => ModelFailure::Unavailable,
            Self::Foreign { .. } => ModelFailure::NotFound,
        }
    }
}

/// Sends a request, and waits until its response begins to say something, at most `silence` for each of the two.
pub(super) async fn ask(request: RequestBuilder, silence: Duration) -> Result<Begun, Failed> {
    let passing =
        |message: String| Failed::MayPass { kind: ModelFailure::Unavailable, status: None, message, retry_after: None };
    let Ok(sent) = timeout(silence, request.send()).await else { return Err(Failed::Silent { after: silence }) };
    let mut response = sent.map_err(|error| passing(unreachable(error)))?;
    let status = response.status();
    let content_type = text(response.headers(), &CONTENT_TYPE);
    if !status.is_success() {
        return Err(refused(response, content_type, silence).await);
    }
    let kind = content_type.as_deref().unwrap_or_default().to_ascii_lowercase();
    let first = match timeout(silence, response.chunk()).await {
        Err(_) => return Err(Failed::Silent { after: silence }),
        Ok(Err(error)) => return Err(passing(format!("its response broke off: {}", chain(&error.without_url())))),
        Ok(Ok(None)) => return Err(passing("its response was empty".to_owned())),
        Ok(Ok(Some(first))) => first,
    };
    if kind.contains("text/html") || first.trim_ascii_start().starts_with(b"<") {
        return Err(Failed::Foreign { message: excerpt(&first) });
    }
    Ok(Begun { status, content_type, is_stream: kind.contains("event-stream"), first, rest: response })
}

async fn refused(mut response: Response, content_type: Option<String>, silence: Duration) -> Failed {
    let (status, wait) = (response.status(), retry_after(response.headers()));
    let location = text(response.headers(), &LOCATION);
    let mut body = Vec::new();
    while let Ok(Ok(Some(chunk))) = timeout(silence, response.chunk()).await {
        body.extend_from_slice(&chunk);
        if body.len() > REFUSAL_BYTES {
            body.truncate(REFUSAL_BYTES);
            break;
        }
    }
    let message = excerpt(&body);
    if status.is_redirection() {
        return Failed::Foreign { message: format!("it redirects to {}", location.unwrap_or_default()) };
    }
    let kind = ModelFailure::of_status(status.as_u16(), &String::from_utf8_lossy(&body));
    if kind.may_pass() && status != StatusCode::PAYMENT_REQUIRED {
        return Failed::MayPass { kind, status: Some(status), message, retry_after: wait };
    }
    Failed::Refused { status, kind, content_type, body: body.into(), message }
}

fn text(headers: &HeaderMap, name: &reqwest::header::HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn unreachable(error: reqwest::Error) -> String {
    let is_connect = error.is_connect();
    let cause = chain(&error.without_url());
    if is_connect { format!("it can't be reached: {cause}") } else { format!("the connection broke off: {cause}") }
}

/// What a refusal says, in one short line.
fn excerpt(body: &[u8]) -> String {
    let said = serde_json::from_slice::<serde_json::Value>(body).ok().and_then(|body| {
        let error = body.get("error").unwrap_or(&body);
        error.get("message").unwrap_or(error).as_str().map(str::to_owned)
    });
    let said = said.unwrap_or_else(|| String::from_utf8_lossy(body).split_whitespace().collect::<Vec<_>>().join(" "));
    if said.is_empty() { "nothing".to_owned() } else { said.chars().take(EXCERPT_CHARS).collect() }
}
