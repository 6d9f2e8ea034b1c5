//! Whether the forge accepts a token, and what the token may do with a repository.

use super::{Probed, Said, client, host, moved, send};
use reqwest::StatusCode;
use secrecy::SecretString;
use terarchitect_outbound::endpoint;
use url::Url;

/// The forge's API, and the token for it.
#[derive(Clone, Debug)]
pub struct ForgeProbe {
    /// The base of its REST API.
    pub api: Url,
    /// The token.
    pub token: Option<SecretString>,
}

/// What the forge says about a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryFacts {
    /// Whether the token may push; none where it does not say.
    pub may_push: Option<bool>,
    /// Whether nothing can be changed any more.
    pub is_archived: bool,
    /// Whether the token's scopes allow pull requests; none for tokens that do not tell their scopes.
    pub may_open_pulls: Option<bool>,
}

impl ForgeProbe {
    /// Asks whose token it is.
    pub async fn who(&self) -> Probed {
        if self.token.is_none() {
            return Probed::bad("No token is set: set github_agent_token.");
        }
        match self.get("user").await {
            Err(probed) => probed,
            Ok(said) => match (said.status, said.json.as_ref().and_then(|json| json["login"].as_str())) {
                (status, Some(login)) if status.is_success() => {
                    Probed::good(format!("{} accepts the token; it belongs to {login}.", host(&self.api)))
                }
                _ => self.refused(&said),
            },
        }
    }

    /// Asks for a repository.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub async fn repository(&self, owner: &str, name: &str) -> Result<RepositoryFacts, Probed> {
        let said = self.get(&format!("repos/{owner}/{name}")).await?;
        let Some(json) = said.json.as_ref().filter(|_| said.status.is_success()) else {
            return Err(if said.status == StatusCode::NOT_FOUND {
                let sentence = format!(
                    "{} does not know {owner}/{name}, or the token may not see it; check the address and the token's access.",
                    host(&self.api)
                );
                Probed::bad(sentence).because(said.message)
            } else {
                self.refused(&said)
            });
        };
        let scopes = said.headers.get("x-oauth-scopes").and_then(|scopes| scopes.to_str().ok());
        let is_private = json["private"].as_bool().unwrap_or(true);
        let allows = |scopes: &str| {
            scopes.split(',').map(str::trim).any(|scope| scope == "repo" || (scope == "public_repo" && !is_private))
        };
        Ok(RepositoryFacts {
            may_push: json["permissions"]["push"].as_bool(),
            is_archived: json["archived"].as_bool().unwrap_or(false),
            may_open_pulls: scopes.filter(|scopes| !scopes.is_empty()).map(allows),
        })
    }

    async fn get(&self, path: &str) -> Result<Said, Probed> {
        let url = endpoint(&self.api, path);
        let request = client()?.get(url.clone()).header("accept", "application/vnd.github+json");
        let said = send(request, &url, self.token.as_ref()).await?;
        match moved(&said, &url) {
            Some(moved) => Err(moved),
            None => Ok(said),
        }
    }

    fn refused(&self, said: &Said) -> Probed {
        let (host, status) = (host(&self.api), said.status.as_u16());
        let sentence = match said.status {
            StatusCode::UNAUTHORIZED if self.token.is_some() => {
                format!("{host} refused the token ({status}); it is wrong or has expired: set github_agent_token.")
            }
            StatusCode::UNAUTHORIZED => format!("{host} wants a token ({status}); set github_agent_token."),
            StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => {
                format!("{host} denied the request ({status}): the token's permissions or a rate limit forbid it.")
            }
            other if other.is_server_error() => format!("{host} was reached, but failed with {status}."),
            _ => format!("{host} answers, but not as GitHub's API does ({status}); check GITHUB_API_URL."),
        };
        Probed::bad(sentence).because(said.message.clone())
    }
}
