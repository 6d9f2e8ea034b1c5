//! Embeddings of texts, from a service that speaks OpenAI's form: what means the same lies near each other. Where none is set, or it
//! does not respond, what is known is found by its words alone.

use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use std::time::{Duration, Instant};
use terarchitect_outbound::{api_base, chain, endpoint};
use url::Url;

/// How long an answer may take: a caller waits for it.
const TIME_LIMIT: Duration = Duration::from_secs(3);
/// How long after the first question the last of many is asked.
const TIME_LIMIT_FOR_ALL: Duration = Duration::from_secs(10);
/// How many texts are sent at once: what services take that run on one's own machine.
const AT_ONCE: usize = 32;
/// How much of a text is sent, in bytes. What a longer one means is what its beginning means.
pub const MAX_BYTES: usize = 8_000;
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
    index: Option<usize>,
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
        self.embed_all(&[text]).await.pop().flatten()
    }

    /// The embeddings of texts, in their order. Those that the service does not make in time are none, which is logged.
    pub async fn embed_all<T: AsRef<str>>(&self, texts: &[T]) -> Vec<Option<Embedding>> {
        let began = Instant::now();
        let mut all = Vec::with_capacity(texts.len());
        for some in texts.chunks(AT_ONCE) {
            if began.elapsed() > TIME_LIMIT_FOR_ALL {
                let (texts, done) = (texts.len(), all.len());
                tracing::warn!(texts, done, "the embedding service takes long; the other texts are found by words");
                break;
            }
            match self.ask(some).await {
                Ok(values) => all.extend(
                    values
                        .into_iter()
                        .map(|values| normalised(values).map(|values| Embedding { model: self.model.clone(), values })),
                ),
                Err(error) => {
                    tracing::warn!(
                        error = chain(&error),
                        "the embedding service did not respond; what is known is found by words"
                    );
                    break;
                }
            }
        }
        all.resize(texts.len(), None);
        all
    }

    /// What the service makes of texts, in their order; nothing for those that it leaves out.
    async fn ask<T: AsRef<str>>(&self, texts: &[T]) -> reqwest::Result<Vec<Vec<f32>>> {
        // A redirect is never followed: the key is for this address alone.
        let http = reqwest::Client::builder().timeout(TIME_LIMIT).redirect(Policy::none()).build()?;
        let sent: Vec<&str> = texts.iter().map(|text| beginning(text.as_ref())).collect();
        let input = match sent.as_slice() {
            [one] => json!(one),
            several => json!(several),
        };
        let request = http.post(self.address.clone()).json(&json!({"model": self.model, "input": input}));
        let request = match &self.key {
            Some(key) => request.bearer_auth(key.expose_secret()),
            None => request,
        };
        let answer: Answer = request.send().await?.error_for_status()?.json().await?;
        let mut all = vec![Vec::new(); texts.len()];
        for (place, datum) in answer.data.into_iter().enumerate() {
            if let Some(one) = all.get_mut(datum.index.unwrap_or(place)) {
                *one = datum.embedding;
            }
        }
        Ok(all)
    }
}

/// As much of a text as is sent.
fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_BYTES)]
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
