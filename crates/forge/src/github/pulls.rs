//! Pull requests at GitHub: open, read, list, edit.

use super::{GitHub, PER_PAGE, read};
use crate::ForgeError;
use crate::changes;
use crate::http::{Call, PULL, Reply};
use crate::types::{Conditional, EditPull, NewPull, OpenPull, Pull};
use reqwest::StatusCode;
use serde_json::{Map, Value, json};
use terarchitect_outbound::{Retry, Waits};

impl GitHub {
    pub(super) async fn open(&self, pull: &NewPull) -> Result<OpenPull, ForgeError> {
        let mut body = json!({"head": pull.head, "base": pull.base, "title": pull.title, "body": pull.body});
        if pull.draft {
            body["draft"] = json!(true);
        }
        // A repeat is harmless: GitHub refuses a second pull request for the branch.
        let call = Call::post(self.at("pulls"), body);
        let mut waits = Waits::new(Retry::For(self.http.patience.settling));
        loop {
            let reply = self.http.send(&call).await?;
            if reply.status == StatusCode::CREATED {
                return opened(&reply.json(), false).ok_or_else(|| self.http.odd(PULL));
            }
            // An earlier attempt at the ticket may have opened it already.
            if reply.status == StatusCode::UNPROCESSABLE_ENTITY
                && let Some(open) = self.find_open(&pull.head).await?
            {
                return opened(&open, true).ok_or_else(|| self.http.odd(PULL));
            }
            let wait = if head_is_unknown(&reply) { waits.next_wait() } else { None };
            let Some(wait) = wait else { return Err(self.no_pull(&reply)) };
            tracing::info!(wait_ms = wait.as_millis(), "the forge does not know the pushed branch yet; asking again");
            tokio::time::sleep(wait).await;
        }
    }

    /// GitHub responds with 404 to a token that may not see the repository.
    fn no_pull(&self, reply: &Reply) -> ForgeError {
        if reply.status == StatusCode::NOT_FOUND {
            return self.http.denied(reply);
        }
        self.http.refusal(PULL, reply)
    }

    /// The pull request that is open for a branch, as GitHub describes it.
    async fn find_open(&self, branch: &str) -> Result<Option<Value>, ForgeError> {
        let head = format!("{}:{branch}", self.repository.owner);
        let call = Call::get(self.at("pulls")).query("head", head).query("state", "open");
        let reply = self.http.send(&call).await?;
        if reply.status != StatusCode::OK {
            return Err(self.no_pull(&reply));
        }
        let json = reply.json();
        let mut pulls = json.as_array().into_iter().flatten();
        Ok(pulls.find(|pull| pull["head"]["ref"].as_str().is_none_or(|head| head == branch)).cloned())
    }

    pub(super) async fn open_for(&self, branch: &str) -> Result<Option<Pull>, ForgeError> {
        let Some(found) = self.find_open(branch).await? else { return Ok(None) };
        read::pull(&found).map(Some).ok_or_else(|| self.http.odd(PULL))
    }

    pub(super) async fn raw_pull(&self, number: i64) -> Result<Value, ForgeError> {
        Ok(self.http.ok(&Call::get(self.at(&format!("pulls/{number}")))).await?.json())
    }

    pub(super) async fn read_pull(&self, number: i64) -> Result<Pull, ForgeError> {
        read::pull(&self.raw_pull(number).await?).ok_or_else(|| self.http.odd(PULL))
    }

    pub(super) async fn edit(&self, number: i64, edit: &EditPull) -> Result<Pull, ForgeError> {
        let mut body = Map::new();
        if let Some(title) = &edit.title {
            body.insert("title".into(), json!(title));
        }
        if let Some(text) = &edit.body {
            body.insert("body".into(), json!(text));
        }
        if let Some(open) = edit.open {
            body.insert("state".into(), json!(if open { "open" } else { "closed" }));
        }
        let call = Call::patch(self.at(&format!("pulls/{number}")), Value::Object(body));
        read::pull(&self.http.ok(&call).await?.json()).ok_or_else(|| self.http.odd(PULL))
    }

    pub(super) async fn mark_ready(&self, number: i64) -> Result<(), ForgeError> {
        let pull = self.raw_pull(number).await?;
        if pull["draft"] != true {
            return Ok(());
        }
        let query =
            "mutation($id: ID!) { markPullRequestReadyForReview(input: {pullRequestId: $id}) { clientMutationId } }";
        self.graphql(query, &json!({"id": pull["node_id"]})).await.map(drop)
    }

    pub(super) async fn changed(
        &self,
        since: Option<&str>,
        etag: Option<&str>,
    ) -> Result<Conditional<Vec<Pull>>, ForgeError> {
        let call = Call::get(self.at("pulls"))
            .query("state", if since.is_some() { "all" } else { "open" })
            .query("sort", "updated")
            .query("direction", "desc")
            .query("per_page", PER_PAGE);
        changes::changed(&self.http, call, since, etag, read::pull).await
    }
}

fn opened(pull: &Value, reused: bool) -> Option<OpenPull> {
    Some(OpenPull { url: pull["html_url"].as_str()?.to_owned(), number: pull["number"].as_i64()?, reused })
}

/// Whether the forge says that the branch does not exist, which it may say for a moment after the push.
fn head_is_unknown(reply: &Reply) -> bool {
    let unknown = |error: &Value| error["field"] == "head" && error["code"] == "invalid";
    reply.status == StatusCode::UNPROCESSABLE_ENTITY
        && reply.json()["errors"].as_array().is_some_and(|all| all.iter().any(unknown))
}
