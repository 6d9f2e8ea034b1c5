//! Where pull requests are opened. GitHub's REST first; a remote that is no known forge has none.

mod github;

pub use github::GitHub;

use crate::git::RemoteUrl;
use async_trait::async_trait;
use secrecy::SecretString;
use url::Url;

/// A pull request to open.
#[derive(Clone, Debug)]
pub struct NewPull {
    /// The branch with the change.
    pub head: String,
    /// The branch that it should go into.
    pub base: String,
    /// Its title.
    pub title: String,
    /// Its text.
    pub body: String,
}

/// A pull request that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPull {
    /// Where people read it.
    pub url: String,
    /// Its number.
    pub number: i64,
    /// Whether it was open before.
    pub reused: bool,
}

/// A forge that has pull requests.
#[async_trait]
pub trait Forge: Send + Sync {
    /// Opens a pull request, or finds the one that is open for the branch already.
    async fn open_pull(&self, pull: &NewPull) -> Result<OpenPull, ForgeError>;
}

/// Why a pull request could not be opened. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// There is no token.
    #[error(
        "a pull request needs a token; set GITHUB_TOKEN, or github_agent_token in the settings; the branch is pushed"
    )]
    NoToken,
    /// The token is refused or may not.
    #[error(
        "{host} refuses to open a pull request ({message}); check that the token may write pull requests of the repository; the branch is pushed"
    )]
    Denied {
        /// The forge.
        host: String,
        /// What it said.
        message: String,
    },
    /// The request is refused.
    #[error("{host} can't open the pull request: {message}; the branch is pushed")]
    Refused {
        /// The forge.
        host: String,
        /// What it said.
        message: String,
    },
    /// The forge can't be reached or fails.
    #[error("{host} does not answer properly ({message}); the branch is pushed, try again later")]
    Unavailable {
        /// The forge.
        host: String,
        /// What happened.
        message: String,
    },
}

impl ForgeError {
    /// The exit code that this failure asks for.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoToken | Self::Denied { .. } => 2,
            Self::Refused { .. } => 1,
            Self::Unavailable { .. } => 75,
        }
    }
}

/// The forge of a repository, if it is a known one: github.com, or whatever `GITHUB_API_URL` is for.
///
/// # Errors
/// When it is a known one and there is no token for it.
pub fn forge_of(
    url: &RemoteUrl,
    api: Option<&Url>,
    token: Option<&SecretString>,
) -> Result<Option<Box<dyn Forge>>, ForgeError> {
    let Some((owner, name)) = url.owner_and_name() else { return Ok(None) };
    let api = match api {
        Some(api) => api.clone(),
        None if url.host().is_some_and(|host| matches!(host, "github.com" | "www.github.com")) => github::public_api(),
        None => return Ok(None),
    };
    let token = token.ok_or(ForgeError::NoToken)?.clone();
    Ok(Some(Box::new(GitHub::new(api, owner, name, token)?)))
}
