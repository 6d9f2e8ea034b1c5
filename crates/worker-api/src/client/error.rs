//! Why a call of the worker API fails, and whether it may work later.

use crate::ErrorBody;
use reqwest::{Method, StatusCode};
use std::time::Duration;
use terarchitect_outbound::{InvalidUrl, Retriable, chain};
use url::Url;

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
    #[error("no response from {method} {url}")]
    Unreachable {
        /// The method of the call.
        method: Method,
        /// The address of the call.
        url: Url,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// The API refused.
    #[error("{method} {url} returned {status}: {}", body.error)]
    Refused {
        /// The method of the call.
        method: Method,
        /// The address of the call.
        url: Url,
        /// The status of the response.
        status: StatusCode,
        /// Its error body.
        body: Box<ErrorBody>,
        /// How long the API asks to wait before a retry.
        retry_after: Option<Duration>,
    },
    /// A success whose body is not what the contract says.
    #[error("the response of {method} {url} is not a {expected}: check that this is the address of Terarchitect's API")]
    InvalidResponse {
        /// The method of the call.
        method: Method,
        /// The address of the call.
        url: Url,
        /// The type that was expected.
        expected: &'static str,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
}

impl ClientError {
    /// The status of a refusal.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The code of a refusal, such as `stale_attempt`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { body, .. } => body.code.as_deref(),
            _ => None,
        }
    }

    /// Whether this shows that no API runs at the address: nothing listens there, or a proxy reports it. A missing
    /// response does not show it, since the network in between may be at fault.
    #[must_use]
    pub fn api_is_down(&self) -> bool {
        match self {
            Self::Refused { status, .. } => {
                matches!(
                    *status,
                    StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
                )
            }
            Self::Unreachable { source, .. } => {
                let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(source);
                while let Some(error) = cause {
                    if let Some(io) = error.downcast_ref::<std::io::Error>()
                        && io.kind() == std::io::ErrorKind::ConnectionRefused
                    {
                        return true;
                    }
                    cause = error.source();
                }
                false
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
            Self::InvalidUrl(_) | Self::Setup(_) | Self::InvalidResponse { .. } => false,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
