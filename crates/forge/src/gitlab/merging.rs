//! Merges, updates of branches and their deletion at GitLab.

use super::{GitLab, read};
use crate::http::{Call, Once, PULL, segment};
use crate::types::{Merged, Method, PullState};
use crate::{Conflict, Forge, ForgeError};
use reqwest::StatusCode;
use serde_json::{Value, json};
use terarchitect_outbound::{Retry, Waits};

const BRANCH: &str = "the branch";

impl GitLab {
    pub(super) async fn merge_pull(&self, number: i64, method: Method, head: &str) -> Result<Merged, ForgeError> {
        if method == Method::Rebase {
            self.merges_by_rebase().await?;
        }
        let call = Call::put(self.of(number, "merge"), json!({"sha": head, "squash": method == Method::Squash}));
        let mut waits = Waits::new(Retry::For(self.http.patience.settling));
        loop {
            let reply = match self.http.once(call.clone(), true, || self.merged_as(number, head)).await? {
                Once::Found(merged) => return Ok(merged),
                Once::Sent(reply) => reply,
            };
            if reply.status.is_success() {
                return Ok(merged(&reply.json(), head));
            }
            if reply.status == StatusCode::CONFLICT {
                return Err(self.http.conflict(Conflict::HeadMoved, self.http.words(&reply)));
            }
            let cannot = [StatusCode::METHOD_NOT_ALLOWED, StatusCode::NOT_ACCEPTABLE, StatusCode::UNPROCESSABLE_ENTITY];
            if !cannot.contains(&reply.status) {
                return Err(self.http.refusal(PULL, &reply));
            }
            // It does not say why; the merge request does.
            let pull = self.read_pull(number).await?;
            let why = match pull.mergeable.why_not() {
                Some(why) => why.to_owned(),
                None => {
                    if let Some(wait) = waits.next_wait() {
                        tokio::time::sleep(wait).await;
                        continue;
                    }
                    self.http.words(&reply)
                }
            };
            return Err(self.http.conflict(Conflict::NotMergeable, why));
        }
    }

    /// How merge requests are merged is a setting of the project; only a squash can be asked for.
    async fn merges_by_rebase(&self) -> Result<(), ForgeError> {
        let project = self.http.ok(&Call::get(self.at(""))).await?.json();
        if matches!(project["merge_method"].as_str(), Some("ff" | "rebase_merge")) {
            return Ok(());
        }
        Err(self
            .http
            .unsupported("its project merges with merge commits; choose that, or change the project's merge method"))
    }

    /// The merge, if the merge request was merged with this head.
    async fn merged_as(&self, number: i64, head: &str) -> Result<Option<Merged>, ForgeError> {
        let json = self.raw_pull(number).await?;
        let pull = read::pull(&json).ok_or_else(|| self.http.odd(PULL))?;
        let is_so = pull.state == PullState::Merged && pull.head.sha == head;
        Ok(is_so.then(|| merged(&json, head)))
    }

    pub(super) async fn update(&self, number: i64, method: Method, head: &str) -> Result<(), ForgeError> {
        if method != Method::Rebase {
            return Err(self.http.unsupported("GitLab updates branches by rebase alone; choose rebase"));
        }
        if self.read_pull(number).await?.head.sha != head {
            return Err(self.http.conflict(Conflict::HeadMoved, "its branch has new commits"));
        }
        // A repeat is harmless: one rebase is done at a time, and a second one finds nothing to do.
        let reply = self.http.send(&Call::put(self.of(number, "rebase"), json!({}))).await?;
        if reply.status == StatusCode::CONFLICT {
            return Err(self.http.conflict(Conflict::NotMergeable, self.http.words(&reply)));
        }
        if !reply.status.is_success() {
            return Err(self.http.refusal(PULL, &reply));
        }
        let mut waits = Waits::new(Retry::For(self.http.patience.settling));
        loop {
            let json = self.raw_pull(number).await?;
            if json["rebase_in_progress"] != true {
                let error = read::some_text(&json["merge_error"]);
                return error.map_or(Ok(()), |error| Err(self.http.conflict(Conflict::NotMergeable, error)));
            }
            // It goes on by itself.
            let Some(wait) = waits.next_wait() else { return Ok(()) };
            tokio::time::sleep(wait).await;
        }
    }

    pub(super) async fn delete(&self, branch: &str) -> Result<(), ForgeError> {
        let path = self.at(&format!("repository/branches/{}", segment(branch)));
        let reply = self.http.send(&Call::delete(path).about(BRANCH)).await?;
        match reply.status {
            status if status.is_success() => Ok(()),
            // The branch is gone, or the token may not see the project.
            StatusCode::NOT_FOUND => self.repository().await.map(drop),
            _ => Err(self.http.refusal(BRANCH, &reply)),
        }
    }
}

/// The commit that is on the base; a fast-forward puts the head itself there.
fn merged(json: &Value, head: &str) -> Merged {
    let sha = ["merge_commit_sha", "squash_commit_sha"].iter().find_map(|key| read::some_text(&json[*key]));
    Merged { sha: sha.or_else(|| Some(head.to_owned())) }
}
