//! Why a call fails, and whether it may work later.

use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use terarchitect_outbound::{InvalidUrl, Retriable, chain};
use url::Url;

/// The body of every response that is not a success.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// One sentence for a person: what was wrong and what to do.
    pub error: String,
    /// A stable word for programs, such as `not_found`.
    #[serde(default)]
    pub code: Option<String>,
    /// The request's id, by which the API's log is searched.
    #[serde(default)]
    pub request_id: Option<String>,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is not a usable base URL.
    #[error(transparent)]
    InvalidUrl(#[from] InvalidUrl),
    /// The HTTP client could not be set up, for example because no CA certificates can be read.
    #[error("could not set up the HTTP client")]
    Setup(#[source] reqwest::Error),
    /// There was no response.
    #[error("no response from {url}")]
    Unreachable {
        /// The address of the call.
        url: Url,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// The API refused.
    #[error("{}{}", body.error, request(body))]
    Refused {
        /// The status of the response.
        status: StatusCode,
        /// Its error body.
        body: Box<ErrorBody>,
        /// How long the API asks to wait before a retry.
        retry_after: Option<Duration>,
    },
    /// The API does not have this endpoint.
    #[error("this API is older than this command: it has no {method} {path}; update the API")]
    NotSupported {
        /// The method of the call.
        method: Method,
        /// The path of the call.
        path: String,
    },
    /// A success whose body is not what it should be.
    #[error(
        "the response of {url} is not what it should be ({expected}); check that this is the address of Terarchitect's API"
    )]
    InvalidResponse {
        /// The address of the call.
        url: Url,
        /// The type that was expected.
        expected: &'static str,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
}

/// The request's id for the end of a sentence.
fn request(body: &ErrorBody) -> String {
    body.request_id.as_ref().map(|id| format!(" (request {id})")).unwrap_or_default()
}

impl ClientError {
    /// The status of a refusal.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::NotSupported { .. } => Some(StatusCode::NOT_FOUND),
            _ => None,
        }
    }

    /// The code of a refusal, such as `not_found`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { body, .. } => body.code.as_deref(),
            _ => None,
        }
    }

    /// The id of the request that was refused.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Refused { body, .. } => body.request_id.as_deref(),
            _ => None,
        }
    }

    /// Whether the API lacks the endpoint, because it is older than this client.
    #[must_use]
    pub fn is_not_supported(&self) -> bool {
        matches!(self, Self::NotSupported { .. })
    }

    /// Whether no API responded, or only something in front of it that could not reach it.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => {
                matches!(
                    *status,
                    StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
                )
            }
            _ => false,
        }
    }

    /// The error and all its causes in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        chain(self)
    }
}

impl Retriable for ClientError {
    fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => {
                status.is_server_error()
                    || matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
            }
            _ => false,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
