//! A client for any chat API that speaks OpenAI's dialect.

use secrecy::SecretString;
use url::Url;

/// A chat model that the Director asks.
pub struct ChatModel {
    _endpoint: Url,
}

/// Why the model could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// The address is no usable base URL.
    #[error("{url:?} is not an http:// or https:// address, check AGENT_LLM_URL")]
    InvalidUrl {
        /// The address as given.
        url: String,
    },
}

impl ChatError {
    /// Whether the surroundings failed (exit code 75).
    #[must_use]
    pub fn is_infrastructure(&self) -> bool {
        false
    }

    /// Whether a setting is wrong (exit code 2).
    #[must_use]
    pub fn is_misconfiguration(&self) -> bool {
        true
    }
}

impl ChatModel {
    /// A client for the API at `base_url`, with or without `/v1` at its end.
    ///
    /// # Errors
    /// The address is none, or the HTTP client could not be set up.
    pub fn new(base_url: &str, model: &str, api_key: Option<SecretString>) -> Result<Self, ChatError> {
        let _ = (model, api_key);
        let endpoint = Url::parse(base_url).map_err(|_| ChatError::InvalidUrl { url: base_url.to_owned() })?;
        Ok(Self { _endpoint: endpoint })
    }
}
