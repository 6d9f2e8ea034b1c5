//! A dialect's answer, before it becomes a response: so that it can be tagged, limited, or lost.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) text: String,
}

impl Reply {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type", "application/json; charset=utf-8".to_owned())];
        Self { status, headers, text: body.to_string() }
    }

    pub(super) fn text(status: u16, text: &str) -> Self {
        Self { status, headers: vec![("content-type", "text/plain; charset=utf-8".to_owned())], text: text.to_owned() }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), text: String::new() }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    fn head(&self) -> (StatusCode, Vec<(HeaderName, HeaderValue)>) {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let value = |value: &str| HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static("?"));
        (status, self.headers.iter().map(|(name, text)| (HeaderName::from_static(name), value(text))).collect())
    }

    /// The connection breaks in the middle of it.
    pub(super) fn lost(self) -> Response {
        let half = self.text[..self.text.floor_char_boundary(self.text.len() / 2)].to_owned();
        let parts = [Ok(half), Err(std::io::Error::other("the connection is lost"))];
        let mut response = (self.head().0, Body::from_stream(futures::stream::iter(parts))).into_response();
        response.headers_mut().extend(self.head().1);
        response
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let (status, headers) = self.head();
        let mut response = (status, self.text).into_response();
        response.headers_mut().remove("content-type");
        response.headers_mut().extend(headers);
        response
    }
}

/// Which part of a list a page is, and how many there are.
pub(super) struct Paging {
    pub(super) page: usize,
    pub(super) per_page: usize,
    pub(super) total: usize,
}

impl Paging {
    /// The page that a query asks for, of at most `most` items.
    pub(super) fn new(page: &str, size: &str, default: usize, most: usize, total: usize) -> Self {
        let per_page = size.parse().unwrap_or(default).clamp(1, most);
        Self { page: page.parse().unwrap_or(1).max(1), per_page, total }
    }

    pub(super) fn of<T: Clone>(&self, all: &[T]) -> Vec<T> {
        all.iter().skip((self.page - 1) * self.per_page).take(self.per_page).cloned().collect()
    }

    pub(super) fn last(&self) -> usize {
        self.total.div_ceil(self.per_page).max(1)
    }

    pub(super) fn next(&self) -> Option<usize> {
        (self.page < self.last()).then_some(self.page + 1)
    }

    /// The `Link` header, where there is more than one page. `at` is the address with its query but for the page.
    pub(super) fn link(&self, at: &str) -> Option<String> {
        let mut links = Vec::new();
        let mut link = |page: usize, rel: &str| links.push(format!("<{at}page={page}>; rel=\"{rel}\""));
        if self.page > 1 {
            link(self.page - 1, "prev");
        }
        if let Some(next) = self.next() {
            link(next, "next");
            link(self.last(), "last");
        }
        if self.page > 1 {
            link(1, "first");
        }
        (!links.is_empty()).then(|| links.join(", "))
    }
}
