//! Which proxy leads to an address: one decision for git and for HTTP clients, from the usual variables.

use crate::is_loopback;
use secrecy::SecretString;
use std::net::IpAddr;
use url::{Host, Url};

/// The variables that name proxies. Programs differ in which case they read.
pub const PROXY_VARIABLES: &[&str] =
    &["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"];

/// The proxies that the environment names: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, each also in lower
/// case, which wins.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    http: Option<String>,
    https: Option<String>,
    all: Option<String>,
    direct: String,
}

/// They may contain passwords.
impl std::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxies").field("direct", &self.direct).finish_non_exhaustive()
    }
}

impl Proxies {
    /// Those of this process's environment.
    #[must_use]
    pub fn of_environment() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// Those of any other set of variables.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let given = |name: &str| lookup(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let either = |name: &str| given(&name.to_ascii_lowercase()).or_else(|| given(name));
        Self {
            http: either("HTTP_PROXY"),
            https: either("HTTPS_PROXY"),
            all: either("ALL_PROXY"),
            direct: either("NO_PROXY").unwrap_or_default(),
        }
    }

    /// The proxy on the way to `url`, with its user and password. This machine itself is never reached through one.
    ///
    /// A proxy without a scheme is an `http://` one. What can't be read as an address is returned as it is, so that
    /// the caller can say so.
    #[must_use]
    pub fn of(&self, url: &Url) -> Option<String> {
        let named = if url.scheme() == "https" { &self.https } else { &self.http };
        let proxy = named.as_ref().or(self.all.as_ref())?;
        if is_loopback(url) || self.is_direct(url) {
            return None;
        }
        Some(if proxy.contains("://") { proxy.clone() } else { format!("http://{proxy}") })
    }

    /// What is secret about their addresses, for a [`Mask`](crate::Mask): passwords, as written and as sent.
    #[must_use]
    pub fn secrets(&self) -> Vec<SecretString> {
        [&self.http, &self.https, &self.all].into_iter().flatten().flat_map(|proxy| secrets_of(proxy)).collect()
    }

    fn is_direct(&self, url: &Url) -> bool {
        let Some(host) = url.host() else { return true };
        let port = url.port_or_known_default();
        self.direct
            .split([',', ' '])
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .any(|entry| covers(entry, &host, port))
    }
}

/// The user and password in a proxy's address; the name alone where there is no password, since some proxies take a
/// token as the name.
fn secrets_of(proxy: &str) -> Vec<SecretString> {
    let rest = proxy.split_once("://").map_or(proxy, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let Some((user, _)) = authority.rsplit_once('@') else { return Vec::new() };
    let secret = user.split_once(':').map_or(user, |(_, password)| password);
    // The header of a request has both together, in base64.
    [secret.to_owned(), percent_decoded(secret), percent_decoded(user)].map(SecretString::from).into()
}

fn percent_decoded(text: &str) -> String {
    let text = format!("t={}", text.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(text.as_bytes()).map(|(_, value)| value.into_owned()).collect()
}

/// Whether an entry of `NO_PROXY` means the host: `*`, a name and all names below it, an address, or a network.
fn covers(entry: &str, host: &Host<&str>, port: Option<u16>) -> bool {
    if entry == "*" {
        return true;
    }
    match host {
        Host::Ipv4(ip) => covers_address(entry, IpAddr::V4(*ip), port),
        Host::Ipv6(ip) => covers_address(entry, IpAddr::V6(*ip), port),
        Host::Domain(name) => {
            let (entry, wanted) = with_port(entry);
            let entry = entry.trim_start_matches('*').trim_matches('.').to_ascii_lowercase();
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let below = name.strip_suffix(entry.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
            !entry.is_empty() && below && wanted.is_none_or(|wanted| Some(wanted) == port)
        }
    }
}

fn with_port(entry: &str) -> (&str, Option<u16>) {
    match entry.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

fn covers_address(entry: &str, ip: IpAddr, port: Option<u16>) -> bool {
    let (host, wanted) = with_port(entry);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(named) = host.parse::<IpAddr>() {
        return named == ip && wanted.is_none_or(|wanted| Some(wanted) == port);
    }
    let Some((network, bits)) = entry.split_once('/') else { return false };
    match (network.parse::<IpAddr>(), bits.parse::<u32>(), ip) {
        (Ok(IpAddr::V4(network)), Ok(bits @ 0..=32), IpAddr::V4(ip)) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(network) & mask == u32::from(ip) & mask
        }
        (Ok(IpAddr::V6(network)), Ok(bits @ 0..=128), IpAddr::V6(ip)) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            u128::from(network) & mask == u128::from(ip) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let lookup = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Proxies::from_variables(lookup).of(&url.parse().unwrap())
    }

    #[test]
    fn each_scheme_has_its_proxy_and_lower_case_wins() {
        let both =
            [("HTTPS_PROXY", "http://u:p@upper:1"), ("HTTP_PROXY", "plain:2"), ("https_proxy", "http://lower:3")];
        assert_eq!(proxy(&both, "https://git.example/a").as_deref(), Some("http://lower:3"));
        assert_eq!(proxy(&both[..2], "https://git.example/a").as_deref(), Some("http://u:p@upper:1"));
        assert_eq!(proxy(&both, "http://git.example/a").as_deref(), Some("http://plain:2"));
        assert_eq!(proxy(&[("all_proxy", "any:4")], "https://git.example").as_deref(), Some("http://any:4"));
        assert_eq!(proxy(&[("HTTPS_PROXY", " ")], "https://git.example"), None);
    }

    #[test]
    fn no_proxy_means_names_below_addresses_networks_and_always_loopback() {
        for (direct, url, goes_direct) in [
            ("", "https://git.example", false),
            ("", "http://127.0.0.1:80", true),
            ("", "https://localhost", true),
            ("*", "https://git.example", true),
            ("git.example", "https://git.example", true),
            ("example", "https://git.example", true),
            (".example", "https://git.example", true),
            ("*.example", "https://GIT.example", true),
            ("t.example", "https://git.example", false),
            ("a.example, git.example", "https://git.example", true),
            ("git.example:8443", "https://git.example:8443", true),
            ("git.example:8443", "https://git.example", false),
            ("10.0.0.0/8", "https://10.1.2.3", true),
            ("10.0.0.0/8", "https://11.1.2.3", false),
            ("0.0.0.0/0", "https://11.1.2.3", true),
            ("10.1.2.3", "https://10.1.2.3:8443", true),
            ("fd00::/8", "https://[fd00::1]", true),
            ("fd00::1", "https://[fd00::1]", true),
            ("fd00::2", "https://[fd00::1]", false),
            ("10.0.0.0/99", "https://10.1.2.3", false),
        ] {
            let variables = [("ALL_PROXY", "http://p:1"), ("NO_PROXY", direct)];
            assert_eq!(proxy(&variables, url).is_none(), goes_direct, "{direct} {url}");
        }
    }

    #[test]
    fn passwords_are_masked_as_they_are_written_and_as_they_are_sent() {
        let proxies = Proxies::from_variables(|name| match name {
            "HTTPS_PROXY" => Some("http://ann:pa%20ss+w&ord@proxy:1/".into()),
            "http_proxy" => Some("token-as-name@proxy:2".into()),
            "ALL_PROXY" => Some("http://proxy:3".into()),
            _ => None,
        });
        let mask = crate::Mask::new(&proxies.secrets());
        // What a request has: "ann:pa ss+w&ord".
        let text = "pa%20ss+w&ord, pa ss+w&ord, YW5uOnBhIHNzK3cmb3Jk, token-as-name, proxy";
        assert_eq!(mask.apply(text), "[secret], [secret], [secret], [secret], proxy");
    }

    #[test]
    fn a_password_is_not_in_debug() {
        let proxies = Proxies::from_variables(|_| Some("http://u:hunter2@p".into()));
        assert!(!format!("{:?}", Proxies { direct: String::new(), ..proxies }).contains("hunter2"));
    }
}
