//! Merges, updates of branches and their deletion at GitHub.

use super::{GitHub, read};
use crate::http::{Call, Once, PULL};
use crate::types::{Merged, Method, PullState};
use crate::{Conflict, Forge, ForgeError};
use reqwest::StatusCode;
use serde_json::json;

impl GitHub {
    pub(super) async fn merge_pull(&self, number: i64, method: Method, head: &str) -> Result<Merged, ForgeError> {
        let find = || self.merged_as(number, head);
        let body = json!({"sha": head, "merge_method": method.name()});
        let call = Call::put(self.at(&format!("pulls/{number}/merge")), body);
        let reply = match self.http.once(call, true, find).await? {
            Once::Found(merged) => return Ok(merged),
            Once::Sent(reply) => reply,
        };
        match reply.status {
            status if status.is_success() => Ok(Merged { sha: read::some_text(&reply.json()["sha"]) }),
            StatusCode::METHOD_NOT_ALLOWED => Err(self.http.conflict(Conflict::NotMergeable, self.http.words(&reply))),
            StatusCode::CONFLICT => Err(self.http.conflict(Conflict::HeadMoved, self.http.words(&reply))),
            _ => Err(self.http.refusal(PULL, &reply)),
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
        if method == Method::Rebase {
            return self.update_by_graphql(number, "REBASE", head).await;
        }
        // The head that is expected makes a repeat harmless.
        let path = self.at(&format!("pulls/{number}/update-branch"));
        let reply = self.http.send(&Call::put(path, json!({"expected_head_sha": head}))).await?;
        let said = self.http.words(&reply);
        match reply.status {
            status if status.is_success() => Ok(()),
            // Some Apps may not use this way.
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => self.update_by_graphql(number, "MERGE", head).await,
            StatusCode::UNPROCESSABLE_ENTITY => self.not_updated(&said),
            _ => Err(self.http.refusal(PULL, &reply)),
        }
    }

    async fn update_by_graphql(&self, number: i64, method: &str, head: &str) -> Result<(), ForgeError> {
        let pull = self.raw_pull(number).await?;
        let query = "mutation($id: ID!, $head: GitObjectID!, $method: PullRequestBranchUpdateMethod!) { \
                     updatePullRequestBranch(input: {pullRequestId: $id, expectedHeadOid: $head, updateMethod: $method}) \
                     { clientMutationId } }";
        let variables = json!({"id": pull["node_id"], "head": head, "method": method});
        match self.graphql(query, &variables).await {
            Ok(_) => Ok(()),
            Err(ForgeError::Refused { message, .. }) => self.not_updated(&message),
            Err(error) => Err(error),
        }
    }

    /// What GitHub's words mean when it does not update a branch.
    fn not_updated(&self, said: &str) -> Result<(), ForgeError> {
        let words = said.to_lowercase();
        if words.contains("no new commits") || words.contains("up to date") || words.contains("up-to-date") {
            return Ok(());
        }
        if words.contains("expected head") || words.contains("expected_head") || words.contains("head sha") {
            return Err(self.http.conflict(Conflict::HeadMoved, said));
        }
        if words.contains("conflict") {
            return Err(self.http.conflict(Conflict::NotMergeable, said));
        }
        Err(self.http.refused(PULL, said))
    }

    pub(super) async fn delete(&self, branch: &str) -> Result<(), ForgeError> {
        let encoded: Vec<String> = branch.split('/').map(crate::http::segment).collect();
        let call = Call::delete(self.at(&format!("git/refs/heads/{}", encoded.join("/")))).about("the branch");
        let reply = self.http.send(&call).await?;
        match reply.status {
            status if status.is_success() => Ok(()),
            StatusCode::UNPROCESSABLE_ENTITY if self.http.words(&reply).contains("does not exist") => Ok(()),
            // The branch is gone, or the token may not see the repository.
            StatusCode::NOT_FOUND => self.repository().await.map(drop),
            _ => Err(self.http.refusal("the branch", &reply)),
        }
    }
}
