//! A browser sends a person's cookie along with whatever a page asks for, so it counts on the API's own pages alone.
//!
//! Programs that are no browsers send neither `Origin` nor `Sec-Fetch-Site`, and no page can make a browser leave out
//! both of a request that changes something.

use super::AllowedOrigins;
use super::headers::{shown, texts};
use crate::domain::refusal::{ErrorCode, Refusal};
use http::HeaderMap;
use http::header::{HOST, HeaderName, ORIGIN};
use http::request::Parts;
use url::Url;

/// Refuses a request that a browser sent for a page of another origin.
///
/// # Errors
/// Names the page, as far as the browser does.
pub(super) fn require(parts: &Parts, public_url: Option<&Url>, origins: &AllowedOrigins) -> Result<(), Refusal> {
    let Some(page) = foreign_page(&parts.headers, public_url, origins) else { return Ok(()) };
    let sentence = format!(
        "This request comes from {page}, and without a key or token only the API's own pages may call; open the page at \
         TERARCHITECT_PUBLIC_URL, or add its origin to TERARCHITECT_ALLOWED_ORIGINS."
    );
    Err(Refusal::new(ErrorCode::ForeignOrigin, sentence))
}

fn foreign_page(headers: &HeaderMap, public_url: Option<&Url>, origins: &AllowedOrigins) -> Option<String> {
    let public = public_url.map(|url| url.origin().ascii_serialization());
    let is_ours = |origin: &str| {
        public.as_deref() == Some(origin) || origins.allow(origin) || is_that_of_the_host(origin, headers)
    };
    // No page can write this header, so it counts also behind a proxy that changes the host.
    let sites = || texts(headers, HeaderName::from_static("sec-fetch-site"));
    if sites().next().is_some() && sites().all(|site| site == "same-origin") {
        return None;
    }
    let mut given = texts(headers, ORIGIN).peekable();
    if given.peek().is_some() {
        return given.find(|origin| !is_ours(origin)).map(|origin| format!("'{}'", shown(origin)));
    }
    let foreign = sites().any(|site| site != "same-origin" && site != "none");
    foreign.then(|| "a page of another origin".to_owned())
}

/// Whether the request's host is that of the origin. Where a proxy speaks TLS, the API can't know the scheme.
fn is_that_of_the_host(origin: &str, headers: &HeaderMap) -> bool {
    let same = |host: &str| {
        let bare = |text: &str, port: &str| text.strip_suffix(port).unwrap_or(text).to_ascii_lowercase();
        match origin.split_once("://") {
            Some(("http", authority)) => bare(authority, ":80") == bare(host, ":80"),
            Some(("https", authority)) => bare(authority, ":443") == bare(host, ":443"),
            _ => false,
        }
    };
    let mut hosts = texts(headers, HOST).peekable();
    hosts.peek().is_some() && hosts.all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(given: &[(&'static str, &str)]) -> HeaderMap {
        let read = |(name, value): &(&'static str, &str)| (HeaderName::from_static(name), value.parse().unwrap());
        given.iter().map(read).collect()
    }

    #[test]
    fn own_pages_and_programs_may_call_and_others_may_not() {
        let public: Url = "https://board.example".parse().unwrap();
        let origins = AllowedOrigins::parse("https://front.example").unwrap();
        let foreign = |given: &[(&'static str, &str)]| foreign_page(&headers(given), Some(&public), &origins).is_some();
        for own in [
            &[][..],
            &[("host", "h:1"), ("origin", "http://h:1")],
            &[("host", "h"), ("origin", "https://h")],
            &[("host", "proxy"), ("origin", "https://board.example")],
            &[("host", "h"), ("origin", "https://front.example"), ("sec-fetch-site", "cross-site")],
            &[("host", "h"), ("sec-fetch-site", "same-origin")],
            &[("host", "h"), ("sec-fetch-site", "none")],
            &[("host", "upstream:1"), ("origin", "https://any.example"), ("sec-fetch-site", "same-origin")],
        ] {
            assert!(!foreign(own), "{own:?}");
        }
        for other in [
            &[("host", "h:1"), ("origin", "http://h:2")][..],
            &[("host", "h"), ("origin", "null")],
            &[("host", "h"), ("origin", "")],
            &[("host", "h"), ("sec-fetch-site", "same-site")],
            &[("host", "h"), ("sec-fetch-site", "cross-site")],
            &[("origin", "http://h")],
        ] {
            assert!(foreign(other), "{other:?}");
        }
    }
}
