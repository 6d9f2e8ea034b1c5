//! A question without a token, to a host that may be anything.

use super::{Patience, Reply, host, redirects, reply};
use crate::ForgeError;
use crate::limit::client;
use reqwest::redirect::Policy;
use terarchitect_outbound::chain;
use url::Url;

/// The most of a response that is read, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// What is at an address; of a long response nothing but the status and headers.
///
/// # Errors
/// The host does not respond.
pub(crate) async fn plain(url: Url, patience: Patience) -> Result<Reply, ForgeError> {
    let unavailable =
        |error: reqwest::Error| ForgeError::Unavailable { host: host(&url), message: chain(&error.without_url()) };
    let http = client(&url).timeout(patience.request).redirect(Policy::none()).build().map_err(unavailable)?;
    let response =
        redirects::send(&http, http.get(url.clone()).build().map_err(unavailable)?).await.map_err(unavailable)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let text = reply::read(response, MAX_BYTES).await.map_err(unavailable)?.unwrap_or_default();
    Ok(Reply { status, headers, text })
}
