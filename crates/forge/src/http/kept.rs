//! Responses that are kept with their entity tags, so that what has not changed is not sent again. At GitHub such a
//! response costs nothing of the rate limit.

use super::Reply;
use reqwest::StatusCode;
use reqwest::header::{ETAG, HeaderValue};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// The longest body that is kept, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// The most of all bodies together, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// Responses to questions, by their addresses. The oldest one leaves when there is no room.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<VecDeque<Entry>>);

#[derive(Debug)]
struct Entry {
    url: String,
    etag: HeaderValue,
    reply: Reply,
}

impl Kept {
    fn entries(&self) -> std::sync::MutexGuard<'_, VecDeque<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entity tag of the response that is kept for an address.
    pub(super) fn etag(&self, url: &str) -> Option<HeaderValue> {
        self.entries().iter().find(|entry| entry.url == url).map(|entry| entry.etag.clone())
    }

    /// The response that is kept, where the forge says that nothing has changed; else the one that it gave.
    pub(super) fn or_kept(&self, url: &str, reply: Reply) -> Reply {
        let mut entries = self.entries();
        let at = entries.iter().position(|entry| entry.url == url);
        if reply.status == StatusCode::NOT_MODIFIED {
            return at.map_or(reply, |at| entries[at].reply.clone());
        }
        if let Some(at) = at {
            entries.remove(at);
        }
        let etag = reply.headers.get(ETAG).filter(|_| reply.status == StatusCode::OK).cloned();
        if let Some(etag) = etag
            && reply.text.len() <= MAX_BODY_BYTES
        {
            entries.push_back(Entry { url: url.to_owned(), etag, reply: reply.clone() });
            let size = |entries: &VecDeque<Entry>| entries.iter().map(|entry| entry.reply.text.len()).sum::<usize>();
            while size(&entries) > MAX_BYTES {
                entries.pop_front();
            }
        }
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderMap;

    fn reply(status: u16, etag: Option<&'static str>, text: &str) -> Reply {
        let headers = etag.map(|etag| (ETAG, HeaderValue::from_static(etag)));
        let headers = HeaderMap::from_iter(headers);
        Reply { status: StatusCode::from_u16(status).unwrap(), headers, text: text.to_owned() }
    }

    #[test]
    fn what_has_not_changed_is_what_was_kept() {
        let kept = Kept::default();
        assert_eq!(kept.etag("a"), None);
        kept.or_kept("a", reply(200, Some("\"1\""), "one"));
        assert_eq!(kept.etag("a").unwrap(), "\"1\"");
        assert_eq!(kept.or_kept("a", reply(304, None, "")).text, "one");
        // An error is passed on, and is not what the next question is compared with.
        assert_eq!(kept.or_kept("a", reply(404, None, "gone")).text, "gone");
        assert_eq!(kept.etag("a"), None);
        assert_eq!(kept.or_kept("a", reply(304, None, "")).status, StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let kept = Kept::default();
        kept.or_kept("long", reply(200, Some("\"1\""), &"x".repeat(MAX_BODY_BYTES + 1)));
        assert_eq!(kept.etag("long"), None);
        for number in 0..40 {
            kept.or_kept(&number.to_string(), reply(200, Some("\"1\""), &"x".repeat(MAX_BODY_BYTES)));
        }
        assert_eq!((kept.etag("0"), kept.etag("39").is_some()), (None, true));
        assert_eq!(kept.entries().len(), MAX_BYTES / MAX_BODY_BYTES);
    }
}
