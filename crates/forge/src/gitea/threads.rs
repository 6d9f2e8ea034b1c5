//! Threads at lines at Gitea: comments belong to reviews, and what is at the same line of the same file is one thread.

use super::{Gitea, PER_PAGE};
use crate::github::read;
use crate::http::{Call, Once, Reply};
use crate::own::posted;
use crate::types::{Comment, Side, Thread};
use crate::{ForgeError, marker_in};
use reqwest::StatusCode;
use serde_json::{Value, json};

const THREADS: &str = "the threads";

impl Gitea {
    pub(super) async fn threads_of(&self, number: i64) -> Result<Vec<Thread>, ForgeError> {
        let mut items = Vec::new();
        for review in self.raw_reviews(number).await? {
            if review["state"] != "PENDING" && review["comments_count"] != 0 {
                items.extend(self.comments_of_review(number, &read::id(&review["id"])).await?);
            }
        }
        items.sort_by_key(|item| item["id"].as_i64());
        grouped(&items).ok_or_else(|| self.http.odd(THREADS))
    }

    async fn comments_of_review(&self, number: i64, review: &str) -> Result<Vec<Value>, ForgeError> {
        let path = self.at(&format!("pulls/{number}/reviews/{review}/comments"));
        self.http.pages(&Call::get(path).query("limit", PER_PAGE).about(THREADS), None).await
    }

    /// Gitea has replies from 1.27; Forgejo adds comments to reviews; before, a review of one comment at the same line
    /// is shown in the thread.
    pub(super) async fn reply_in(&self, number: i64, thread: &Thread, body: &str) -> Result<Comment, ForgeError> {
        let (path, line) = (&thread.path, thread.line.unwrap_or_default());
        let (new, old) = match thread.side {
            Side::New => (line, 0),
            Side::Old => (0, line),
        };
        let comment = json!({"path": path, "new_position": new, "old_position": old, "body": body});
        let replies = format!("pulls/{number}/comments/{}/replies", thread.id);
        let reply = match self.post_reply(number, &replies, json!({"body": body}), body).await? {
            Once::Found(comment) => return Ok(comment),
            Once::Sent(reply) => reply,
        };
        if !is_missing(&reply) {
            return self.replied(&reply);
        }
        if let Some(review) = &thread.review {
            let of_review = format!("pulls/{number}/reviews/{review}/comments");
            match self.post_reply(number, &of_review, comment.clone(), body).await? {
                Once::Found(comment) => return Ok(comment),
                Once::Sent(reply) if !is_missing(&reply) => return self.replied(&reply),
                Once::Sent(_) => {}
            }
        }
        let review = json!({"event": "COMMENT", "comments": [comment]});
        match self.post_reply(number, &format!("pulls/{number}/reviews"), review, body).await? {
            Once::Found(comment) => Ok(comment),
            Once::Sent(reply) if reply.status.is_success() => {
                let comments = self.comments_of_review(number, &read::id(&reply.json()["id"])).await?;
                comments.last().and_then(read::comment).ok_or_else(|| self.http.odd(THREADS))
            }
            Once::Sent(reply) => Err(self.http.refusal(THREADS, &reply)),
        }
    }

    async fn post_reply(&self, number: i64, path: &str, json: Value, body: &str) -> Result<Once<Comment>, ForgeError> {
        let marker = marker_in(body);
        let find = || async move {
            let Some(marker) = marker else { return Ok(None) };
            let comments = self.threads_of(number).await?.into_iter().flat_map(|thread| thread.comments);
            Ok(posted(comments.collect(), marker, Some(self.own().await?)))
        };
        self.http.once(Call::post(self.at(path), json).about(THREADS), marker.is_some(), find).await
    }

    fn replied(&self, reply: &Reply) -> Result<Comment, ForgeError> {
        if !reply.status.is_success() {
            return Err(self.http.refusal(THREADS, reply));
        }
        read::comment(&reply.json()).ok_or_else(|| self.http.odd(THREADS))
    }
}

/// Whether this version has no such call.
fn is_missing(reply: &Reply) -> bool {
    matches!(reply.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)
}

fn grouped(items: &[Value]) -> Option<Vec<Thread>> {
    let mut threads: Vec<Thread> = Vec::new();
    for item in items {
        let comment = read::comment(item)?;
        let path = read::text(&item["path"]);
        let at = |key: &str| item[key].as_u64().and_then(|line| u32::try_from(line).ok()).filter(|line| *line > 0);
        let (line, side) = match at("position") {
            Some(line) => (Some(line), Side::New),
            None => (at("original_position"), Side::Old),
        };
        let resolved = !item["resolver"].is_null();
        let is_here = |thread: &&mut Thread| thread.path == path && thread.line == line && thread.side == side;
        if let Some(thread) = threads.iter_mut().find(is_here) {
            thread.resolved = Some(resolved || thread.resolved == Some(true));
            thread.comments.push(comment);
            continue;
        }
        threads.push(Thread {
            id: comment.id.clone(),
            path,
            line,
            side,
            hunk: read::some_text(&item["diff_hunk"]),
            resolved: Some(resolved),
            comments: vec![comment],
            review: item["pull_request_review_id"].as_i64().map(|id| id.to_string()),
        });
    }
    Some(threads)
}
