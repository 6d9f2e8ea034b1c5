//! The seam to forges: one trait, [`Forge`], with GitHub, GitLab, and Gitea (also Forgejo) behind it, each in its own
//! dialect. What they say is read leniently, and becomes the same types and the same few errors.
//!
//! A token is bound to a host ([`Credential`]) and goes to that host's API alone, whatever redirects or links to next
//! pages say. How forges limit requests is the same for all, so it is here too, also for git.
//!
//! It knows nothing of git: a branch must have been pushed before a pull request is opened for it.

mod changes;
mod credential;
mod drafts;
mod error;
mod find;
mod gitea;
mod github;
mod gitlab;
mod http;
mod limit;
mod marker;
mod own;
mod seam;
mod types;
mod when;

pub use credential::Credential;
pub use error::{Conflict, ForgeError};
pub use find::{Kind, Place, api_of, find_kind, repository_at};
pub use gitea::Gitea;
pub use github::GitHub;
pub use gitlab::GitLab;
pub use http::Patience;
pub use limit::{LONGEST_WAIT, Limit, Standing, standing_at};
pub use marker::{marked, marker, marker_in};
pub use seam::Forge;
pub use types::{
    About, Account, Changes, Check, CheckState, Comment, Commit, Conditional, EditPull, Hook, HookEvent, Issue,
    Mergeable, Merged, Method, NewPull, NewStatus, OpenPull, Permission, Pull, PullState, Reaction, Ref, Remark,
    Repository, Review, ReviewState, Side, Thread,
};

use secrecy::SecretString;
use url::Url;

/// What the token of a runner is called.
const RUNNERS_TOKEN: &str = "GITHUB_TOKEN";

/// The forge of a repository.
///
/// # Errors
/// The token is for another host, or the HTTP client could not be set up.
pub fn connect(place: Place, credential: &Credential, patience: Patience) -> Result<Box<dyn Forge>, ForgeError> {
    let Place { kind, api, repository } = place;
    Ok(match kind {
        Kind::GitHub => Box::new(GitHub::new(api, repository, credential, patience)?),
        Kind::GitLab => Box::new(GitLab::new(api, repository, credential, patience)?),
        Kind::Gitea => Box::new(Gitea::new(api, repository, credential, patience)?),
    })
}

/// The forge of a repository for a runner, if it is a known one: github.com, or any host where the address of GitHub's
/// `api` is given. The token is for that API.
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
        (None, Some("github.com" | "www.github.com")) => {
            Url::parse("https://api.github.com").expect("a constant address parses")
        }
        (None, _) => return Ok(None),
    };
    let token = token.ok_or(ForgeError::NoToken)?.clone();
    let credential = Credential::of_api(&api, RUNNERS_TOKEN, token);
    connect(Place { kind: Kind::GitHub, api, repository }, &credential, Patience::LONG).map(Some)
}

/// A runner's token, as far as it may be sent: it is for one host.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    /// It, if it is for the repository's host.
    pub for_host: Option<&'a SecretString>,
    /// It, if it is for GitHub's API.
    pub for_api: Option<&'a SecretString>,
}

/// The forge of a repository for a runner, of whichever kind it is. `kind` is what a person has set, and `api` is that of
/// GitHub where one is set: it is meant where the repository is at the same host, or at one that is of no other kind. None:
/// there is no forge.
///
/// # Errors
/// There is a forge, and no token for it.
pub async fn forge_at(
    address: &str,
    repository: Repository,
    kind: Option<Kind>,
    api: Option<&Url>,
    tokens: Tokens<'_>,
) -> Result<Option<Box<dyn Forge>>, ForgeError> {
    let host = repository.host.as_deref();
    // An address for SSH has no port of the API's.
    let of_address = Url::parse(address).ok().filter(|url| url.scheme().starts_with("http"));
    let is_at_api = api.is_some_and(|api| match &of_address {
        Some(url) => credential::authority(url) == credential::authority(api),
        None => api.host_str() == host,
    });
    let is_github = kind == Some(Kind::GitHub) || (kind.is_none() && (is_at_api || host == Some("github.com")));
    if is_github && (api.is_some() || matches!(host, Some("github.com" | "www.github.com"))) {
        return forge_of(repository, api, tokens.for_api);
    }
    match find_kind(address, kind).await {
        Ok(place) => {
            let token = tokens.for_host.ok_or(ForgeError::NoToken)?.clone();
            let credential = Credential::of_api(&place.api, RUNNERS_TOKEN, token);
            connect(place, &credential, Patience::LONG).map(Some)
        }
        // Nothing that is known as a forge is there, unless it is behind GitHub's API.
        Err(ForgeError::Unsupported { .. } | ForgeError::Unavailable { .. }) if kind.is_none() => {
            forge_of(repository, api, tokens.for_api)
        }
        Err(error) => Err(error),
    }
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

    #[tokio::test]
    async fn a_runners_token_goes_to_the_host_that_it_is_for() {
        let (host, other) = (SecretString::from("host"), SecretString::from("api"));
        let api = Url::parse("http://127.0.0.1:1/api/v3").unwrap();
        let found = async |address: &str, kind, api: Option<&Url>, for_host, for_api| {
            let repository = Repository { owner: "o".into(), name: "r".into(), ..repository_at(address).unwrap().1 };
            forge_at(address, repository, kind, api, Tokens { for_host, for_api }).await
        };
        let gitlab = found("https://gitlab.com/o/r", None, Some(&api), Some(&host), None).await.unwrap().unwrap();
        assert_eq!(gitlab.kind(), Kind::GitLab);
        let without = found("https://gitlab.com/o/r", None, Some(&api), None, Some(&other)).await;
        assert!(matches!(without, Err(ForgeError::NoToken)));
        let gitea = found("https://git.example/o/r", Some(Kind::Gitea), None, Some(&host), None).await;
        assert_eq!(gitea.unwrap().unwrap().kind(), Kind::Gitea);
        let github = found("http://127.0.0.1:2/o/r", None, Some(&api), None, Some(&other)).await.unwrap().unwrap();
        assert_eq!(github.kind(), Kind::GitHub);
    }
}
