//! GitHub's REST calls for pull requests, also of GitHub Enterprise Server.

use super::{Forge, ForgeError, NewPull, OpenPull};
use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::time::Duration;
use terarchitect_worker_api::client::{Retry, Waits};
use url::Url;

/// How long a forge that fails is tried.
const PATIENCE: Duration = Duration::from_secs(90);
/// The longest wait that the forge may ask for before the next try.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// One repository at GitHub.
pub struct GitHub {
    http: reqwest::Client,
    api: Url,
    owner: String,
    name: String,
    token: SecretString,
}

/// The API of github.com.
pub(super) fn public_api() -> Url {
    Url::parse("https://api.github.com").expect("a constant address parses")
}

impl GitHub {
    /// The repository `owner/name` at the GitHub whose REST API is at `api`.
    ///
    /// # Errors
    /// When the machine's TLS set-up is unusable.
    pub fn new(api: Url, owner: String, name: String, token: SecretString) -> Result<Self, ForgeError> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .user_agent(concat!("terarchitect/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ForgeError::Unavailable { host: host(&api), message: error.to_string() })?;
        Ok(Self { http, api, owner, name, token })
    }

    async fn call(
        &self,
        method: Method,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), ForgeError> {
        let mut waits = Waits::new(Retry::For(PATIENCE));
        loop {
            let (problem, asked) = match self.try_once(&method, query, body).await {
                Ok((status, _, retry_after)) if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                    (format!("it answered {status}"), retry_after)
                }
                Ok((status, answer, _)) => return Ok((status, answer)),
                Err(error) => (error.without_url().to_string(), None),
            };
            let Some(wait) = waits.next_wait() else {
                return Err(ForgeError::Unavailable { host: host(&self.api), message: problem });
            };
            tracing::warn!(problem, "the forge did not answer properly; trying again");
            tokio::time::sleep(asked.unwrap_or(wait).min(LONGEST_WAIT)).await;
        }
    }

    async fn try_once(
        &self,
        method: &Method,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> reqwest::Result<(StatusCode, Value, Option<Duration>)> {
        let mut url = self.api.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/repos/{}/{}/pulls", self.owner, self.name));
        let mut request = self.http.request(method.clone(), url).query(query).bearer_auth(self.token.expose_secret());
        request = request.header("accept", "application/vnd.github+json").header("x-github-api-version", "2022-11-28");
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status();
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let text = response.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or_default(), retry_after.map(Duration::from_secs)))
    }

    /// The pull request that is open for a branch.
    async fn find_open(&self, head: &str) -> Result<Option<OpenPull>, ForgeError> {
        let head = format!("{}:{head}", self.owner);
        let (status, answer) = self.call(Method::GET, &[("head", &head), ("state", "open")], None).await?;
        if status != StatusCode::OK {
            return Err(self.refusal(status, &answer));
        }
        Ok(answer
            .as_array()
            .and_then(|pulls| pulls.first())
            .and_then(read)
            .map(|pull| OpenPull { reused: true, ..pull }))
    }

    fn refusal(&self, status: StatusCode, answer: &Value) -> ForgeError {
        let host = host(&self.api);
        let mut message = answer["message"].as_str().unwrap_or(status.as_str()).to_owned();
        for detail in answer["errors"].as_array().into_iter().flatten() {
            let text = detail["message"].as_str().map_or_else(|| detail.to_string(), str::to_owned);
            message = format!("{message}: {text}");
        }
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                ForgeError::Denied { host, message }
            }
            _ => ForgeError::Refused { host, message },
        }
    }
}

#[async_trait]
impl Forge for GitHub {
    async fn open_pull(&self, pull: &NewPull) -> Result<OpenPull, ForgeError> {
        let body = json!({"head": pull.head, "base": pull.base, "title": pull.title, "body": pull.body});
        let (status, answer) = self.call(Method::POST, &[], Some(&body)).await?;
        if status == StatusCode::CREATED {
            let refused = || ForgeError::Refused {
                host: host(&self.api),
                message: "it answered something that is no pull request".into(),
            };
            return read(&answer).ok_or_else(refused);
        }
        // One that is open already is what a run that was repeated finds.
        if status == StatusCode::UNPROCESSABLE_ENTITY
            && let Some(open) = self.find_open(&pull.head).await?
        {
            return Ok(open);
        }
        Err(self.refusal(status, &answer))
    }
}

fn read(answer: &Value) -> Option<OpenPull> {
    Some(OpenPull { url: answer["html_url"].as_str()?.to_owned(), number: answer["number"].as_i64()?, reused: false })
}

fn host(api: &Url) -> String {
    api.host_str().unwrap_or("the forge").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use terarchitect_testbed::forge::{Faults, Forge as LocalForge};

    async fn forge_with_branch() -> LocalForge {
        let forge = LocalForge::start().await.unwrap();
        forge.create_repo("demo", "hello", &[("a", "a")]).unwrap();
        forge.git("demo", "hello", &["branch", "ticket-1", "main"]).unwrap();
        forge
    }

    fn github(forge: &LocalForge, token: &str) -> GitHub {
        let api = forge.api_url().parse().unwrap();
        GitHub::new(api, "demo".into(), "hello".into(), SecretString::from(token.to_owned())).unwrap()
    }

    fn pull(head: &str) -> NewPull {
        NewPull { head: head.into(), base: "main".into(), title: "T".into(), body: "B".into() }
    }

    #[tokio::test]
    async fn an_open_pull_request_is_reused() {
        let forge = forge_with_branch().await;
        let github = github(&forge, forge.token());
        let first = github.open_pull(&pull("ticket-1")).await.unwrap();
        assert_eq!((first.number, first.reused), (1, false));
        let again = github.open_pull(&pull("ticket-1")).await.unwrap();
        assert_eq!(again, OpenPull { reused: true, ..first });
        assert_eq!(forge.pulls("demo", "hello").len(), 1);
    }

    #[tokio::test]
    async fn a_forge_that_fails_for_a_moment_is_tried_again() {
        let forge = forge_with_branch().await;
        forge.set_faults(Faults { rest: Some((502, 2)), ..Faults::default() });
        assert!(github(&forge, forge.token()).open_pull(&pull("ticket-1")).await.is_ok());
    }

    #[tokio::test]
    async fn refusals_say_what_is_wrong() {
        let forge = forge_with_branch().await;
        let denied = github(&forge, "wrong").open_pull(&pull("ticket-1")).await.unwrap_err();
        assert!(
            matches!(denied, ForgeError::Denied { .. }) && denied.to_string().contains("Bad credentials"),
            "{denied}"
        );
        let refused = github(&forge, forge.token()).open_pull(&pull("no-such-branch")).await.unwrap_err();
        assert!(matches!(refused, ForgeError::Refused { .. }), "{refused}");
    }
}
