//! The points of a review's job, as its runner gets them: bounded, and without what a person does not see.

use super::CommentKind;
use super::conversation::Remark;
use super::job_text::{MAX_BYTES, Order, end, words};
use super::read::stored;
use terarchitect_worker_api::{ReviewPoint, ReviewRemark, seen, visible};
use uuid::Uuid;

/// The longest piece of a diff, in bytes: its end, where the line is.
const MAX_HUNK_BYTES: usize = 8 * 1024;

/// An order of a job.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    /// The comment.
    pub id: Uuid,
    /// What it says, and about what.
    pub order: Order<'a>,
    /// Its thread.
    pub thread: Option<&'a str>,
    /// What was said before in that.
    pub conversation: &'a [Remark],
}

/// The points of a job. Together they are about as long as a job's text may be, and none takes the room of the others.
#[must_use]
pub fn points(orders: &[Point<'_>]) -> Vec<ReviewPoint> {
    let room = MAX_BYTES / orders.len().max(1);
    orders.iter().map(|point| one(point, room)).collect()
}

fn one(Point { id, order, thread, conversation }: &Point<'_>, room: usize) -> ReviewPoint {
    let has_thread = order.kind == CommentKind::Line;
    let hunk = order.hunk.map(|hunk| end(&seen(hunk), MAX_HUNK_BYTES.min(room / 4)).to_owned());
    ReviewPoint {
        id: *id,
        kind: order.kind.as_str().to_owned(),
        author: seen(order.author),
        thread_id: thread.filter(|_| has_thread).map(str::to_owned),
        path: order.path.map(seen),
        line: order.line,
        hunk: hunk.filter(|hunk| !hunk.is_empty()),
        text: words(order, room / 2),
        conversation: latest(conversation, room / 4),
    }
}

/// The first remark, which the thread is about, and as many of the last ones as there is room for.
fn latest(conversation: &[Remark], room: usize) -> Vec<ReviewRemark> {
    let [first, rest @ ..] = conversation else { return Vec::new() };
    let first = Remark { text: stored(&first.text, room / 2), ..first.clone() };
    let mut left = room - first.text.len();
    let fits = |remark: &&Remark| {
        let is_so = remark.text.len() <= left;
        left = left.saturating_sub(remark.text.len());
        is_so
    };
    let mut kept: Vec<&Remark> = rest.iter().rev().take_while(fits).collect();
    kept.push(&first);
    let remark = |remark: &Remark| ReviewRemark { author: seen(&remark.author), text: visible(&remark.text) };
    kept.into_iter().rev().map(remark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order<'a>(kind: CommentKind, body: &'a str) -> Order<'a> {
        let (path, hunk) = (Some("src/a.rs"), Some("@@ -1 +1 @@\n+a\u{202e}"));
        Order { kind, author: "ann", body, path, line: Some(3), hunk, log: None }
    }

    #[test]
    fn a_point_has_its_place_and_its_conversation() {
        let said = |text: &str| Remark { author: "bob".to_owned(), text: text.to_owned() };
        let conversation = [said("first"), said("second")];
        let line = order(CommentKind::Line, "do it <!-- evil -->");
        let point = Point { id: Uuid::nil(), order: line, thread: Some("11"), conversation: &conversation };
        let general = Point { order: order(CommentKind::General, "and this"), ..point };
        let [line, general] = points(&[point, general]).try_into().unwrap();
        assert_eq!((line.kind.as_str(), line.thread_id.as_deref(), line.line), ("line", Some("11"), Some(3)));
        assert_eq!((line.hunk.as_deref(), line.text.as_str()), (Some("@@ -1 +1 @@\n+a"), "do it"));
        let texts: Vec<&str> = line.conversation.iter().map(|remark| remark.text.as_str()).collect();
        assert_eq!(texts, ["first", "second"]);
        assert_eq!(general.thread_id, None, "GitLab's discussions of the whole pull request are no threads at a line");
    }

    #[test]
    fn none_takes_the_room_of_the_others() {
        let long = "ä".repeat(MAX_BYTES);
        let said = |text: &str| Remark { author: "bob".to_owned(), text: text.to_owned() };
        let conversation = [said("first"), said(&long), said("last")];
        let order = Order { hunk: Some(&long), ..order(CommentKind::Line, &long) };
        let all: Vec<_> =
            (0..40).map(|_| Point { id: Uuid::nil(), order, thread: None, conversation: &conversation }).collect();
        let points = points(&all);
        assert!(serde_json::to_string(&points).unwrap().len() < MAX_BYTES + 40 * 300);
        let texts: Vec<&str> = points[0].conversation.iter().map(|remark| remark.text.as_str()).collect();
        assert_eq!(texts, ["first", "last"]);
    }
}
