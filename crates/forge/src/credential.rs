//! A token and the one host that it is for.

use crate::ForgeError;
use secrecy::SecretString;
use url::Url;

/// A token that is only ever sent to its own host.
#[derive(Clone, Debug)]
pub struct Credential {
    home: String,
    name: String,
    secret: SecretString,
}

impl Credential {
    /// A token for `home`: a host as it is in addresses of its repositories, with its port where it has one of its own.
    /// `name` says in messages which token it is, such as `GITHUB_TOKEN`.
    #[must_use]
    pub fn new(home: &str, name: &str, secret: SecretString) -> Self {
        Self { home: home.trim().to_ascii_lowercase(), name: name.to_owned(), secret }
    }

    /// A token for the host of this API itself.
    #[must_use]
    pub fn of_api(api: &Url, name: &str, secret: SecretString) -> Self {
        Self::new(&authority(api), name, secret)
    }

    /// The host that it is for.
    #[must_use]
    pub fn home(&self) -> &str {
        &self.home
    }

    /// What it is called in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it may be sent to this address. GitHub's own APIs have a name of their own beside their repositories':
    /// `api.github.com`, `api.NAME.ghe.com`.
    #[must_use]
    pub fn covers(&self, url: &Url) -> bool {
        let authority = authority(url);
        let is_api_of_home = (self.home == "github.com" || self.home.ends_with(".ghe.com"))
            && authority.strip_prefix("api.") == Some(&self.home);
        authority == self.home || is_api_of_home
    }

    /// The token, for an address of its own host.
    ///
    /// # Errors
    /// The address is at another host.
    pub fn secret_for(&self, url: &Url) -> Result<&SecretString, ForgeError> {
        if self.covers(url) {
            return Ok(&self.secret);
        }
        Err(ForgeError::OtherHost { name: self.name.clone(), home: self.home.clone(), host: authority(url) })
    }
}

/// The host of an address in lower case, with its port unless it is the scheme's own.
pub(crate) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
    url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_one_host() {
        let covers = |home: &str, url: &str| Credential::new(home, "T", "t".into()).covers(&url.parse().unwrap());
        assert!(covers("github.com", "https://api.github.com/repos"));
        assert!(covers("acme.ghe.com", "https://api.acme.ghe.com"));
        assert!(covers("Git.Example", "https://git.example/api/v4"));
        assert!(covers("git.example:3000", "http://git.example:3000/api/v1"));
        assert!(!covers("git.example", "https://git.example:3000/api/v1"));
        assert!(!covers("git.example", "https://api.git.example"));
        assert!(!covers("github.com", "https://api.github.com.evil.example"));
        assert!(!covers("github.com", "https://gitlab.com/api/v4"));
    }

    #[test]
    fn another_host_gets_a_sentence_and_no_token() {
        let credential = Credential::new("github.com", "the credential 'bot'", "sesame".into());
        let error = credential.secret_for(&"https://gitlab.com/api/v4".parse().unwrap()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the credential 'bot' is for github.com, and is not sent to gitlab.com: add a token that is for gitlab.com"
        );
        assert!(!format!("{credential:?}").contains("sesame"));
    }
}
