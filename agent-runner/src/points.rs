//! The points of a review as the API gives them, numbered by the threads that get a reply. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;
use terarchitect_worker_api::{ReviewContext, ReviewPoint, ReviewReply, seen, visible};
use uuid::Uuid;

/// The longest reply in a thread, in bytes.
const MAX_REPLY_BYTES: usize = 8 * 1024;
/// The longest that all of them together are, in bytes.
const MAX_REPLIES_BYTES: usize = 256 * 1024;

/// What reviewers say, point by point. Empty where the API says it only as one text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Points(Vec<ReviewPoint>);

/// A thread that gets a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReviewThread<'a> {
    /// What prompts and models call it, from 1.
    pub number: u32,
    /// Its latest point, which the reply is to.
    pub point: Uuid,
    /// The file that it is about.
    pub path: Option<&'a str>,
    /// The line.
    pub line: Option<i32>,
}

impl Points {
    /// The points of a job.
    #[must_use]
    pub fn of(context: Option<&ReviewContext>) -> Self {
        Self(context.map(|context| context.points.clone()).unwrap_or_default())
    }

    /// The threads, in the order of their first points.
    #[must_use]
    pub fn threads(&self) -> Vec<ReviewThread<'_>> {
        let mut ids: Vec<&str> = Vec::new();
        let mut threads: Vec<ReviewThread<'_>> = Vec::new();
        for point in &self.0 {
            let Some(id) = point.thread_id.as_deref() else { continue };
            if let Some(at) = ids.iter().position(|known| *known == id) {
                threads[at].point = point.id;
                continue;
            }
            ids.push(id);
            let number = u32::try_from(ids.len()).unwrap_or(u32::MAX);
            threads.push(ReviewThread { number, point: point.id, path: point.path.as_deref(), line: point.line });
        }
        threads
    }

    /// The threads for prompts, a line for each; empty if there are none.
    #[must_use]
    pub fn list(&self) -> String {
        let lines = self.threads().into_iter().map(|thread| format!("- Thread {}: {}", thread.number, thread.place()));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Everything that is said, for prompts; empty if there are no points.
    #[must_use]
    pub fn render(&self) -> String {
        let threads = self.threads();
        let mut ids: Vec<&str> = Vec::new();
        let mut text = String::new();
        for point in &self.0 {
            let thread = point.thread_id.as_deref().map(|id| {
                ids.iter().position(|known| *known == id).unwrap_or_else(|| {
                    ids.push(id);
                    ids.len() - 1
                })
            });
            let thread = thread.and_then(|at| threads.get(at));
            text.push_str(&one(point, thread));
        }
        text.trim_end().to_owned()
    }

    /// The replies: what was said about each thread, or else `without`, and what `ending` adds for the file that the thread
    /// is about.
    #[must_use]
    pub fn replies(
        &self,
        said: &BTreeMap<u32, String>,
        without: &str,
        ending: impl Fn(Option<&str>) -> String,
    ) -> Vec<ReviewReply> {
        let threads = self.threads();
        let room = MAX_REPLY_BYTES.min(MAX_REPLIES_BYTES / threads.len().max(1));
        let reply = |thread: ReviewThread<'_>| {
            let said = said.get(&thread.number).map(|text| text.trim()).filter(|text| !text.is_empty());
            let said = said.unwrap_or(without);
            let cut = &said[..said.floor_char_boundary(room)];
            let more = if cut.len() < said.len() { "\n\n(cut)" } else { "" };
            ReviewReply { point_id: thread.point, body: format!("{cut}{more}\n\n{}", ending(thread.path)) }
        };
        threads.into_iter().map(reply).collect()
    }
}

impl ReviewThread<'_> {
    /// Where it is.
    #[must_use]
    pub fn place(&self) -> String {
        match (self.path, self.line) {
            (Some(path), Some(line)) => format!("{}, line {line}", one_line(path)),
            (Some(path), None) => one_line(path),
            _ => "a line".to_owned(),
        }
    }
}

fn one(point: &ReviewPoint, thread: Option<&ReviewThread<'_>>) -> String {
    let author = one_line(&point.author);
    let head = match (thread, point.kind.as_str()) {
        (Some(thread), _) => format!("Thread {}: {author} about {}", thread.number, thread.place()),
        (None, "check") => "A check failed".to_owned(),
        (None, "conflict") => "A conflict with the base".to_owned(),
        (None, "review") => format!("{author}, about the review as a whole"),
        (None, _) => format!("{author}, about the pull request"),
    };
    let mut text = format!("## {head}\n\n");
    if let Some(hunk) = &point.hunk {
        let _ = write!(text, "The change there:\n\n{}\n\n", quoted(&seen(hunk)));
    }
    if !point.conversation.is_empty() {
        text.push_str("Said there before:\n\n");
        for remark in &point.conversation {
            let _ = write!(text, "{}:\n{}\n\n", one_line(&remark.author), quoted(&visible(&remark.text)));
        }
        let _ = write!(text, "And now {author}:\n\n");
    }
    let _ = write!(text, "{}\n\n", visible(&point.text));
    text
}

fn quoted(text: &str) -> String {
    text.lines().map(|line| format!("> {line}")).collect::<Vec<_>>().join("\n")
}

fn one_line(text: &str) -> String {
    seen(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use terarchitect_worker_api::ReviewRemark;

    fn point(number: u128, thread: Option<&str>, text: &str) -> ReviewPoint {
        let at = thread.map(|_| "src/a.rs".to_owned());
        ReviewPoint {
            id: Uuid::from_u128(number),
            kind: if thread.is_some() { "line" } else { "general" }.to_owned(),
            author: "ann".to_owned(),
            thread_id: thread.map(str::to_owned),
            line: at.as_ref().map(|_| 3),
            path: at,
            text: text.to_owned(),
            ..ReviewPoint::default()
        }
    }

    fn points() -> Points {
        let remark = |author: &str, text: &str| ReviewRemark { author: author.to_owned(), text: text.to_owned() };
        let conversation = vec![remark("bob", "Why?\n\nReally."), remark("bot", "So it is short.")];
        Points(vec![
            ReviewPoint { hunk: Some("@@ -1 +1 @@\n+a".into()), ..point(1, Some("11"), "rename it <!-- evil -->") },
            point(2, None, "and the README"),
            ReviewPoint { conversation, ..point(3, Some("21"), "then say so") },
            point(4, Some("11"), "and test it"),
        ])
    }

    #[test]
    fn threads_are_numbered_and_answered_at_their_latest_point() {
        let points = points();
        let threads: Vec<(u32, u128)> =
            points.threads().iter().map(|thread| (thread.number, thread.point.as_u128())).collect();
        assert_eq!(threads, [(1, 4), (2, 3)]);
        assert_eq!(points.list(), "- Thread 1: src/a.rs, line 3\n- Thread 2: src/a.rs, line 3");
        assert_eq!(
            points.render(),
            "## Thread 1: ann about src/a.rs, line 3\n\nThe change there:\n\n> @@ -1 +1 @@\n> +a\n\nrename it\n\n\
             ## ann, about the pull request\n\nand the README\n\n\
             ## Thread 2: ann about src/a.rs, line 3\n\nSaid there before:\n\nbob:\n> Why?\n> \n> Really.\n\n\
             bot:\n> So it is short.\n\nAnd now ann:\n\nthen say so\n\n\
             ## Thread 1: ann about src/a.rs, line 3\n\nand test it"
        );
        assert_eq!((Points::default().render(), Points::default().list()), (String::new(), String::new()));
    }

    #[test]
    fn a_thread_without_a_reply_gets_an_honest_one() {
        let said = BTreeMap::from([(2, " Said so. ".to_owned()), (7, "Nobody's.".to_owned())]);
        let replies = points().replies(&said, "See above.", |path| format!("In {}.", path.unwrap_or_default()));
        let expected = [(4, "See above.\n\nIn src/a.rs."), (3, "Said so.\n\nIn src/a.rs.")];
        let found: Vec<(u128, &str)> =
            replies.iter().map(|reply| (reply.point_id.as_u128(), reply.body.as_str())).collect();
        assert_eq!(found, expected);
        let long = BTreeMap::from([(1, "ä".repeat(MAX_REPLY_BYTES))]);
        let replies = points().replies(&long, "", |_| "End.".to_owned());
        assert!(replies[0].body.len() < MAX_REPLY_BYTES + 20 && replies[0].body.ends_with("ä\n\n(cut)\n\nEnd."));
    }
}
