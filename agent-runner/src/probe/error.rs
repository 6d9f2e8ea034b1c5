//! What is wrong with a model's address, in words.

use reqwest::StatusCode;

/// What is wrong with a model's address. Each is a sentence that says what to check.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No connection.
    #[error("{whose} can't be reached at {url}: {cause}; check {setting}, and that its server runs")]
    Unreachable {
        /// Whose model.
        whose: &'static str,
        /// Its address.
        url: String,
        /// Why.
        cause: String,
        /// The setting with the address.
        setting: &'static str,
    },
    /// The server's certificate is not from a known authority.
    #[error(
        "the certificate of {whose} at {url} is not trusted: {cause}; give the file with its CA in SSL_CERT_FILE \
         (AGENT_EXTRA_CA_CERTS of the coordinator), or check {setting}"
    )]
    Untrusted {
        /// Whose model.
        whose: &'static str,
        /// Its address.
        url: String,
        /// Why.
        cause: String,
        /// The setting with the address.
        setting: &'static str,
    },
    /// The key is refused.
    #[error("{whose} at {url} refused the key with {status}: {message}; check {setting}")]
    Refused {
        /// Whose model.
        whose: &'static str,
        /// Its address.
        url: String,
        /// The status of the response.
        status: StatusCode,
        /// What it said.
        message: String,
        /// The setting with the key.
        setting: &'static str,
    },
    /// The server does not have the model.
    #[error("{whose} at {url} does not have the model {model}: {message}; check {setting}")]
    UnknownModel {
        /// Whose model.
        whose: &'static str,
        /// Its address.
        url: String,
        /// The model's name.
        model: String,
        /// What it said.
        message: String,
        /// The setting with the model.
        setting: &'static str,
    },
    /// The server redirects to another host.
    #[error("{whose} at {url} redirects to {location}: set {setting} to where the API is")]
    Moved {
        /// Whose model.
        whose: &'static str,
        /// Its address.
        url: String,
        /// Where to.
        location: String,
        /// The setting with the address.
        setting: &'static str,
    },
    /// Something else is there.
    #[error("{whose} is not at {url}, nor at {other}: there is no OpenAI-compatible API ({message}); check {setting}")]
    NotApi {
        /// Whose model.
        whose: &'static str,
        /// The address.
        url: String,
        /// The same address with or without `/v1`.
        other: String,
        /// What it returned.
        message: String,
        /// The setting with the address.
        setting: &'static str,
    },
    /// The HTTP client could not be set up, for example because no CA certificates can be read.
    #[error("could not set up the HTTP client")]
    Setup(#[source] reqwest::Error),
}

impl ProbeError {
    /// Whether a setting is wrong (exit code 2). Otherwise the environment failed (exit code 75).
    #[must_use]
    pub fn is_misconfiguration(&self) -> bool {
        !matches!(self, Self::Unreachable { .. } | Self::Setup(_))
    }
}
