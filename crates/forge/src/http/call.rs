//! One call of a forge's API, as a value.

use reqwest::Method as Verb;
use reqwest::header::{HeaderMap, HeaderValue, IF_NONE_MATCH};
use serde_json::Value;
use std::fmt::Write;
use url::Url;

/// What most calls are about, as messages name it.
pub(crate) const PULL: &str = "the pull request";

/// A call below the API's base.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(super) method: Verb,
    pub(super) path: String,
    /// The whole address in place of base and path, at the same API.
    pub(super) base: Option<Url>,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Value>,
    /// Whether it must not be repeated where it may have happened.
    pub(super) once: bool,
    /// Whether a response with 500 says something, instead of being a failure that may pass.
    pub(super) reads_500: bool,
    /// What it is about, for messages: "the comment".
    pub(super) what: &'static str,
}

impl Call {
    fn new(method: Verb, path: impl Into<String>, body: Option<Value>) -> Self {
        Self {
            method,
            path: path.into(),
            base: None,
            query: Vec::new(),
            headers: HeaderMap::new(),
            body,
            once: false,
            reads_500: false,
            what: PULL,
        }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Verb::GET, path, None)
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self::new(Verb::DELETE, path, None)
    }

    pub(crate) fn post(path: impl Into<String>, body: Value) -> Self {
        Self::new(Verb::POST, path, Some(body))
    }

    pub(crate) fn put(path: impl Into<String>, body: Value) -> Self {
        Self::new(Verb::PUT, path, Some(body))
    }

    pub(crate) fn patch(path: impl Into<String>, body: Value) -> Self {
        Self::new(Verb::PATCH, path, Some(body))
    }

    /// A parameter of the address.
    pub(crate) fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }

    /// What it is about, for messages: "the comment".
    pub(crate) fn about(mut self, what: &'static str) -> Self {
        self.what = what;
        self
    }

    /// It must not be repeated where it may have happened.
    pub(crate) fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// A response with 500 says something, instead of being a failure that may pass.
    pub(crate) fn reads_500(mut self) -> Self {
        self.reads_500 = true;
        self
    }

    /// It is at another path of the same host.
    pub(crate) fn at(mut self, url: Url) -> Self {
        self.base = Some(url);
        self
    }

    /// Only what differs from the response that had this entity tag.
    pub(crate) fn unless(mut self, etag: Option<&str>) -> Self {
        if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            self.headers.insert(IF_NONE_MATCH, etag);
        }
        self
    }
}

/// A text as one segment of a path: no character of it can end the segment or lead elsewhere.
pub(crate) fn segment(text: &str) -> String {
    // A segment of dots would be taken for a way up.
    if matches!(text, "." | "..") {
        return text.replace('.', "%252E");
    }
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use terarchitect_outbound::endpoint;

    #[test]
    fn a_segment_leads_nowhere_else() {
        let api: Url = "https://git.example/api/v4".parse().unwrap();
        let at = |text: &str| endpoint(&api, &format!("projects/{}/x", segment(text))).to_string();
        assert_eq!(at("group/sub group/name"), "https://git.example/api/v4/projects/group%2Fsub%20group%2Fname/x");
        assert_eq!(at(".."), "https://git.example/api/v4/projects/%252E%252E/x");
        assert_eq!(at("a?b#c"), "https://git.example/api/v4/projects/a%3Fb%23c/x");
    }
}
