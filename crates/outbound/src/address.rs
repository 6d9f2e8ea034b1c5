//! Addresses: which ones can be called, where an API's calls go, and how they are reached from inside a container.

use url::{Host, Url};

/// The text is not an address that can be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is not an http:// or https:// address")]
pub struct InvalidUrl {
    /// The address as given.
    pub url: String,
}

/// Reads an address that starts with `http://` or `https://` and names a host.
///
/// # Errors
/// The text is not such an address.
pub fn http_url(text: &str) -> Result<Url, InvalidUrl> {
    let url = Url::parse(text.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| InvalidUrl { url: text.to_owned() })
}

/// The base address of an OpenAI-compatible API, given what people write into settings: `chat/completions` and the other
/// calls lie below it. It has no slash at its end.
///
/// People write the host alone (`http://host:8000`), the base (`https://host/v1`, `https://host/openai/v2`), or the
/// whole endpoint (`…/v1/chat/completions`). A bare host gets the customary `/v1`; any other path is kept, since
/// not every API has one.
///
/// # Errors
/// The text is not an `http://` or `https://` address.
pub fn api_base(text: &str) -> Result<Url, InvalidUrl> {
    let mut url = http_url(text)?;
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/chat/completions").unwrap_or(path).trim_end_matches('/');
    let path = if path.is_empty() { "/v1".to_owned() } else { path.to_owned() };
    url.set_path(&path);
    url.set_fragment(None);
    Ok(url)
}

/// The address of a call: `path` below the base's own path. The base's query is kept.
#[must_use]
pub fn endpoint(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}

/// Whether a secret for the server at `from` may follow a redirect to `to`: the same host and port over the same protocol, or
/// from HTTP to HTTPS at the customary ports. Another port is another server.
#[must_use]
pub fn is_same_server(from: &Url, to: &Url) -> bool {
    let ports = (from.port_or_known_default(), to.port_or_known_default());
    let is_upgrade = from.scheme() == "http" && to.scheme() == "https" && ports == (Some(80), Some(443));
    from.host_str() == to.host_str() && (is_upgrade || (from.scheme() == to.scheme() && ports.0 == ports.1))
}

/// Whether the address leads to this machine itself.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unspecified(),
        None => false,
    }
}

/// Whether a value is an address that contains a secret: a password, or a user where that may be a token. The name in an
/// address of SSH says nothing that is secret.
#[must_use]
pub fn has_credentials(value: &str) -> bool {
    let Ok(url) = value.trim().parse::<Url>() else { return false };
    url.password().is_some() || (url.scheme() != "ssh" && url.has_host() && !url.username().is_empty())
}

/// A value in which this machine's localhost is called `host`, such as `host.docker.internal` in a container. The URL of
/// another machine, and a value that is not a URL, are returned unchanged.
#[must_use]
pub fn reachable_as(value: &str, host: &str) -> String {
    let Ok(mut url) = value.parse::<Url>() else { return value.to_owned() };
    if !is_loopback(&url) || !matches!(url.scheme(), "http" | "https") || url.set_host(Some(host)).is_err() {
        return value.to_owned();
    }
    // Parsing turned `http://host` into `http://host/`, which some APIs refuse.
    let text = url.to_string();
    if value.ends_with('/') { text } else { text.trim_end_matches('/').to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_follows_to_its_own_server_alone() {
        let follows = |from: &str, to: &str| is_same_server(&from.parse().unwrap(), &to.parse().unwrap());
        assert!(follows("https://a.example/x", "https://a.example/y"));
        assert!(follows("https://a.example/x", "https://a.example:443/y"));
        assert!(follows("http://a.example/x", "https://a.example/x"));
        assert!(!follows("https://a.example/x", "http://a.example/x"));
        assert!(!follows("https://a.example/x", "https://b.example/x"));
        assert!(!follows("https://a.example/x", "https://a.example:8443/x"));
        assert!(!follows("http://a.example:80/x", "https://a.example:444/x"));
        assert!(!follows("http://a.example:8080/x", "https://a.example/x"));
    }

    #[test]
    fn localhost_gets_its_name_inside_a_container() {
        let inside = |value: &str| reachable_as(value, "host.docker.internal");
        assert_eq!(inside("http://localhost:1234/v1"), "http://host.docker.internal:1234/v1");
        assert_eq!(inside("http://127.0.0.1:80"), "http://host.docker.internal");
        assert_eq!(inside("http://[::1]:8080/"), "http://host.docker.internal:8080/");
        assert_eq!(inside("https://api.example/v1"), "https://api.example/v1");
        assert_eq!(inside("gpt-localhost"), "gpt-localhost");
    }

    #[test]
    fn a_user_or_password_in_an_address_is_a_secret() {
        for value in ["https://u:p@host/r", "https://token@host/r", "socks5://u:p@host", "ssh://git:p@host/r"] {
            assert!(has_credentials(value), "{value}");
        }
        for value in ["https://host/@r", "ssh://git@host/r", "git@host:o/r", "mailto:a@host", "u:p", ""] {
            assert!(!has_credentials(value), "{value}");
        }
    }

    #[test]
    fn every_way_to_write_an_api_gives_the_same_base() {
        for text in [
            "http://host:8000",
            "http://host:8000/",
            "http://host:8000/v1",
            " http://host:8000/v1/ ",
            "http://host:8000/v1/chat/completions",
            "http://host:8000/chat/completions",
        ] {
            assert_eq!(api_base(text).unwrap().as_str(), "http://host:8000/v1", "{text}");
        }
    }

    #[test]
    fn an_api_keeps_its_own_path_and_query() {
        assert_eq!(api_base("https://host/api/paas/v4/").unwrap().as_str(), "https://host/api/paas/v4");
        let base = api_base("https://host/openai?version=2").unwrap();
        assert_eq!(base.as_str(), "https://host/openai?version=2");
        assert_eq!(endpoint(&base, "models").as_str(), "https://host/openai/models?version=2");
    }

    #[test]
    fn what_is_not_a_web_address_is_refused() {
        for text in ["", "host:8000", "localhost/v1", "file:///etc/passwd", "unix:/run/model", "http://"] {
            assert!(http_url(text).is_err() && api_base(text).is_err(), "{text}");
        }
    }
}
