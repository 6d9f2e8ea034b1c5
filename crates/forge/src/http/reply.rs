//! A forge's response, read leniently: forges send no body, HTML, plain text, or two JSON texts in one body.

use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode};
use serde_json::Value;

/// A response that was read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    /// Its first JSON text; null where there is none.
    pub(crate) fn json(&self) -> Value {
        first_json(&self.text)
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The first object or list in a body; null where there is none.
fn first_json(text: &str) -> Value {
    // A text such as `404 page not found` starts with a number.
    let first = serde_json::Deserializer::from_str(text).into_iter().next().and_then(Result::ok);
    first.filter(|value: &Value| value.is_object() || value.is_array()).unwrap_or_default()
}

/// The body as text; none where it is longer than `most` bytes.
pub(super) async fn read(mut response: Response, most: usize) -> reqwest::Result<Option<String>> {
    let mut body = Vec::new();
    while let Some(bytes) = response.chunk().await? {
        body.extend_from_slice(&bytes);
        if body.len() > most {
            return Ok(None);
        }
    }
    Ok(Some(String::from_utf8_lossy(&body).into_owned()))
}

/// The last `bytes` of a body, however long it is.
pub(super) async fn tail(mut response: Response, bytes: usize) -> reqwest::Result<String> {
    let mut end = Vec::new();
    while let Some(more) = response.chunk().await? {
        end.extend_from_slice(&more);
        if end.len() > 2 * bytes {
            end.drain(..end.len() - bytes);
        }
    }
    Ok(last(&String::from_utf8_lossy(&end), bytes).to_owned())
}

/// The last `bytes` of a text, cut between characters.
pub(crate) fn last(text: &str, bytes: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(bytes))..]
}
