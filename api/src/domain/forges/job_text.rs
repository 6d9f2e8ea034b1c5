//! What a review's job says in the contract's `comment_body`: every order of it, for an agent to read.

use super::CommentKind;
use terarchitect_worker_api::{seen, visible};

/// The longest text of a job, in bytes. It is a variable of the runner's environment, and Linux starts no program with one
/// of more than 128 KiB.
const MAX_BYTES: usize = 96 * 1024;

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
    orders.iter().map(|order| cut(section(order), room)).collect::<Vec<_>>().join("\n\n")
}

fn section(order: &Order<'_>) -> String {
    let head = match (order.kind, order.path, order.line) {
        (CommentKind::Check, _, _) => "A check failed".to_owned(),
        (CommentKind::Conflict, _, _) => "A conflict with the base".to_owned(),
        (_, Some(path), Some(line)) => format!("{} about {path}, line {line}", order.author),
        (_, Some(path), None) => format!("{} about {path}", order.author),
        _ => order.author.to_owned(),
    };
    let hunk = order.hunk.map(|hunk| format!("{}\n\n", fenced(&seen(hunk)))).unwrap_or_default();
    format!("## {}\n\n{hunk}{}", head.replace(['\n', '\r'], " "), visible(order.body))
}

/// In a fence that nothing inside can close.
fn fenced(hunk: &str) -> String {
    let longest = hunk.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}diff\n{hunk}\n{fence}")
}

fn cut(text: String, room: usize) -> String {
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
        Order { kind, author: "ann", body, path, line: path.map(|_| 3), hunk: path.map(|_| "@@ -1 +1 @@\n+```x") }
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
}
