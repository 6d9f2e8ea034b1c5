//! The forge's token, and the one host that it is for.

use secrecy::SecretString;
use url::Url;

/// A token that is only ever offered to its own host.
#[derive(Clone, Debug)]
pub struct ForgeToken {
    secret: SecretString,
    home: TokenHome,
}

/// The host that a token is for, with its port: another port is another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHome {
    host: String,
    port: Option<u16>,
    /// Whether it may also be sent without encryption.
    plain: bool,
}

impl TokenHome {
    /// The host that `named` says (a host, or an address with its scheme); else the one of GitHub's `api`; else
    /// github.com. None where `named` is neither.
    #[must_use]
    pub fn find(named: Option<&str>, api: Option<&Url>) -> Option<Self> {
        let url = match (named, api) {
            (Some(text), _) if text.contains("://") => Url::parse(text).ok()?,
            (Some(host), _) => Url::parse(&format!("https://{host}")).ok()?,
            (None, Some(api)) => api.clone(),
            (None, None) => return Some(Self { host: "github.com".into(), port: None, plain: false }),
        };
        let host = url.host_str()?;
        // GitHub's own APIs have a name below that of their repositories: api.github.com, api.NAME.ghe.com.
        let host = match host.strip_prefix("api.") {
            Some(rest) if named.is_none() && (rest == "github.com" || rest.ends_with(".ghe.com")) => rest,
            _ => host,
        };
        Some(Self { host: host.to_ascii_lowercase(), port: url.port(), plain: url.scheme() == "http" })
    }

    /// Its host, with its port where that is not the scheme's own.
    #[must_use]
    pub fn host(&self) -> String {
        self.port.map_or_else(|| self.host.clone(), |port| format!("{}:{port}", self.host))
    }

    /// Whether the token may be sent to this address.
    #[must_use]
    pub fn covers(&self, url: &Url) -> bool {
        let encrypted = url.scheme() == "https" || (url.scheme() == "http" && self.plain);
        let is_host = url.host_str().is_some_and(|host| host.eq_ignore_ascii_case(&self.host));
        encrypted && is_host && url.port() == self.port
    }
}

impl ForgeToken {
    /// A token and its host.
    #[must_use]
    pub const fn new(secret: SecretString, home: TokenHome) -> Self {
        Self { secret, home }
    }

    /// The token, for an address of its own host; none for any other.
    #[must_use]
    pub fn secret_for(&self, url: &Url) -> Option<&SecretString> {
        self.home.covers(url).then_some(&self.secret)
    }

    /// The host that it is for.
    #[must_use]
    pub fn host(&self) -> String {
        self.home.host()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_one_home() {
        let covers = |named: Option<&str>, api: Option<&str>, url: &str| {
            let api = api.map(|api| api.parse().unwrap());
            TokenHome::find(named, api.as_ref()).unwrap().covers(&url.parse().unwrap())
        };
        let enterprise = Some("https://git.example/api/v3");
        for (named, api, url, goes) in [
            (None, None, "https://github.com/o/r", true),
            (None, None, "https://GitHub.com/o/r", true),
            (None, None, "http://github.com/o/r", false),
            (None, None, "https://github.com.evil.example/o/r", false),
            (None, None, "https://evil.example/github.com/r", false),
            (None, None, "https://github.com@evil.example/r", false),
            (None, None, "https://evilgithub.com/o/r", false),
            (None, None, "https://sub.github.com/o/r", false),
            (None, Some("https://api.github.com"), "https://github.com/o/r", true),
            (None, Some("https://api.octo.ghe.com"), "https://octo.ghe.com/o/r", true),
            (None, enterprise, "https://git.example/o/r", true),
            (None, enterprise, "https://git.example:443/o/r", true),
            (None, enterprise, "https://git.example:8443/o/r", false),
            (None, Some("https://git.example:8443/api/v3"), "https://git.example:8443/o/r", true),
            (None, Some("https://git.example:8443/api/v3"), "https://git.example/o/r", false),
            (Some("git.example:8443"), None, "https://git.example:8443/o/r", true),
            (Some("git.example"), None, "https://git.example:8443/o/r", false),
            (Some("http://gitea.local:3000"), None, "https://gitea.local/o/r", false),
            (None, enterprise, "https://github.com/o/r", false),
            (None, enterprise, "http://git.example/o/r", false),
            (None, Some("http://127.0.0.1:3000"), "http://127.0.0.1:3000/o/r", true),
            (Some("gitlab.example"), None, "https://gitlab.example/o/r", true),
            (Some("gitlab.example"), enterprise, "https://git.example/o/r", false),
            (Some("gitlab.example"), None, "http://gitlab.example/o/r", false),
            (Some("http://gitea.local:3000"), None, "http://gitea.local:3000/o/r", true),
        ] {
            assert_eq!(covers(named, api, url), goes, "{named:?} {api:?} {url}");
        }
        assert_eq!(TokenHome::find(Some("not a host"), None), None);
    }
}
