//! Where no key is set, the API is for programs of its own machine, and for its own pages and those of allowed origins. Decides which requests are.
//!
//! A browser on this machine also runs the pages of strangers. They can send requests to any port here, without reading
//! the responses; and with a host name of their own that resolves to this machine, they could read them as well.

use super::AllowedOrigins;
use super::headers::{shown, texts};
use crate::domain::refusal::{ErrorCode, Refusal};
use axum::extract::ConnectInfo;
use http::HeaderMap;
use http::header::{HOST, HeaderName, ORIGIN};
use http::request::Parts;
use std::net::{IpAddr, SocketAddr};

/// Lets in programs of this machine, and pages that the API serves itself. `key` is the name of the key that is not set.
///
/// # Errors
/// When the caller is on another machine, behind a proxy, or a page of another origin.
pub(super) fn require(request: &Parts, key: &str, origins: &AllowedOrigins) -> Result<(), Refusal> {
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    let headers = &request.headers;
    let forwarded = headers.contains_key("forwarded") || headers.contains_key("x-forwarded-for");
    if forwarded || !peer.is_some_and(|ip| ip.is_loopback()) {
        let sentence = format!(
            "{key} is not set, so the API accepts requests from its own machine only; set it to call from elsewhere."
        );
        return Err(Refusal::new(ErrorCode::ThisMachineOnly, sentence));
    }
    let named = request.uri.host().map(|_| request.uri.authority().map_or("", |authority| authority.as_str()));
    if let Some(host) = texts(headers, HOST).chain(named).find(|host| !names_this_machine(host)) {
        let sentence = format!(
            "{key} is not set, so the API accepts requests to localhost only, and this one is to '{}'; use localhost in \
             the address, or set {key}.",
            shown(host)
        );
        return Err(Refusal::new(ErrorCode::ThisMachineOnly, sentence));
    }
    match foreign_page(request, origins) {
        None => Ok(()),
        Some(page) => {
            let sentence = format!(
                "{key} is not set, so the API accepts requests from its own pages only, and this one comes from {page}; \
                 set {key} to call from other pages, or add its origin to TERARCHITECT_ALLOWED_ORIGINS."
            );
            Err(Refusal::new(ErrorCode::ForeignOrigin, sentence))
        }
    }
}

/// The page of another origin that a browser sent this request for. Requests that only read are let in from other ports
/// of this machine, since a browser gives the response to no page of theirs. What a browser does not say can't be seen,
/// but no browser leaves out the origin of a request that changes something.
fn foreign_page(request: &Parts, origins: &AllowedOrigins) -> Option<String> {
    let headers = &request.headers;
    let mut given = texts(headers, ORIGIN).peekable();
    if given.peek().is_some() && given.all(|origin| origins.allow(origin)) {
        return None;
    }
    let reads = request.method.is_safe();
    let fetch_site = texts(headers, HeaderName::from_static("sec-fetch-site"))
        .any(|site| site == "cross-site" || (!reads && site != "same-origin" && site != "none"));
    let foreign_origin = texts(headers, ORIGIN).find(|origin| !reads && !is_own(origin, headers));
    match foreign_origin {
        Some(origin) => Some(format!("'{}'", shown(origin))),
        None => fetch_site.then(|| "a page of another origin".to_owned()),
    }
}

/// Whether the API itself serves pages at this origin, as far as the request's host says. The API speaks plain HTTP only.
fn is_own(origin: &str, headers: &HeaderMap) -> bool {
    let mut hosts = texts(headers, HOST);
    let same = |host: &str| {
        origin.split_once("://").is_some_and(|(scheme, authority)| {
            scheme.eq_ignore_ascii_case("http") && authority.eq_ignore_ascii_case(host.trim_end_matches(":80"))
        })
    };
    hosts.next().is_some_and(same) && hosts.all(same)
}

/// Whether a `Host` is a name of this machine that no other machine's owner can give out.
fn names_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_mean_this_machine_everywhere_are_its_names() {
        for host in
            ["localhost", "LOCALHOST:5010", "localhost.:1", "a.localhost", "127.0.0.1:5010", "127.8.9.1", "[::1]:1"]
        {
            assert!(names_this_machine(host), "{host}");
        }
        for host in ["", "evil.example", "localhost.evil.example:5010", "192.0.2.1", "[2001:db8::1]", "0.0.0.0"] {
            assert!(!names_this_machine(host), "{host}");
        }
    }

    #[test]
    fn an_origin_is_own_with_the_same_scheme_name_and_port() {
        let with = |host: &str| HeaderMap::from_iter([(HOST, host.parse().expect("a header's value"))]);
        assert!(is_own("http://localhost:5010", &with("localhost:5010")));
        assert!(is_own("http://localhost", &with("localhost:80")));
        assert!(is_own("http://[::1]:5010", &with("[::1]:5010")));
        for origin in
            ["null", "", "http://localhost", "http://localhost:5011", "https://localhost:5010", "http://a:5010"]
        {
            assert!(!is_own(origin, &with("localhost:5010")), "{origin}");
        }
        assert!(!is_own("http://localhost:5010", &HeaderMap::new()));
    }
}
