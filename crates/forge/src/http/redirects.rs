//! Redirects, as a forge means them: a repository that was renamed or moved is called at its new address, with the same
//! method and body. An HTTP client makes a GET of a POST that gets a 301, as browsers do.

use reqwest::header::LOCATION;
use reqwest::{Client, Request, Response, StatusCode};
use terarchitect_outbound::is_same_server;
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
    is_same_server(response.url(), &url).then_some(url)
}
