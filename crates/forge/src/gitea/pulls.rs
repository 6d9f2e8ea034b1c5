//! Pull requests at Gitea: open, read, list, edit.

use super::{Gitea, PER_PAGE};
use crate::changes;
use crate::drafts::{self, GITEA};
use crate::github::read;
use crate::http::{Call, PULL};
use crate::types::{Conditional, EditPull, Mergeable, NewPull, OpenPull, Pull};
use crate::{Forge, ForgeError};
use reqwest::StatusCode;
use serde_json::{Map, Value, json};
use terarchitect_outbound::{Retry, Waits};

/// What makes a draft. Its field of that name is for reading alone.
const DRAFT: &str = "WIP: ";

impl Gitea {
    pub(super) async fn open(&self, pull: &NewPull) -> Result<OpenPull, ForgeError> {
        let title = if pull.draft { format!("{DRAFT}{}", pull.title) } else { pull.title.clone() };
        let body = json!({"head": pull.head, "base": pull.base, "title": title, "body": pull.body});
        // A repeat is harmless: a second pull request for the branch is refused.
        let call = Call::post(self.at("pulls"), body);
        let mut waits = Waits::new(Retry::For(self.http.patience.settling));
        loop {
            let reply = self.http.send(&call).await?;
            match reply.status {
                StatusCode::CREATED => {
                    let pull = read_pull(&reply.json()).ok_or_else(|| self.http.odd(PULL))?;
                    return Ok(OpenPull { url: pull.url, number: pull.number, reused: false });
                }
                // An earlier attempt at the ticket may have opened it already.
                StatusCode::CONFLICT => {
                    let Some(open) = self.open_for(&pull.head).await? else {
                        return Err(self.http.refusal(PULL, &reply));
                    };
                    return Ok(OpenPull { url: open.url, number: open.number, reused: true });
                }
                // Either branch, or the repository itself, is not known.
                StatusCode::NOT_FOUND => {
                    if let Err(ForgeError::NotFound { .. }) = self.repository().await {
                        return Err(self.http.denied(&reply));
                    }
                    let Some(wait) = waits.next_wait() else {
                        return Err(self.http.refused(PULL, self.http.words(&reply)));
                    };
                    tracing::info!(wait_ms = wait.as_millis(), "the forge does not know the branch yet; asking again");
                    tokio::time::sleep(wait).await;
                }
                _ => return Err(self.http.refusal(PULL, &reply)),
            }
        }
    }

    /// Filters by head are ignored by some versions, so every open pull request is compared.
    pub(super) async fn open_for(&self, branch: &str) -> Result<Option<Pull>, ForgeError> {
        let head = format!("{}:{branch}", self.repository.owner);
        let call = Call::get(self.at("pulls")).query("state", "open").query("head", head).query("limit", PER_PAGE);
        let pulls = self.http.pages(&call, None).await?;
        let mut pulls = pulls.iter().filter_map(read_pull);
        Ok(pulls.find(|pull| pull.head.branch == branch && pull.head.repo.is_none()))
    }

    pub(super) async fn raw_pull(&self, number: i64) -> Result<Value, ForgeError> {
        Ok(self.http.ok(&Call::get(self.at(&format!("pulls/{number}")))).await?.json())
    }

    pub(super) async fn read_pull(&self, number: i64) -> Result<Pull, ForgeError> {
        read_pull(&self.raw_pull(number).await?).ok_or_else(|| self.http.odd(PULL))
    }

    async fn patch(&self, number: i64, body: Map<String, Value>) -> Result<Pull, ForgeError> {
        let call = Call::patch(self.at(&format!("pulls/{number}")), Value::Object(body));
        read_pull(&self.http.ok(&call).await?.json()).ok_or_else(|| self.http.odd(PULL))
    }

    pub(super) async fn edit(&self, number: i64, edit: &EditPull) -> Result<Pull, ForgeError> {
        let mut body = Map::new();
        if let Some(title) = &edit.title {
            let draft = if self.read_pull(number).await?.draft { DRAFT } else { "" };
            body.insert("title".into(), json!(format!("{draft}{title}")));
        }
        if let Some(text) = &edit.body {
            body.insert("body".into(), json!(text));
        }
        if let Some(open) = edit.open {
            body.insert("state".into(), json!(if open { "open" } else { "closed" }));
        }
        self.patch(number, body).await
    }

    pub(super) async fn mark_ready(&self, number: i64) -> Result<(), ForgeError> {
        let pull = self.read_pull(number).await?;
        if !pull.draft {
            return Ok(());
        }
        self.patch(number, Map::from_iter([("title".to_owned(), json!(pull.title))])).await.map(drop)
    }

    pub(super) async fn changed(
        &self,
        since: Option<&str>,
        etag: Option<&str>,
    ) -> Result<Conditional<Vec<Pull>>, ForgeError> {
        let call = Call::get(self.at("pulls"))
            .query("state", if since.is_some() { "all" } else { "open" })
            .query("sort", "recentupdate")
            .query("limit", PER_PAGE);
        changes::changed(&self.http, call, since, etag, read_pull).await
    }
}

/// A pull request. Whether it can be merged is a boolean, which is false for a moment while it is being found out.
pub(super) fn read_pull(json: &Value) -> Option<Pull> {
    let mut pull = read::pull(json)?;
    let (is_draft, title) = drafts::read(&pull.title, GITEA);
    pull.draft |= is_draft;
    pull.title = title.to_owned();
    pull.mergeable = match json["mergeable"].as_bool() {
        _ if pull.draft => Mergeable::No("it is a draft".to_owned()),
        Some(true) => Mergeable::Yes,
        Some(false) => Mergeable::Conflict,
        None => Mergeable::Unknown,
    };
    Some(pull)
}
