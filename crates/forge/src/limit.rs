//! How forges say that a client asks too often: with 429, or with 403 and a header or words that tell it from a refusal.

use reqwest::header::HeaderMap;
use reqwest::{StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use terarchitect_outbound::is_loopback;
use url::Url;

/// The longest wait that a forge's word is taken for; a longer one is cut to this.
pub const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// The most of an answer that is looked at, in bytes.
const MAX_WORDS_BYTES: usize = 64 * 1024;

/// A rate limit that is in force at a forge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How long it asks to wait, where it says so; at most [`LONGEST_WAIT`].
    pub wait: Option<Duration>,
}

/// What a repository's own service says when it is asked once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It limits requests.
    Limited(Limit),
    /// It refuses, or does not respond.
    Refused,
    /// It accepts the request: whatever it refused before may be over.
    Open,
}

/// Whether an answer is a rate limit. `now` is the time since 1970, against which the reset's time is read.
#[must_use]
pub(crate) fn limit_of(status: StatusCode, headers: &HeaderMap, body: &str, now: Duration) -> Option<Limit> {
    if !matches!(status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS) {
        return None;
    }
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let asked = number("retry-after").map(Duration::from_secs);
    let spent = number("x-ratelimit-remaining").or_else(|| number("ratelimit-remaining")) == Some(0);
    let reset = number("x-ratelimit-reset").or_else(|| number("ratelimit-reset")).filter(|_| spent);
    // Some forges name an instant, others the seconds until then.
    let until_reset = reset.map(Duration::from_secs).map(|at| {
        at.checked_sub(now).unwrap_or(if at > Duration::from_secs(100_000_000) { Duration::ZERO } else { at })
    });
    let body = body.to_lowercase();
    let words = ["rate limit", "abuse detection", "too many requests"].iter().any(|words| body.contains(words));
    let limited = status == StatusCode::TOO_MANY_REQUESTS || asked.is_some() || spent || words;
    let wait = asked.or(until_reset).map(|wait| wait.min(LONGEST_WAIT));
    limited.then_some(Limit { wait })
}

/// The time since 1970.
pub(crate) fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Asks a repository's own service whether it limits requests, since git's library hides headers and bodies.
/// `repository` is the address to clone.
pub async fn standing_at(repository: &Url, token: Option<&SecretString>, for_push: bool) -> Standing {
    ask(repository, token, for_push).await.unwrap_or(Standing::Refused)
}

async fn ask(repository: &Url, token: Option<&SecretString>, for_push: bool) -> reqwest::Result<Standing> {
    let service = if for_push { "git-receive-pack" } else { "git-upload-pack" };
    let mut url = repository.clone();
    url.set_path(&format!("{}/info/refs", repository.path().trim_end_matches('/')));
    url.set_query(Some(&format!("service={service}")));
    let mut request = client(repository).redirect(redirect::Policy::none()).build()?.get(url);
    if let Some(token) = token {
        request = request.basic_auth("x-access-token", Some(token.expose_secret()));
    }
    let mut response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    if status.is_success() {
        return Ok(Standing::Open);
    }
    let mut body = Vec::new();
    while body.len() < MAX_WORDS_BYTES
        && let Some(bytes) = response.chunk().await?
    {
        body.extend_from_slice(&bytes);
    }
    let limit = limit_of(status, &headers, &String::from_utf8_lossy(&body), since_1970());
    Ok(limit.map_or(Standing::Refused, Standing::Limited))
}

/// A client for one host. This machine itself is never reached through a proxy.
pub(crate) fn client(url: &Url) -> reqwest::ClientBuilder {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(30))
        .user_agent(concat!("terarchitect/", env!("CARGO_PKG_VERSION")));
    if is_loopback(url) { client.no_proxy() } else { client }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_790_000_000);

    fn limit(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Option<Option<u64>> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let headers: HeaderMap = headers.collect();
        let limit = limit_of(StatusCode::from_u16(status).unwrap(), &headers, body, NOW)?;
        Some(limit.wait.map(|wait| wait.as_secs()))
    }

    #[test]
    fn a_limit_is_told_from_a_refusal() {
        assert_eq!(limit(403, &[], "Resource not accessible by integration"), None);
        assert_eq!(limit(403, &[("x-ratelimit-remaining", "57"), ("x-ratelimit-reset", "1790000060")], "no"), None);
        assert_eq!(limit(401, &[("retry-after", "3")], ""), None);
        assert_eq!(limit(429, &[], ""), Some(None));
        assert_eq!(limit(429, &[("retry-after", "30")], ""), Some(Some(30)));
        assert_eq!(limit(403, &[("retry-after", "86400")], ""), Some(Some(600)));
        let spent = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1790000060")];
        assert_eq!(limit(403, &spent, ""), Some(Some(60)));
        let past = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1789999000")];
        assert_eq!(limit(403, &past, ""), Some(Some(0)));
        assert_eq!(limit(429, &[("ratelimit-remaining", "0"), ("ratelimit-reset", "12")], ""), Some(Some(12)));
        for words in [
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
            "You have triggered an abuse detection mechanism.",
            "API rate limit exceeded for user ID 1.",
        ] {
            assert_eq!(limit(403, &[], words), Some(None), "{words}");
        }
    }
}
