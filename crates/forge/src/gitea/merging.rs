//! Merges, updates of branches and their deletion at Gitea. It responds with 405 to what may pass, with 409 and git's
//! output to conflicts, and with 500 to what is already done.

use super::Gitea;
use crate::github::read;
use crate::http::{Call, Once, PULL, Reply, segment};
use crate::types::{Merged, Method, PullState};
use crate::{Conflict, Forge, ForgeError};
use reqwest::StatusCode;
use serde_json::json;
use terarchitect_outbound::{Retry, Waits};

const BRANCH: &str = "the branch";

impl Gitea {
    pub(super) async fn merge_pull(&self, number: i64, method: Method, head: &str) -> Result<Merged, ForgeError> {
        let body = json!({"Do": method.name(), "head_commit_id": head});
        let call = Call::post(self.at(&format!("pulls/{number}/merge")), body).reads_500();
        let mut waits = Waits::new(Retry::For(self.http.patience.settling));
        loop {
            let reply = match self.http.once(call.clone(), true, || self.merged_as(number, head)).await? {
                Once::Found(merged) => return Ok(merged),
                Once::Sent(reply) => reply,
            };
            if reply.status.is_success() {
                // Its body is empty.
                let sha = read::some_text(&self.raw_pull(number).await?["merge_commit_sha"]);
                return Ok(Merged { sha });
            }
            // What was merged meanwhile gets 404, 405 or 500.
            if let Some(merged) = self.merged_as(number, head).await? {
                return Ok(merged);
            }
            let said = self.http.words(&reply);
            // It says this while it checks, and older versions also where a rule is not met.
            let may_pass = reply.status == StatusCode::METHOD_NOT_ALLOWED && said.contains("try again later");
            let Some(wait) = waits.next_wait().filter(|_| may_pass) else { return Err(self.not_merged(&reply, said)) };
            tokio::time::sleep(wait).await;
        }
    }

    fn not_merged(&self, reply: &Reply, said: String) -> ForgeError {
        match reply.status {
            StatusCode::METHOD_NOT_ALLOWED => self.http.conflict(Conflict::NotMergeable, said),
            StatusCode::CONFLICT if said.contains("out of date") => self.http.conflict(Conflict::HeadMoved, said),
            StatusCode::CONFLICT => {
                // Git's output, or nothing.
                let said = if said == reply.status.as_str() { "it conflicts with its base".to_owned() } else { said };
                self.http.conflict(Conflict::NotMergeable, said)
            }
            _ => self.http.refusal(PULL, reply),
        }
    }

    /// The merge, if the pull request was merged with this head.
    async fn merged_as(&self, number: i64, head: &str) -> Result<Option<Merged>, ForgeError> {
        let json = self.raw_pull(number).await?;
        let pull = read::pull(&json).ok_or_else(|| self.http.odd(PULL))?;
        let is_so = pull.state == PullState::Merged && pull.head.sha == head;
        Ok(is_so.then(|| Merged { sha: read::some_text(&json["merge_commit_sha"]) }))
    }

    pub(super) async fn update(&self, number: i64, method: Method, head: &str) -> Result<(), ForgeError> {
        let style = match method {
            Method::Rebase => "rebase",
            Method::Merge | Method::Squash => "merge",
        };
        // It knows no expected head, and a head that moved is the only trace of an update.
        if self.read_pull(number).await?.head.sha != head {
            return Err(self.http.conflict(Conflict::HeadMoved, "its branch has new commits"));
        }
        let moved = || async move { Ok((self.read_pull(number).await?.head.sha != head).then_some(())) };
        let call = Call::post(self.at(&format!("pulls/{number}/update")), json!({})).query("style", style).reads_500();
        let reply = match self.http.once(call, true, moved).await? {
            Once::Found(()) => return Ok(()),
            Once::Sent(reply) => reply,
        };
        let said = self.http.words(&reply);
        match reply.status {
            status if status.is_success() => Ok(()),
            StatusCode::INTERNAL_SERVER_ERROR if said.contains("up to date") => Ok(()),
            StatusCode::CONFLICT => Err(self.http.conflict(Conflict::NotMergeable, said)),
            _ => Err(self.http.refusal(PULL, &reply)),
        }
    }

    pub(super) async fn delete(&self, branch: &str) -> Result<(), ForgeError> {
        let encoded: Vec<String> = branch.split('/').map(segment).collect();
        let path = self.at(&format!("branches/{}", encoded.join("/")));
        let reply = self.http.send(&Call::delete(path.as_str()).about(BRANCH).reads_500()).await?;
        match reply.status {
            status if status.is_success() => Ok(()),
            // The branch is gone, or the token may not see the repository.
            StatusCode::NOT_FOUND => self.repository().await.map(drop),
            StatusCode::INTERNAL_SERVER_ERROR => {
                let there = self.http.send(&Call::get(path).about(BRANCH)).await?;
                if there.status != StatusCode::NOT_FOUND {
                    return Err(self.http.refusal(BRANCH, &reply));
                }
                self.repository().await.map(drop)
            }
            _ => Err(self.http.refusal(BRANCH, &reply)),
        }
    }
}
