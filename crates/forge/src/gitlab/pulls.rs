//! Merge requests at GitLab: open, read, list, edit.

use super::quick::without_actions;
use super::{GitLab, PER_PAGE, read};
use crate::ForgeError;
use crate::changes;
use crate::http::{Call, PULL};
use crate::types::{Conditional, EditPull, NewPull, OpenPull, Pull};
use reqwest::StatusCode;
use serde_json::{Map, Value, json};
use terarchitect_outbound::{Retry, Waits};

/// What makes a draft. Its field of that name is for reading alone.
const DRAFT: &str = "Draft: ";

impl GitLab {
    pub(super) async fn open(&self, pull: &NewPull) -> Result<OpenPull, ForgeError> {
        let title = if pull.draft { format!("{DRAFT}{}", pull.title) } else { pull.title.clone() };
        let description = without_actions(&pull.body);
        let body =
            json!({"source_branch": pull.head, "target_branch": pull.base, "title": title, "description": description});
        // A repeat is harmless: a second merge request for the branch is refused.
        let call = Call::post(self.at("merge_requests"), body);
        let mut waits = Waits::new(Retry::For(self.http.patience.settling));
        loop {
            let reply = self.http.send(&call).await?;
            if reply.status == StatusCode::CREATED {
                let pull = read::pull(&reply.json()).ok_or_else(|| self.http.odd(PULL))?;
                return Ok(OpenPull { url: pull.url, number: pull.number, reused: false });
            }
            // An earlier attempt at the ticket may have opened it already.
            if reply.status == StatusCode::CONFLICT
                && let Some(open) = self.open_for(&pull.head).await?
            {
                return Ok(OpenPull { url: open.url, number: open.number, reused: true });
            }
            let said = self.http.words(&reply).to_lowercase();
            let head_is_unknown = said.contains("source branch") && said.contains("not exist");
            let wait = if head_is_unknown { waits.next_wait() } else { None };
            let Some(wait) = wait else {
                let is_hidden = reply.status == StatusCode::NOT_FOUND;
                return Err(if is_hidden { self.http.denied(&reply) } else { self.http.refusal(PULL, &reply) });
            };
            tracing::info!(wait_ms = wait.as_millis(), "the forge does not know the pushed branch yet; asking again");
            tokio::time::sleep(wait).await;
        }
    }

    pub(super) async fn open_for(&self, branch: &str) -> Result<Option<Pull>, ForgeError> {
        let call = Call::get(self.at("merge_requests"))
            .query("state", "opened")
            .query("source_branch", branch)
            .query("per_page", PER_PAGE);
        let pulls = self.http.pages(&call, None).await?;
        let mut pulls = pulls.iter().filter_map(read::pull);
        Ok(pulls.find(|pull| pull.head.branch == branch && pull.head.repo.is_none()))
    }

    pub(super) async fn raw_pull(&self, number: i64) -> Result<Value, ForgeError> {
        let call = Call::get(self.of(number, "")).query("include_rebase_in_progress", true);
        Ok(self.http.ok(&call).await?.json())
    }

    pub(super) async fn read_pull(&self, number: i64) -> Result<Pull, ForgeError> {
        read::pull(&self.raw_pull(number).await?).ok_or_else(|| self.http.odd(PULL))
    }

    async fn put(&self, number: i64, body: Map<String, Value>) -> Result<Pull, ForgeError> {
        let reply = self.http.ok(&Call::put(self.of(number, ""), Value::Object(body))).await?;
        read::pull(&reply.json()).ok_or_else(|| self.http.odd(PULL))
    }

    pub(super) async fn edit(&self, number: i64, edit: &EditPull) -> Result<Pull, ForgeError> {
        let mut body = Map::new();
        if let Some(title) = &edit.title {
            let draft = if self.read_pull(number).await?.draft { DRAFT } else { "" };
            body.insert("title".into(), json!(format!("{draft}{title}")));
        }
        if let Some(text) = &edit.body {
            body.insert("description".into(), json!(without_actions(text)));
        }
        if let Some(open) = edit.open {
            body.insert("state_event".into(), json!(if open { "reopen" } else { "close" }));
        }
        self.put(number, body).await
    }

    pub(super) async fn mark_ready(&self, number: i64) -> Result<(), ForgeError> {
        let pull = self.read_pull(number).await?;
        if !pull.draft {
            return Ok(());
        }
        self.put(number, Map::from_iter([("title".to_owned(), json!(pull.title))])).await.map(drop)
    }

    pub(super) async fn changed(
        &self,
        since: Option<&str>,
        etag: Option<&str>,
    ) -> Result<Conditional<Vec<Pull>>, ForgeError> {
        let mut call = Call::get(self.at("merge_requests"))
            .query("state", if since.is_some() { "all" } else { "opened" })
            .query("order_by", "updated_at")
            .query("sort", "desc")
            .query("per_page", PER_PAGE);
        if let Some(since) = since {
            call = call.query("updated_after", since);
        }
        changes::changed(&self.http, call, since, etag, read::pull).await
    }
}
