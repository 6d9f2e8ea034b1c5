//! Which forge is behind a repository's address: known hosts by their name, others by what they say about themselves.

use crate::ForgeError;
use crate::credential::authority;
use crate::http::{Patience, plain};
use crate::types::Repository;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::str::FromStr;
use url::Url;

/// A kind of forge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// GitHub, and GitHub Enterprise Server.
    GitHub,
    /// GitLab.
    GitLab,
    /// Gitea, and Forgejo.
    Gitea,
}

impl Kind {
    /// Its name in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Gitea => "gitea",
        }
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "github" => Ok(Self::GitHub),
            "gitlab" => Ok(Self::GitLab),
            "gitea" | "forgejo" => Ok(Self::Gitea),
            _ => Err(()),
        }
    }
}

/// A repository and the API that it is called through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The kind of forge.
    pub kind: Kind,
    /// The base of its API.
    pub api: Url,
    /// The repository.
    pub repository: Repository,
}

/// The repository that an address names, and its host's address.
///
/// # Errors
/// The address is not one of a repository over HTTP.
pub fn repository_at(address: &str) -> Result<(Url, Repository), ForgeError> {
    let unsupported =
        |host: &str, message: &str| ForgeError::Unsupported { host: host.to_owned(), message: message.to_owned() };
    let address = address.trim();
    let is_ssh =
        address.starts_with("ssh://") || (!address.contains("://") && address.contains('@') && address.contains(':'));
    if is_ssh {
        let host = address.trim_start_matches("ssh://").split('@').next_back().unwrap_or_default();
        let host = host.split([':', '/']).next().unwrap_or_default();
        return Err(unsupported(host, "the address is one for SSH; enter the one that starts with https://"));
    }
    let Some(url) = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    else {
        return Err(unsupported(
            "this address",
            "it is not one of a repository; enter one such as https://host/owner/name",
        ));
    };
    let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
    if let Some(message) = refused(&host) {
        return Err(unsupported(&host, message));
    }
    let path = url.path().trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let (owner, name) = path.rsplit_once('/').unwrap_or_default();
    let parts = owner.split('/').chain([name]);
    if parts.clone().any(str::is_empty) || !parts.clone().all(is_plain) {
        return Err(unsupported(&host, "the address names no repository; enter one such as https://host/owner/name"));
    }
    let repository = Repository { host: Some(host), owner: owner.to_owned(), name: name.to_owned() };
    let mut root = url.clone();
    root.set_path("/");
    root.set_query(None);
    root.set_fragment(None);
    // A password in the address is not ours to use; these can't fail where there is a host.
    let _ = root.set_username("");
    let _ = root.set_password(None);
    Ok((root, repository))
}

/// Whether a part of the path is a name as it is.
fn is_plain(part: &str) -> bool {
    part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~".contains(c)) && part != "-"
}

/// Forges that are known not to work.
fn refused(host: &str) -> Option<&'static str> {
    let is_at = |domain: &str| host == domain || host.ends_with(&format!(".{domain}"));
    if is_at("bitbucket.org") {
        return Some("Bitbucket is not supported; move the repository to GitHub, GitLab, Gitea or Forgejo");
    }
    if is_at("dev.azure.com") || is_at("visualstudio.com") {
        return Some("Azure DevOps is not supported; move the repository to GitHub, GitLab, Gitea or Forgejo");
    }
    None
}

/// The base of the API that a kind of forge has at a host.
#[must_use]
pub fn api_of(kind: Kind, root: &Url) -> Url {
    let mut api = root.clone();
    let host = root.host_str().unwrap_or_default();
    let own = host == "github.com" || host == "www.github.com" || host.ends_with(".ghe.com");
    match kind {
        Kind::GitHub if own => {
            let name = format!("api.{}", host.trim_start_matches("www."));
            // It can't fail: the host is a name.
            let _ = api.set_host(Some(&name));
        }
        Kind::GitHub => api.set_path("/api/v3"),
        Kind::GitLab => api.set_path("/api/v4"),
        Kind::Gitea => api.set_path("/api/v1"),
    }
    api
}

/// Finds which forge is behind a repository's address. No token is sent. `kind` is what a person has set.
///
/// # Errors
/// The address is not one of a repository, its forge is not supported, or the host does not respond.
pub async fn find_kind(address: &str, kind: Option<Kind>) -> Result<Place, ForgeError> {
    let (root, repository) = repository_at(address)?;
    let kind = match kind.or_else(|| known(root.host_str().unwrap_or_default())) {
        Some(kind) => kind,
        None => ask(&root).await?,
    };
    if kind != Kind::GitLab && repository.owner.contains('/') {
        return Err(ForgeError::Unsupported {
            host: authority(&root),
            message: "the address has more parts than an owner and a name; enter the repository's own".to_owned(),
        });
    }
    Ok(Place { kind, api: api_of(kind, &root), repository })
}

fn known(host: &str) -> Option<Kind> {
    match host.to_ascii_lowercase().as_str() {
        "github.com" | "www.github.com" => Some(Kind::GitHub),
        "gitlab.com" => Some(Kind::GitLab),
        "codeberg.org" | "gitea.com" => Some(Kind::Gitea),
        host if host.ends_with(".ghe.com") => Some(Kind::GitHub),
        _ => None,
    }
}

/// Asks a host what it is: each kind says its version at an address of its own, or asks for a token there in its own way.
async fn ask(root: &Url) -> Result<Kind, ForgeError> {
    let at = |path: &str| {
        let mut url = root.clone();
        url.set_path(path);
        url
    };
    let (gitea, github, gitlab) = tokio::try_join!(
        plain(at("/api/v1/version"), Patience::SHORT),
        plain(at("/api/v3/meta"), Patience::SHORT),
        plain(at("/api/v4/version"), Patience::SHORT),
    )?;
    let says = |json: &Value, key: &str, part: &str| json[key].as_str().is_some_and(|text| text.contains(part));
    let json = gitea.json();
    if (gitea.status.is_success() && json["version"].is_string()) || says(&json, "url", "/api/swagger") {
        return Ok(Kind::Gitea);
    }
    let json = github.json();
    let is_github =
        github.header("x-github-request-id").is_some() || github.header("x-github-enterprise-version").is_some();
    if is_github || json["installed_version"].is_string() || json["verifiable_password_authentication"].is_boolean() {
        return Ok(Kind::GitHub);
    }
    let json = gitlab.json();
    let asks_for_token = gitlab.status.as_u16() == 401 && (says(&json, "message", "401") || json["error"].is_string());
    if asks_for_token
        || gitlab.header("x-gitlab-meta").is_some()
        || (gitlab.status.is_success() && json["version"].is_string())
    {
        return Ok(Kind::GitLab);
    }
    Err(ForgeError::Unsupported {
        host: authority(root),
        message:
            "it does not say that it is GitHub Enterprise Server, GitLab, Gitea or Forgejo; set the project's forge \
                  kind if it is one of them"
                .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn known_hosts_are_not_asked() {
        for (address, kind, api, owner) in [
            ("https://github.com/o/r.git", Kind::GitHub, "https://api.github.com/", "o"),
            ("https://acme.ghe.com/o/r", Kind::GitHub, "https://api.acme.ghe.com/", "o"),
            ("https://gitlab.com/g/sub/r.git", Kind::GitLab, "https://gitlab.com/api/v4", "g/sub"),
            ("https://codeberg.org/o/r/", Kind::Gitea, "https://codeberg.org/api/v1", "o"),
            ("https://user:secret@gitea.com/o/r", Kind::Gitea, "https://gitea.com/api/v1", "o"),
        ] {
            let place = find_kind(address, None).await.unwrap();
            assert_eq!((place.kind, place.api.as_str(), place.repository.owner.as_str()), (kind, api, owner));
            assert_eq!(place.repository.name, "r");
        }
        let own = find_kind("https://git.example:8443/o/r", Some(Kind::GitHub)).await.unwrap();
        assert_eq!(own.api.as_str(), "https://git.example:8443/api/v3");
    }

    #[tokio::test]
    async fn what_can_not_work_is_refused_with_a_sentence() {
        for (address, words) in [
            ("git@github.com:o/r.git", "one for SSH"),
            ("ssh://git@git.example:22/o/r", "one for SSH"),
            ("https://bitbucket.org/o/r", "Bitbucket"),
            ("https://acme.visualstudio.com/p/_git/r", "Azure DevOps"),
            ("https://dev.azure.com/o/p/_git/r", "Azure DevOps"),
            ("https://github.com/only-owner", "names no repository"),
            ("https://github.com/o/..%2f..%2fuser", "names no repository"),
            ("https://github.com/o/r/pull/7", "more parts"),
            ("/srv/repository", "not one of a repository"),
        ] {
            let error = find_kind(address, None).await.unwrap_err();
            assert!(matches!(error, ForgeError::Unsupported { .. }), "{address}: {error}");
            assert!(error.to_string().contains(words), "{address}: {error}");
        }
    }
}
