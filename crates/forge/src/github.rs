//! GitHub's REST calls for pull requests, also of GitHub Enterprise Server.

use super::limit::{LONGEST_WAIT, client, limit_of, since_1970};
use super::{Forge, ForgeError, NewPull, OpenPull, redirects};
use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::time::Duration;
use terarchitect_outbound::{Retriable, Retry, Waits, chain, endpoint, retry, retry_after};
use url::Url;

/// For how long a call that fails is retried.
const PATIENCE: Duration = Duration::from_secs(90);

/// For how long a branch that was just pushed may be unknown to the forge's REST calls.
const SETTLING: Duration = Duration::from_secs(30);

/// One repository at GitHub.
pub struct GitHub {
    http: reqwest::Client,
    api: Url,
    owner: String,
    name: String,
    token: SecretString,
    settling: Duration,
}

/// The API of github.com.
pub(super) fn public_api() -> Url {
    Url::parse("https://api.github.com").expect("a constant address parses")
}

impl GitHub {
    /// The repository `owner/name` at the GitHub whose REST API is at `api`.
    ///
    /// # Errors
    /// The HTTP client could not be set up, for example because no CA certificates can be read.
    pub fn new(api: Url, owner: String, name: String, token: SecretString) -> Result<Self, ForgeError> {
        let http = client(&api)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| ForgeError::Unavailable { host: host(&api), message: chain(&error) })?;
        Ok(Self { http, api, owner, name, token, settling: SETTLING })
    }

    /// One call below the repository, retried while GitHub fails or limits requests. Returns any other status.
    async fn call(
        &self,
        method: Method,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), ForgeError> {
        let mut left = LONGEST_WAIT;
        loop {
            let error = match retry(Retry::For(PATIENCE), || self.try_once(&method, query, body)).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            // A wait that the forge names may be longer than any other failure is worth waiting for.
            match error {
                TryError::Limited { wait: Some(wait), .. } if wait <= left => {
                    // A clock that differs, or a wait of 0 s, must not make this a busy loop.
                    let wait = wait.max(Duration::from_secs(1));
                    left = left.saturating_sub(wait);
                    tracing::warn!(wait_s = wait.as_secs(), "the forge limits requests; waiting as it asks");
                    tokio::time::sleep(wait).await;
                }
                error => {
                    return Err(ForgeError::Unavailable { host: host(&self.api), message: chain(&error) });
                }
            }
        }
    }

    async fn try_once(
        &self,
        method: &Method,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), TryError> {
        let url = endpoint(&self.api, &format!("repos/{}/{}/pulls", self.owner, self.name));
        let mut request = self.http.request(method.clone(), url).query(query).bearer_auth(self.token.expose_secret());
        request = request.header("accept", "application/vnd.github+json").header("x-github-api-version", "2022-11-28");
        if let Some(body) = body {
            request = request.json(body);
        }
        let request = request.build().map_err(unreachable)?;
        let response = redirects::send(&self.http, request).await.map_err(unreachable)?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_server_error() {
            return Err(TryError::Failed { status, retry_after: retry_after(&headers) });
        }
        let text = response.text().await.map_err(unreachable)?;
        if let Some(limit) = limit_of(status, &headers, &text, since_1970()) {
            return Err(TryError::Limited { status, wait: limit.wait });
        }
        Ok((status, serde_json::from_str(&text).unwrap_or_default()))
    }

    /// The pull request that is open for a branch.
    async fn find_open(&self, head: &str) -> Result<Option<OpenPull>, ForgeError> {
        let head = format!("{}:{head}", self.owner);
        let (status, response) = self.call(Method::GET, &[("head", &head), ("state", "open")], None).await?;
        if status != StatusCode::OK {
            return Err(self.refusal(status, &response));
        }
        Ok(response
            .as_array()
            .and_then(|pulls| pulls.first())
            .and_then(read)
            .map(|pull| OpenPull { reused: true, ..pull }))
    }

    fn refusal(&self, status: StatusCode, response: &Value) -> ForgeError {
        let host = host(&self.api);
        let mut message = response["message"].as_str().unwrap_or(status.as_str()).to_owned();
        for detail in response["errors"].as_array().into_iter().flatten() {
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

/// Why one try failed. All kinds may be temporary.
#[derive(Debug, thiserror::Error)]
enum TryError {
    #[error("no response")]
    Unreachable(#[source] reqwest::Error),
    #[error("it returned {status}")]
    Failed { status: StatusCode, retry_after: Option<Duration> },
    #[error("it limits requests at the moment, with {status}")]
    Limited { status: StatusCode, wait: Option<Duration> },
}

impl Retriable for TryError {
    /// A wait that the forge names is not retried but waited for.
    fn may_pass(&self) -> bool {
        !matches!(self, Self::Limited { wait: Some(_), .. })
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Failed { retry_after, .. } => *retry_after,
            Self::Unreachable(_) | Self::Limited { .. } => None,
        }
    }
}

fn unreachable(error: reqwest::Error) -> TryError {
    TryError::Unreachable(error.without_url())
}

#[async_trait]
impl Forge for GitHub {
    async fn open_pull(&self, pull: &NewPull) -> Result<OpenPull, ForgeError> {
        let body = json!({"head": pull.head, "base": pull.base, "title": pull.title, "body": pull.body});
        let mut waits = Waits::new(Retry::For(self.settling));
        loop {
            let (status, response) = self.call(Method::POST, &[], Some(&body)).await?;
            if status == StatusCode::CREATED {
                let refused = || ForgeError::Refused {
                    host: host(&self.api),
                    message: "its response does not describe a pull request".into(),
                };
                return read(&response).ok_or_else(refused);
            }
            // An earlier attempt at the ticket may have opened it already.
            if status == StatusCode::UNPROCESSABLE_ENTITY
                && let Some(open) = self.find_open(&pull.head).await?
            {
                return Ok(open);
            }
            let wait = if head_is_unknown(status, &response) { waits.next_wait() } else { None };
            let Some(wait) = wait else { return Err(self.refusal(status, &response)) };
            tracing::info!(wait_ms = wait.as_millis(), "the forge does not know the pushed branch yet; asking again");
            tokio::time::sleep(wait).await;
        }
    }
}

/// Whether the forge says that the branch does not exist, which it may say for a moment after the push.
fn head_is_unknown(status: StatusCode, response: &Value) -> bool {
    let unknown = |error: &Value| error["field"] == "head" && error["code"] == "invalid";
    status == StatusCode::UNPROCESSABLE_ENTITY
        && response["errors"].as_array().is_some_and(|all| all.iter().any(unknown))
}

fn read(response: &Value) -> Option<OpenPull> {
    Some(OpenPull {
        url: response["html_url"].as_str()?.to_owned(),
        number: response["number"].as_i64()?,
        reused: false,
    })
}

fn host(api: &Url) -> String {
    api.host_str().unwrap_or("the forge").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use terarchitect_testbed::forge::{Answer, Faults, Forge as LocalForge};

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
    async fn a_redirect_keeps_the_method() {
        for status in [301, 302, 307, 308] {
            let forge = forge_with_branch().await;
            forge.set_faults(Faults { rest_moved: Some(status), ..Faults::default() });
            let opened = github(&forge, forge.token()).open_pull(&pull("ticket-1")).await.unwrap();
            assert!(!opened.reused);
            assert_eq!(forge.pulls("demo", "hello").len(), 1, "{status}");
        }
    }

    #[tokio::test]
    async fn a_call_that_fails_for_a_moment_is_retried() {
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
        let mut github = github(&forge, forge.token());
        github.settling = Duration::ZERO;
        let refused = github.open_pull(&pull("no-such-branch")).await.unwrap_err();
        assert!(matches!(refused, ForgeError::Refused { .. }), "{refused}");
    }

    #[tokio::test]
    async fn a_limit_and_a_branch_that_is_not_known_yet_are_waited_for() {
        let limited = |headers, body| Answer { status: 403, times: 2, headers, body };
        let unknown = r#"{"message": "Validation Failed", "errors": [{"resource": "PullRequest", "field": "head", "code": "invalid"}]}"#;
        for answer in [
            limited(&[("retry-after", "1")], "{}"),
            limited(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1000000000")], "{}"),
            limited(&[], r#"{"message": "You have exceeded a secondary rate limit."}"#),
            Answer { status: 429, times: 2, headers: &[], body: "" },
            Answer { status: 422, times: 1, headers: &[], body: unknown },
        ] {
            let forge = forge_with_branch().await;
            forge.set_faults(Faults { rest_answer: Some(answer), ..Faults::default() });
            let opened = github(&forge, forge.token()).open_pull(&pull("ticket-1")).await;
            assert!(opened.is_ok(), "{answer:?}: {opened:?}");
        }
        let forge = forge_with_branch().await;
        let plain = limited(&[], r#"{"message": "Resource not accessible by personal access token"}"#);
        forge.set_faults(Faults { rest_answer: Some(plain), ..Faults::default() });
        let denied = github(&forge, forge.token()).open_pull(&pull("ticket-1")).await.unwrap_err();
        assert!(matches!(denied, ForgeError::Denied { .. }), "{denied}");
    }
}
