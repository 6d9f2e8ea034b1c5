//! Where pull requests are opened: one seam, [`Forge`], and GitHub behind it.
//!
//! It knows nothing of git: a branch must have been pushed before a pull request is opened for it. How forges limit
//! requests is the same for both, so it is here.

mod github;
mod limit;
mod redirects;

pub use github::GitHub;
pub use limit::{LONGEST_WAIT, Limit, Standing, standing_at};

use async_trait::async_trait;
use secrecy::SecretString;
use url::Url;

/// A repository at a forge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// The host in its address, in lower case; a file's address has none.
    pub host: Option<String>,
    /// Its owner.
    pub owner: String,
    /// Its name, without `.git`.
    pub name: String,
}

/// A pull request to open.
#[derive(Clone, Debug)]
pub struct NewPull {
    /// The branch with the change.
    pub head: String,
    /// The branch that it should be merged into.
    pub base: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub body: String,
}

/// A pull request that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPull {
    /// Its page, for people.
    pub url: String,
    /// Its number.
    pub number: i64,
    /// Whether it was open before.
    pub reused: bool,
}

/// A repository whose forge has pull requests.
#[async_trait]
pub trait Forge: Send + Sync {
    /// Opens a pull request, or finds the one that is already open for the branch.
    async fn open_pull(&self, pull: &NewPull) -> Result<OpenPull, ForgeError>;
}

/// Why a pull request could not be opened. Each is a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// There is no token.
    #[error("a pull request needs a token: set GITHUB_TOKEN, or github_agent_token in the settings")]
    NoToken,
    /// The token is wrong, or has no permission.
    #[error(
        "{host} denied access ({message}): check that GITHUB_TOKEN may read and write the repository's pull requests"
    )]
    Denied {
        /// The forge.
        host: String,
        /// Its message.
        message: String,
    },
    /// The forge did not accept the request.
    #[error("{host} did not accept the pull request: {message}")]
    Refused {
        /// The forge.
        host: String,
        /// Its message.
        message: String,
    },
    /// The forge could not be reached, or failed, even after several tries.
    #[error("{host} is unavailable even after several tries ({message}): try again later")]
    Unavailable {
        /// The forge.
        host: String,
        /// What happened at the last try.
        message: String,
    },
}

impl ForgeError {
    /// Whether the forge failed rather than the request, so that it may work later.
    #[must_use]
    pub fn is_infrastructure(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Whether a setting is wrong, so that retrying cannot help before a person changes it.
    #[must_use]
    pub fn is_misconfiguration(&self) -> bool {
        matches!(self, Self::NoToken | Self::Denied { .. })
    }
}

/// The forge of a repository, if it is a known one: github.com, or any host where the address of GitHub's `api` is
/// given.
///
/// # Errors
/// The forge is known, but there is no token for it.
pub fn forge_of(
    repository: Repository,
    api: Option<&Url>,
    token: Option<&SecretString>,
) -> Result<Option<Box<dyn Forge>>, ForgeError> {
    let api = match (api, repository.host.as_deref()) {
        (Some(api), _) => api.clone(),
        (None, Some("github.com" | "www.github.com")) => github::public_api(),
        (None, _) => return Ok(None),
    };
    let token = token.ok_or(ForgeError::NoToken)?.clone();
    Ok(Some(Box::new(GitHub::new(api, repository.owner, repository.name, token)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_forge_needs_a_token() {
        let at = |host: &str| Repository { host: Some(host.to_owned()), owner: "o".into(), name: "r".into() };
        assert!(forge_of(at("git.example"), None, None).unwrap().is_none());
        assert!(matches!(forge_of(at("github.com"), None, None), Err(ForgeError::NoToken)));
        let api = Url::parse("https://git.example/api/v3").unwrap();
        assert!(matches!(forge_of(at("git.example"), Some(&api), None), Err(ForgeError::NoToken)));
        let token = SecretString::from("t");
        assert!(forge_of(at("git.example"), Some(&api), Some(&token)).unwrap().is_some());
    }
}
