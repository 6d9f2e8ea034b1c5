//! Gitea's REST calls, which Forgejo has too. It looks like GitHub's, and differs in many small ways.

mod checks;
mod contents;
mod hooks;
mod merging;
mod pulls;
mod talk;
mod threads;

use crate::credential::Credential;
use crate::github::read;
use crate::http::{Call, Http, Manners, Patience, segment};
use crate::types::{
    About, Account, Check, Comment, Commit, Conditional, EditPull, Hook, HookEvent, Issue, Merged, Method, NewPull,
    NewStatus, OpenPull, Permission, Pull, Reaction, Remark, Repository, Review, Thread,
};
use crate::{Forge, ForgeError, Kind};
use async_trait::async_trait;
use reqwest::StatusCode;
use secrecy::SecretString;
use tokio::sync::OnceCell;
use url::Url;

/// How many items a page has; more are cut to this by default.
const PER_PAGE: u32 = 50;
const REPOSITORY: &str = "the repository";

const MANNERS: Manners = Manners { scheme: "token", headers: &[("accept", "application/json")] };

/// One repository at a Gitea or Forgejo.
#[derive(Debug)]
pub struct Gitea {
    http: Http,
    repository: Repository,
    own: OnceCell<Account>,
}

impl Gitea {
    /// The repository at the Gitea or Forgejo whose REST API is at `api`, which ends in `/api/v1`.
    ///
    /// # Errors
    /// The token is for another host, or the HTTP client could not be set up.
    pub fn new(
        api: Url,
        repository: Repository,
        credential: &Credential,
        patience: Patience,
    ) -> Result<Self, ForgeError> {
        let http = Http::new(api, credential, MANNERS, patience)?;
        Ok(Self { http, repository, own: OnceCell::new() })
    }

    /// A path below the repository.
    fn at(&self, rest: &str) -> String {
        let Repository { owner, name, .. } = &self.repository;
        let slash = if rest.is_empty() { "" } else { "/" };
        format!("repos/{}/{}{slash}{rest}", segment(owner), segment(name))
    }

    /// All items of a list below the repository.
    async fn list(&self, rest: &str, what: &'static str) -> Result<Vec<serde_json::Value>, ForgeError> {
        self.http.pages(&Call::get(self.at(rest)).query("limit", PER_PAGE).about(what), None).await
    }

    /// The token's own account. Tokens need `read:user` for it.
    async fn own(&self) -> Result<&Account, ForgeError> {
        self.own.get_or_try_init(|| self.me()).await
    }
}

#[async_trait]
impl Forge for Gitea {
    fn kind(&self) -> Kind {
        Kind::Gitea
    }

    async fn repository(&self) -> Result<About, ForgeError> {
        let json = self.http.ok(&Call::get(self.at("")).about(REPOSITORY)).await?.json();
        let full_name = read::some_text(&json["full_name"]).ok_or_else(|| self.http.odd(REPOSITORY))?;
        Ok(About {
            full_name,
            default_branch: if json["empty"] == true { String::new() } else { read::text(&json["default_branch"]) },
            private: json["private"] == true || json["internal"] == true,
            permission: read::granted(&json["permissions"]),
        })
    }

    async fn me(&self) -> Result<Account, ForgeError> {
        let json = self.http.ok(&Call::get("user").about("the token's account")).await?.json();
        Ok(read::account(&json))
    }

    async fn permission(&self, login: &str) -> Result<Permission, ForgeError> {
        let path = self.at(&format!("collaborators/{}/permission", segment(login)));
        let reply = self.http.send(&Call::get(path).about(REPOSITORY)).await?;
        if reply.status == StatusCode::NOT_FOUND {
            // No such account, or no such repository.
            return self.repository().await.map(|_| Permission::None);
        }
        if reply.status == StatusCode::FORBIDDEN {
            // Only administrators are told. Those who may write to the repository may be assigned to its issues.
            let may_write = |account: &serde_json::Value| read::account(account).login.eq_ignore_ascii_case(login);
            let assignees = self.list("assignees", REPOSITORY).await?;
            return Ok(if assignees.iter().any(may_write) { Permission::Write } else { Permission::None });
        }
        if !reply.status.is_success() {
            return Err(self.http.refusal(REPOSITORY, &reply));
        }
        Ok(read::permission(reply.json()["permission"].as_str()))
    }

    async fn open_pull(&self, pull: &NewPull) -> Result<OpenPull, ForgeError> {
        self.open(pull).await
    }

    async fn edit_pull(&self, number: i64, edit: &EditPull) -> Result<Pull, ForgeError> {
        self.edit(number, edit).await
    }

    async fn set_ready(&self, number: i64) -> Result<(), ForgeError> {
        self.mark_ready(number).await
    }

    async fn pull(&self, number: i64) -> Result<Pull, ForgeError> {
        self.read_pull(number).await
    }

    async fn pull_of_branch(&self, branch: &str) -> Result<Option<Pull>, ForgeError> {
        self.open_for(branch).await
    }

    async fn changed_pulls(
        &self,
        since: Option<&str>,
        etag: Option<&str>,
    ) -> Result<Conditional<Vec<Pull>>, ForgeError> {
        self.changed(since, etag).await
    }

    async fn commits(&self, number: i64) -> Result<Vec<Commit>, ForgeError> {
        self.commits_of(number).await
    }

    async fn files(&self, number: i64) -> Result<Vec<String>, ForgeError> {
        self.files_of(number).await
    }

    async fn comments(&self, number: i64) -> Result<Vec<Comment>, ForgeError> {
        self.comments_of(number).await
    }

    async fn comment(&self, number: i64, body: &str) -> Result<Comment, ForgeError> {
        self.post_comment(number, body).await
    }

    async fn reviews(&self, number: i64) -> Result<Vec<Review>, ForgeError> {
        self.reviews_of(number).await
    }

    async fn threads(&self, number: i64) -> Result<Vec<Thread>, ForgeError> {
        self.threads_of(number).await
    }

    async fn reply(&self, number: i64, thread: &Thread, body: &str) -> Result<Comment, ForgeError> {
        self.reply_in(number, thread, body).await
    }

    async fn react(&self, number: i64, on: &Remark, reaction: Reaction) -> Result<(), ForgeError> {
        self.put_reaction(number, on, reaction).await
    }

    async fn approve(&self, number: i64, body: &str, head_sha: &str) -> Result<(), ForgeError> {
        self.submit_approval(number, body, head_sha).await
    }

    async fn merge(&self, number: i64, method: Method, head_sha: &str) -> Result<Merged, ForgeError> {
        self.merge_pull(number, method, head_sha).await
    }

    async fn update_branch(&self, number: i64, method: Method, head_sha: &str) -> Result<(), ForgeError> {
        self.update(number, method, head_sha).await
    }

    async fn delete_branch(&self, branch: &str) -> Result<(), ForgeError> {
        self.delete(branch).await
    }

    async fn checks(&self, sha: &str) -> Result<Vec<Check>, ForgeError> {
        self.checks_of(sha).await
    }

    /// Its versions have logs at different addresses, and a status does not say which job it is of: none.
    async fn check_log_tail(&self, _check: &Check, _bytes: usize) -> Result<Option<String>, ForgeError> {
        Ok(None)
    }

    async fn set_status(&self, sha: &str, status: &NewStatus) -> Result<(), ForgeError> {
        self.post_status(sha, status).await
    }

    async fn hooks(&self) -> Result<Vec<Hook>, ForgeError> {
        self.list_hooks().await
    }

    async fn create_hook(&self, url: &str, secret: &SecretString, events: &[HookEvent]) -> Result<Hook, ForgeError> {
        self.put_hook(url, secret, events).await
    }

    async fn issue(&self, number: i64) -> Result<Issue, ForgeError> {
        self.read_issue(number).await
    }

    async fn issues(&self, label: &str) -> Result<Vec<Issue>, ForgeError> {
        self.issues_with(label).await
    }

    async fn issue_comments(&self, number: i64) -> Result<Vec<Comment>, ForgeError> {
        self.comments_of(number).await
    }

    async fn comment_issue(&self, number: i64, body: &str) -> Result<Comment, ForgeError> {
        self.post_comment(number, body).await
    }
}
