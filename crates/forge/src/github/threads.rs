//! Threads at lines at GitHub: comments that name the thread's first one. Whether a thread is resolved is in GraphQL alone.

use super::{GitHub, read};
use crate::http::{Call, Once};
use crate::own::posted;
use crate::types::{Comment, Side, Thread};
use crate::{ForgeError, marker_in};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::HashMap;

const THREADS: &str = "the threads";
/// The most pages of threads that are asked for.
const MAX_PAGES: usize = 20;

impl GitHub {
    pub(super) async fn threads_of(&self, number: i64) -> Result<Vec<Thread>, ForgeError> {
        let mut threads = self.plain_threads(number).await?;
        if threads.is_empty() {
            return Ok(threads);
        }
        match self.resolved(number).await {
            Ok(resolved) => {
                for thread in &mut threads {
                    thread.resolved = resolved.get(&thread.id).copied();
                }
            }
            Err(error) if error.is_infrastructure() => return Err(error),
            // Enterprise Server may have GraphQL switched off, and fine-grained tokens may be refused there.
            Err(error) => tracing::info!(%error, "the forge does not say which threads are resolved"),
        }
        Ok(threads)
    }

    /// The threads as REST has them.
    async fn plain_threads(&self, number: i64) -> Result<Vec<Thread>, ForgeError> {
        let items = self.list(&format!("pulls/{number}/comments"), THREADS).await?;
        grouped(&items).ok_or_else(|| self.http.odd(THREADS))
    }

    /// Whether each thread is resolved, by the id of its first comment.
    async fn resolved(&self, number: i64) -> Result<HashMap<String, bool>, ForgeError> {
        let query = "query($owner: String!, $name: String!, $number: Int!, $after: String) { repository(owner: $owner, \
                     name: $name) { pullRequest(number: $number) { reviewThreads(first: 100, after: $after) { nodes { \
                     isResolved comments(first: 1) { nodes { databaseId } } } pageInfo { hasNextPage endCursor } } } } }";
        let (mut found, mut after) = (HashMap::new(), Value::Null);
        for _ in 0..MAX_PAGES {
            let (owner, name) = (&self.repository.owner, &self.repository.name);
            let variables = json!({"owner": owner, "name": name, "number": number, "after": after});
            let data = self.graphql(query, &variables).await?;
            let threads = &data["repository"]["pullRequest"]["reviewThreads"];
            for thread in threads["nodes"].as_array().into_iter().flatten() {
                let first = read::id(&thread["comments"]["nodes"][0]["databaseId"]);
                found.insert(first, thread["isResolved"] == true);
            }
            if threads["pageInfo"]["hasNextPage"] != true {
                break;
            }
            after = threads["pageInfo"]["endCursor"].clone();
        }
        Ok(found)
    }

    pub(super) async fn reply_in(&self, number: i64, thread: &Thread, body: &str) -> Result<Comment, ForgeError> {
        let marker = marker_in(body);
        let find = || async move {
            let Some(marker) = marker else { return Ok(None) };
            let comments = self.plain_threads(number).await?.into_iter().flat_map(|thread| thread.comments);
            Ok(posted(comments.collect(), marker, self.own().await?))
        };
        let known = marker.is_some();
        let comments = format!("pulls/{number}/comments");
        let replies = Call::post(self.at(&format!("{comments}/{}/replies", thread.id)), json!({"body": body}));
        let done = self.http.once(replies.about(THREADS), known, find).await?;
        // Some Apps may not use the first way, and may use the second.
        if let Once::Sent(reply) = &done
            && matches!(reply.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)
            && let Ok(top) = thread.id.parse::<i64>()
        {
            let second = Call::post(self.at(&comments), json!({"body": body, "in_reply_to": top}));
            return self.posted_comment(self.http.once(second.about(THREADS), known, find).await?);
        }
        self.posted_comment(done)
    }
}

/// Comments as threads, in the order of their first comments. A reply whose thread's first comment was deleted starts one.
fn grouped(items: &[Value]) -> Option<Vec<Thread>> {
    let mut threads: Vec<Thread> = Vec::new();
    for item in items {
        let comment = read::comment(item)?;
        let top = item["in_reply_to_id"].as_i64().map_or_else(|| comment.id.clone(), |id| id.to_string());
        if let Some(thread) = threads.iter_mut().find(|thread| thread.id == top) {
            thread.comments.push(comment);
            continue;
        }
        let line = item["line"].as_u64().or_else(|| item["original_line"].as_u64());
        threads.push(Thread {
            id: top,
            path: read::text(&item["path"]),
            line: line.and_then(|line| u32::try_from(line).ok()),
            side: if item["side"] == "LEFT" { Side::Old } else { Side::New },
            hunk: read::some_text(&item["diff_hunk"]),
            resolved: None,
            comments: vec![comment],
            review: item["pull_request_review_id"].as_i64().map(|id| id.to_string()),
        });
    }
    Some(threads)
}
