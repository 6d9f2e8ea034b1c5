//! What all dialects share of HTTP: one client for one forge, whose token goes to that forge's API alone; retries, rate
//! limits, pages, redirects, and refusals as sentences. It knows no endpoint.

mod call;
mod kept;
mod once;
mod pages;
mod plain;
mod redirects;
mod reply;
mod spacing;
mod words;

pub(crate) use call::{Call, PULL, segment};
pub(crate) use once::Once;
pub(crate) use plain::plain;
pub(crate) use reply::{Reply, last};

use crate::credential::Credential;
use crate::limit::{LONGEST_WAIT, client, limit_of, since_1970};
use crate::{Conflict, ForgeError};
use kept::Kept;
use reqwest::header::IF_NONE_MATCH;
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use spacing::Spacing;
use std::time::Duration;
use terarchitect_outbound::{Mask, Retriable, Retry, chain, endpoint, retry, retry_after};
use url::Url;

/// The most of a response that is read, in bytes.
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;

/// How long calls go on when a forge fails, limits requests, or needs a moment.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For how long a call that fails is retried.
    pub failures: Duration,
    /// For how long in total the waits are obeyed that a rate limit names.
    pub limits: Duration,
    /// For how long the forge may take to notice what has just happened, such as a push.
    pub settling: Duration,
    /// How long one request may take.
    pub request: Duration,
}

impl Patience {
    /// For a program that has nothing better to do than to wait.
    pub const LONG: Self = Self {
        failures: Duration::from_secs(90),
        limits: LONGEST_WAIT,
        settling: Duration::from_secs(30),
        request: Duration::from_secs(30),
    };
    /// For a person who waits for the response, and for what is repeated soon anyway.
    pub const SHORT: Self = Self {
        failures: Duration::from_secs(4),
        limits: Duration::ZERO,
        settling: Duration::from_secs(4),
        request: Duration::from_secs(10),
    };
}

/// How a forge takes its token, and which headers it wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manners {
    /// What stands before the token in `Authorization`.
    pub(crate) scheme: &'static str,
    /// Headers of every call.
    pub(crate) headers: &'static [(&'static str, &'static str)],
}

/// A client for one forge.
#[derive(Debug)]
pub(crate) struct Http {
    client: reqwest::Client,
    api: Url,
    secret: SecretString,
    token: String,
    mask: Mask,
    manners: Manners,
    kept: Kept,
    spacing: Spacing,
    pub(crate) patience: Patience,
}

/// Why there is no response that could be read.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked may have happened all the same.
    Lost(ForgeError),
    /// It did not happen.
    Undone(ForgeError),
}

impl From<Failure> for ForgeError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Lost(error) | Failure::Undone(error) => error,
        }
    }
}

impl Http {
    /// # Errors
    /// The token is for another host, or the client could not be set up, for example because no CA certificates can be
    /// read.
    pub(crate) fn new(
        api: Url,
        credential: &Credential,
        manners: Manners,
        patience: Patience,
    ) -> Result<Self, ForgeError> {
        let secret = credential.secret_for(&api)?.clone();
        let client = client(&api)
            .timeout(patience.request)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| ForgeError::Unavailable { host: host(&api), message: chain(&error) })?;
        let (token, mask) = (credential.name().to_owned(), Mask::new([&secret]));
        let spacing = Spacing::at(&api);
        Ok(Self { client, api, secret, token, mask, manners, kept: Kept::default(), spacing, patience })
    }

    /// The base of the API.
    pub(crate) fn api(&self) -> &Url {
        &self.api
    }

    /// One call, retried while the forge fails or limits requests, as far as it can be repeated. Any other status is
    /// returned.
    pub(crate) async fn send(&self, call: &Call) -> Result<Reply, Failure> {
        let mut left = self.patience.limits;
        loop {
            let error = match retry(Retry::For(self.patience.failures), || self.try_once(call)).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            // A wait that the forge names may be longer than any other failure is worth waiting for.
            match error {
                TryError::Limited { wait: Some(wait), .. } if wait <= left => {
                    // A clock that differs, or a wait of 0 s, must not make this a busy loop.
                    let wait = wait.max(Duration::from_secs(1));
                    left = left.saturating_sub(wait);
                    tracing::warn!(wait_s = wait.as_secs(), "the forge limits requests; waiting as it asks");
                    tokio::time::sleep(wait).await;
                }
                TryError::Limited { status, wait } => {
                    let limited = ForgeError::Limited { host: host(&self.api), status, retry_after: wait };
                    return Err(Failure::Undone(limited));
                }
                error => {
                    let lost = call.once && !error.was_not_sent();
                    let error =
                        ForgeError::Unavailable { host: host(&self.api), message: self.mask.apply(&chain(&error)) };
                    return Err(if lost { Failure::Lost(error) } else { Failure::Undone(error) });
                }
            }
        }
    }

    /// The response of a call that succeeds.
    pub(crate) async fn ok(&self, call: &Call) -> Result<Reply, ForgeError> {
        let reply = self.send(call).await?;
        if reply.status.is_success() { Ok(reply) } else { Err(self.refusal(call.what, &reply)) }
    }

    async fn try_once(&self, call: &Call) -> Result<Reply, TryError> {
        let unreachable = |error: reqwest::Error| TryError::Unreachable { error: error.without_url(), once: call.once };
        let url = call.base.as_ref().map_or_else(|| endpoint(&self.api, &call.path), Clone::clone);
        let mut request = self.client.request(call.method.clone(), url).query(&call.query);
        // The base of a call is another path of the same API, such as GraphQL's.
        request = request
            .header("authorization", format!("{} {}", self.manners.scheme, self.secret.expose_secret()))
            .headers(call.headers.clone());
        for (name, value) in self.manners.headers.iter().filter(|(name, _)| !call.headers.contains_key(*name)) {
            request = request.header(*name, *value);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let mut request = request.build().map_err(unreachable)?;
        if let Some(token) = request.headers_mut().get_mut("authorization") {
            token.set_sensitive(true);
        }
        // A caller that has an entity tag of its own wants to know whether anything has changed.
        let is_question = request.method() == Method::GET && !request.headers().contains_key(IF_NONE_MATCH);
        let asked = is_question.then(|| request.url().to_string());
        if let Some(etag) = asked.as_ref().and_then(|url| self.kept.etag(url)) {
            request.headers_mut().insert(IF_NONE_MATCH, etag);
        }
        // GraphQL, whose base is its own, reads with POST.
        if request.method() != Method::GET && call.base.is_none() {
            self.spacing.wait().await;
        }
        let response = redirects::send(&self.client, request).await.map_err(unreachable)?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_server_error() && !(call.reads_500 && status == StatusCode::INTERNAL_SERVER_ERROR) {
            return Err(TryError::Failed { status, retry_after: retry_after(&headers), once: call.once });
        }
        let text = reply::read(response, MAX_RESPONSE_BYTES).await.map_err(unreachable)?;
        let Some(text) = text else { return Err(TryError::TooLong) };
        if let Some(limit) = limit_of(status, &headers, &text, since_1970()) {
            return Err(TryError::Limited { status, wait: limit.wait });
        }
        let reply = Reply { status, headers, text };
        match asked {
            Some(url) => Ok(self.kept.or_kept(&url, reply)),
            None => Ok(reply),
        }
    }

    /// The end of what is at an address that the forge redirected to, which may be at another host: asked without the
    /// token.
    ///
    /// # Errors
    /// There is nothing, or it can't be reached.
    pub(crate) async fn tail_elsewhere(&self, url: Url, bytes: usize) -> Result<String, ForgeError> {
        let unavailable = |error: &reqwest::Error| ForgeError::Unavailable {
            host: host(&url),
            message: self.mask.apply(&chain(error)),
        };
        let response = self.client.get(url.clone()).send().await.map_err(|error| unavailable(&error.without_url()))?;
        if !response.status().is_success() {
            let message = format!("it returned {}", response.status());
            return Err(ForgeError::Unavailable { host: host(&url), message });
        }
        reply::tail(response, bytes).await.map_err(|error| unavailable(&error.without_url()))
    }

    /// What a response with any other status than 2xx means.
    pub(crate) fn refusal(&self, what: &'static str, reply: &Reply) -> ForgeError {
        let (host, message) = (host(&self.api), self.words(reply));
        match reply.status {
            status if status.is_server_error() => {
                ForgeError::Unavailable { host, message: format!("it returned {status}: {message}") }
            }
            status if status.is_redirection() => {
                let to =
                    reply.header("location").and_then(|to| self.api.join(to).ok()).unwrap_or_else(|| self.api.clone());
                let message = format!(
                    "it redirects to {}, where the token is not sent; enter the repository's new address",
                    crate::http::host(&to)
                );
                ForgeError::Refused { host, what, message }
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                ForgeError::Denied { host, message, token: self.token.clone() }
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => ForgeError::NotFound { host, what, token: self.token.clone() },
            _ => ForgeError::Refused { host, what, message },
        }
    }

    /// A refusal whose reason is that something is not as it was.
    pub(crate) fn conflict(&self, why: Conflict, message: impl Into<String>) -> ForgeError {
        ForgeError::Conflict { host: host(&self.api), why, message: message.into() }
    }

    /// The forge can't do what was asked.
    pub(crate) fn unsupported(&self, message: impl Into<String>) -> ForgeError {
        ForgeError::Unsupported { host: host(&self.api), message: message.into() }
    }

    /// A token that may not do this, in the forge's words.
    pub(crate) fn denied(&self, reply: &Reply) -> ForgeError {
        ForgeError::Denied { host: host(&self.api), message: self.words(reply), token: self.token.clone() }
    }

    /// A refusal for a reason of our own.
    pub(crate) fn refused(&self, what: &'static str, message: impl Into<String>) -> ForgeError {
        ForgeError::Refused { host: host(&self.api), what, message: message.into() }
    }

    /// A success whose body is not what it should be.
    pub(crate) fn odd(&self, what: &'static str) -> ForgeError {
        // The words are a row of docs/when-something-is-wrong.md.
        let message = if what == PULL {
            "its response does not describe a pull request"
        } else {
            "its response is not what a forge sends"
        };
        self.refused(what, message)
    }

    /// What the forge says about a refusal, without the token.
    pub(crate) fn words(&self, reply: &Reply) -> String {
        self.mask.apply(&words::said(reply))
    }
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
    Failed { status: StatusCode, retry_after: Option<Duration>, once: bool },
    #[error("it limits requests at the moment, with {status}")]
    Limited { status: StatusCode, wait: Option<Duration> },
    #[error("its response is too long")]
    TooLong,
}

impl TryError {
    /// Whether the request can't have reached the forge.
    fn was_not_sent(&self) -> bool {
        matches!(self, Self::Unreachable { error, .. } if error.is_connect() || error.is_builder())
    }
}

impl Retriable for TryError {
    /// A wait that the forge names is not retried but waited for. What may have happened is not repeated here.
    fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { once, .. } => !once || self.was_not_sent(),
            Self::Failed { once, .. } => !once,
            Self::Limited { wait, .. } => wait.is_none(),
            Self::TooLong => false,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Failed { retry_after, .. } => *retry_after,
            Self::Unreachable { .. } | Self::Limited { .. } | Self::TooLong => None,
        }
    }
}

/// The host of the API, for messages.
pub(crate) fn host(api: &Url) -> String {
    api.host_str().unwrap_or("the forge").to_owned()
}
