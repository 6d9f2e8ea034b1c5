//! Addresses as they are reached from inside a container.

use url::Url;

/// A value whose URL is reached from where this machine's localhost is called `host`, such as `host.docker.internal` in
/// a container. A URL of another machine, and a value that is no URL, come back as they are.
#[must_use]
pub fn reachable_as(value: &str, host: &str) -> String {
    let Ok(mut url) = value.parse::<Url>() else { return value.to_owned() };
    let is_loopback = match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unspecified(),
        None => false,
    };
    if !is_loopback || !matches!(url.scheme(), "http" | "https") || url.set_host(Some(host)).is_err() {
        return value.to_owned();
    }
    // `http://host` comes back as `http://host/`; some APIs mind.
    let text = url.to_string();
    if value.ends_with('/') { text } else { text.trim_end_matches('/').to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_gets_its_name_inside_a_container() {
        let inside = |value: &str| reachable_as(value, "host.docker.internal");
        assert_eq!(inside("http://localhost:1234/v1"), "http://host.docker.internal:1234/v1");
        assert_eq!(inside("http://127.0.0.1:80"), "http://host.docker.internal");
        assert_eq!(inside("http://[::1]:8080/"), "http://host.docker.internal:8080/");
        assert_eq!(inside("https://api.example/v1"), "https://api.example/v1");
        assert_eq!(inside("gpt-localhost"), "gpt-localhost");
    }
}
