//! Reading headers that decide who may come in, and showing them in refusals.

use http::HeaderMap;
use http::header::HeaderName;

/// The longest part of a header that an error message repeats, in characters.
const MAX_SHOWN_CHARS: usize = 100;

/// Every value of a header; one that is not text comes as an empty one, which is no one's name.
pub(super) fn texts(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default())
}

/// As much of it as an error message repeats.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN_CHARS).collect()
}
