//! Redirects, as a forge means them: a repository that was renamed or moved is called at its new address, with the same
//! method and body. An HTTP client makes a GET of a POST that gets a 301, as browsers do.

use reqwest::header::LOCATION;
use reqwest::{Client, Request, Response, StatusCode};
use url::Url;

/// How many redirects of one call are followed.
const MAX_REDIRECTS: usize = 5;

/// Sends a request and follows redirects within its host. The response is a redirect itself where it leads elsewhere:
/// the request carries the token, which is for this host alone. `http` must not follow redirects.
///
/// # Errors
/// A request got no response.
pub(super) async fn send(http: &Client, mut request: Request) -> reqwest::Result<Response> {
    for _ in 0..MAX_REDIRECTS {
        let again = request.try_clone();
        let response = http.execute(request).await?;
        let (Some(mut next), Some(url)) = (again, target(&response)) else { return Ok(response) };
        *next.url_mut() = url;
        request = next;
    }
    http.execute(request).await
}

/// Where a response says that the call belongs, if that is the same host.
fn target(response: &Response) -> Option<Url> {
    let keeps_method = [
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::FOUND,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
    ];
    if !keeps_method.contains(&response.status()) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let url = response.url().join(location).ok()?;
    may_follow(response.url(), &url).then_some(url)
}

/// The same host and port over the same protocol, or from HTTP to HTTPS.
fn may_follow(from: &Url, to: &Url) -> bool {
    let upgraded = from.scheme() == "http" && to.scheme() == "https" && from.port().is_none() && to.port().is_none();
    let same = from.scheme() == to.scheme() && from.port_or_known_default() == to.port_or_known_default();
    from.host_str() == to.host_str() && (same || upgraded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_follows_to_its_own_host_alone() {
        let follows = |from: &str, to: &str| may_follow(&from.parse().unwrap(), &to.parse().unwrap());
        assert!(follows("https://a.example/x", "https://a.example/y"));
        assert!(follows("http://a.example/x", "https://a.example/x"));
        assert!(!follows("https://a.example/x", "http://a.example/x"));
        assert!(!follows("https://a.example/x", "https://b.example/x"));
        assert!(!follows("https://a.example/x", "https://a.example:8443/x"));
        assert!(!follows("http://a.example:80/x", "https://a.example:444/x"));
    }
}
