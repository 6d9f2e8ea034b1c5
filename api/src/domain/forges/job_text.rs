//! What a review's job says in the contract's `comment_body`: every order of it, for an agent to read.

use super::CommentKind;
use terarchitect_worker_api::{seen, visible};

/// The longest text of a job, in bytes. It is a variable of the runner's environment, and Linux starts no program with one
/// of more than 128 KiB.
pub const MAX_BYTES: usize = 96 * 1024;
/// The longest end of a check's log, in bytes.
pub const MAX_LOG_BYTES: usize = 16 * 1024;

/// One order.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// What it is.
    pub kind: CommentKind,
    /// Who gave it.
    pub author: &'a str,
    /// What was said.
    pub body: &'a str,
    /// The file.
    pub path: Option<&'a str>,
    /// The line.
    pub line: Option<i32>,
    /// The part of the diff that ends with that line.
    pub hunk: Option<&'a str>,
    /// Of a check: the end of its log.
    pub log: Option<&'a str>,
}

/// The text of a job. A single remark about the pull request is passed on as it is.
#[must_use]
pub fn text(orders: &[Order<'_>]) -> String {
    if let [only] = orders
        && only.path.is_none()
        && only.kind != CommentKind::Check
    {
        return cut(visible(only.body), MAX_BYTES);
    }
    let room = MAX_BYTES / orders.len().max(1);
    orders.iter().map(|order| cut(section(order, room), room)).collect::<Vec<_>>().join("\n\n")
}

/// What an order says, with the end of a check's log, in about so many bytes.
#[must_use]
pub fn words(order: &Order<'_>, room: usize) -> String {
    let log = order.log.map(seen).filter(|log| !log.trim().is_empty());
    let log = log.map(|log| format!("\n\nThe end of its log:\n\n{}", fenced("text", end(&log, room / 2))));
    format!("{}{}", cut(visible(order.body), room), log.unwrap_or_default())
}

fn section(order: &Order<'_>, room: usize) -> String {
    let head = match (order.kind, order.path, order.line) {
        (CommentKind::Check, _, _) => "A check failed".to_owned(),
        (CommentKind::Conflict, _, _) => "A conflict with the base".to_owned(),
        (_, Some(path), Some(line)) => format!("{} about {path}, line {line}", order.author),
        (_, Some(path), None) => format!("{} about {path}", order.author),
        _ => order.author.to_owned(),
    };
    let hunk = order.hunk.map(|hunk| format!("{}\n\n", fenced("diff", &seen(hunk)))).unwrap_or_default();
    format!("## {}\n\n{hunk}{}", head.replace(['\n', '\r'], " "), words(order, room))
}

/// In a fence that nothing inside can close.
fn fenced(kind: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{kind}\n{text}\n{fence}")
}

/// The end of a text, in at most so many bytes.
#[must_use]
pub fn end(text: &str, max_bytes: usize) -> &str {
    let mut start = text.len().saturating_sub(max_bytes);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

/// The beginning of a text, with a note where the rest of it is left out.
#[must_use]
pub fn cut(text: String, room: usize) -> String {
    if text.len() <= room {
        return text;
    }
    let mut end = room;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}\n\n(cut here: the comment is longer)", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order<'a>(kind: CommentKind, body: &'a str, path: Option<&'a str>) -> Order<'a> {
        Order {
            kind,
            author: "ann",
            body,
            path,
            line: path.map(|_| 3),
            hunk: path.map(|_| "@@ -1 +1 @@\n+```x"),
            log: None,
        }
    }

    #[test]
    fn one_remark_is_passed_on_as_it_is() {
        assert_eq!(text(&[order(CommentKind::General, "do it <!-- x -->", None)]), "do it");
    }

    #[test]
    fn several_have_their_places_and_nothing_that_cannot_be_seen() {
        let said = text(&[
            order(CommentKind::Line, "rename\u{200b} this", Some("src/a.rs")),
            order(CommentKind::General, "and<!-- evil --> test it", None),
            order(CommentKind::Check, "build: failure", None),
        ]);
        assert_eq!(
            said,
            "## ann about src/a.rs, line 3\n\n````diff\n@@ -1 +1 @@\n+```x\n````\n\nrename this\n\n\
             ## ann\n\nand test it\n\n## A check failed\n\nbuild: failure"
        );
    }

    #[test]
    fn none_takes_the_room_of_the_others() {
        let long = "ä".repeat(MAX_BYTES);
        let said = text(&[order(CommentKind::General, &long, None), order(CommentKind::General, "last", None)]);
        assert!(said.len() < MAX_BYTES && said.ends_with("## ann\n\nlast"), "{}", said.len());
        assert!(text(&[order(CommentKind::General, &long, None)]).ends_with("is longer)"));
    }

    #[test]
    fn a_check_has_the_end_of_its_log_in_a_fence() {
        let log = format!("{}\u{1b}\u{202e}FAILED\n```", "ä".repeat(MAX_BYTES));
        let check = Order { log: Some(&log), ..order(CommentKind::Check, "build: failure", None) };
        let said = text(&[check, order(CommentKind::General, "and test it", None)]);
        assert!(
            said.starts_with("## A check failed\n\nbuild: failure\n\nThe end of its log:\n\n````text\nä"),
            "{said}"
        );
        assert!(said.ends_with("äFAILED\n```\n````\n\n## ann\n\nand test it"), "{said}");
        assert!(said.len() < MAX_BYTES);
    }
}
