//! Threads at lines at GitLab: discussions whose first note is at a line.

use super::quick::without_actions;
use super::{GitLab, PER_PAGE, hunk, read};
use crate::http::{Call, segment};
use crate::own::posted;
use crate::types::{Comment, Side, Thread};
use crate::{ForgeError, marker_in};
use serde_json::{Value, json};

const THREADS: &str = "the threads";

impl GitLab {
    pub(super) async fn threads_of(&self, number: i64) -> Result<Vec<Thread>, ForgeError> {
        let mut discussions = self.list(self.of(number, "discussions"), THREADS).await?;
        discussions.retain(|discussion| discussion["notes"][0]["type"] == "DiffNote");
        let page = format!("{}/-/merge_requests/{number}", self.page());
        let mut threads: Vec<Thread> = discussions
            .iter()
            .map(|discussion| thread(discussion, &page))
            .collect::<Option<_>>()
            .ok_or_else(|| self.http.odd(THREADS))?;
        if threads.is_empty() {
            return Ok(threads);
        }
        let head = self.read_pull(number).await?.head.sha;
        let diffs = self.diffs(number).await?;
        for (thread, discussion) in threads.iter_mut().zip(&discussions) {
            // The line's number is that of the head at which it was written.
            let (Some(line), true) = (thread.line, discussion["notes"][0]["position"]["head_sha"] == head.as_str())
            else {
                continue;
            };
            let diff = diffs
                .iter()
                .find(|diff| diff["new_path"] == thread.path.as_str() || diff["old_path"] == thread.path.as_str());
            let diff = diff.and_then(|diff| diff["diff"].as_str());
            thread.hunk = diff.and_then(|diff| hunk::ending_at(diff, line, thread.side));
        }
        Ok(threads)
    }

    /// The diff of each file; none before GitLab 15.7.
    async fn diffs(&self, number: i64) -> Result<Vec<Value>, ForgeError> {
        let call = Call::get(self.of(number, "diffs")).query("per_page", PER_PAGE).about(THREADS);
        match self.http.pages(&call, None).await {
            Err(ForgeError::NotFound { .. }) => Ok(Vec::new()),
            diffs => diffs,
        }
    }

    pub(super) async fn reply_in(&self, number: i64, thread: &Thread, body: &str) -> Result<Comment, ForgeError> {
        let marker = marker_in(body);
        let discussion = self.of(number, &format!("discussions/{}", segment(&thread.id)));
        let of = format!("merge_requests/{number}");
        let (path, page) = (discussion.as_str(), format!("{}/-/{of}", self.page()));
        let page = page.as_str();
        let find = || async move {
            let Some(marker) = marker else { return Ok(None) };
            let json = self.http.ok(&Call::get(path).about(THREADS)).await?.json();
            let notes = json["notes"].as_array().into_iter().flatten();
            let comments = notes.filter_map(|note| read::comment(note, page)).collect();
            Ok(posted(comments, marker, Some(self.own().await?)))
        };
        let text = json!({"body": without_actions(body)});
        let call = Call::post(format!("{discussion}/notes"), text).about(THREADS);
        self.posted_note(self.http.once(call, marker.is_some(), find).await?, &of)
    }
}

fn thread(discussion: &Value, page: &str) -> Option<Thread> {
    let notes = discussion["notes"].as_array()?;
    let first = notes.first()?;
    let position = &first["position"];
    let at = |key: &str| position[key].as_u64().and_then(|line| u32::try_from(line).ok());
    let (line, side) = match at("new_line") {
        Some(line) => (Some(line), Side::New),
        None => (at("old_line"), if at("old_line").is_some() { Side::Old } else { Side::New }),
    };
    let path = if side == Side::New { &position["new_path"] } else { &position["old_path"] };
    let said = notes.iter().filter(|note| note["system"] != true);
    Some(Thread {
        id: discussion["id"].as_str()?.to_owned(),
        path: read::text(path),
        line,
        side,
        hunk: None,
        resolved: (first["resolvable"] == true).then(|| first["resolved"] == true),
        comments: said.map(|note| read::comment(note, page)).collect::<Option<_>>()?,
        review: None,
    })
}
