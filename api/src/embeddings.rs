//! Embeddings of texts, from a service that speaks OpenAI's form: what means the same lies near each other. Where none is set, or it
//! does not respond, what is known is found by its words alone.

use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use terarchitect_outbound::{api_base, chain, endpoint};
use url::Url;

/// How long an answer may take: a caller waits for it.
const TIME_LIMIT: Duration = Duration::from_secs(3);
/// The longest text that is sent, in characters.
const MAX_CHARS: usize = 8_000;
/// The most numbers of one embedding.
const MAX_DIMENSIONS: usize = 8_192;
/// The model where none is set.
const DEFAULT_MODEL: &str = "text-embedding-3-small";

/// The service.
#[derive(Clone, Debug)]
pub struct EmbeddingService {
    address: Url,
    key: Option<SecretString>,
    model: String,
}

/// What a text means to a model: numbers of unit length.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// The model. Only embeddings of one model can be compared.
    pub model: String,
    /// The numbers.
    pub values: Vec<f32>,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Datum>,
}

#[derive(Deserialize)]
struct Datum {
    embedding: Vec<f32>,
}

impl EmbeddingService {
    /// A service at this address, as people write it; none if the address is not valid.
    #[must_use]
    pub fn new(address: &str, key: Option<SecretString>, model: Option<String>) -> Option<Self> {
        let base = api_base(address.trim().trim_end_matches('/').trim_end_matches("/embeddings")).ok()?;
        let address = endpoint(&base, "embeddings");
        Some(Self { address, key, model: model.unwrap_or_else(|| DEFAULT_MODEL.to_owned()) })
    }

    /// The embedding of a text; none if the service does not respond in time, which is logged.
    pub async fn embed(&self, text: &str) -> Option<Embedding> {
        match self.ask(text).await {
            Ok(values) => normalised(values).map(|values| Embedding { model: self.model.clone(), values }),
            Err(error) => {
                tracing::warn!(
                    error = chain(&error),
                    "the embedding service did not respond; what is known is found by words"
                );
                None
            }
        }
    }

    async fn ask(&self, text: &str) -> reqwest::Result<Vec<f32>> {
        // A redirect is never followed: the key is for this address alone.
        let http = reqwest::Client::builder().timeout(TIME_LIMIT).redirect(Policy::none()).build()?;
        let text: String = text.chars().take(MAX_CHARS).collect();
        let request = http.post(self.address.clone()).json(&json!({"model": self.model, "input": text}));
        let request = match &self.key {
            Some(key) => request.bearer_auth(key.expose_secret()),
            None => request,
        };
        let answer: Answer = request.send().await?.error_for_status()?.json().await?;
        Ok(answer.data.into_iter().next().map(|first| first.embedding).unwrap_or_default())
    }
}

/// The same direction at unit length; none where there is no direction.
fn normalised(values: Vec<f32>) -> Option<Vec<f32>> {
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    let usable = !values.is_empty() && values.len() <= MAX_DIMENSIONS && length.is_normal();
    usable.then(|| values.into_iter().map(|value| value / length).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_with_and_without_the_path() {
        for address in ["http://h:1/v1", "http://h:1/v1/", "http://h:1/v1/embeddings"] {
            let service = EmbeddingService::new(address, None, None).unwrap();
            assert_eq!(service.address.as_str(), "http://h:1/v1/embeddings", "{address}");
        }
        assert!(EmbeddingService::new("nowhere", None, None).is_none());
    }

    #[test]
    fn an_embedding_has_unit_length() {
        assert_eq!(normalised(vec![3.0, 4.0]), Some(vec![0.6, 0.8]));
        assert_eq!(normalised(vec![0.0, 0.0]), None);
        assert_eq!(normalised(Vec::new()), None);
    }
}
