//! The piece of a diff that ends at a line. GitLab sends a file's whole diff, and no hunk with a note.

use crate::types::Side;

/// The most lines of a hunk that are kept, those before the line.
const MAX_LINES: usize = 30;

/// The end of the hunk that has the line, up to it, below its header.
pub(super) fn ending_at(diff: &str, line: u32, side: Side) -> Option<String> {
    let mut hunk: Vec<&str> = Vec::new();
    let (mut header, mut old, mut new) = ("", 0_u32, 0_u32);
    for text in diff.lines() {
        if let Some((from, to)) = starts(text) {
            (header, old, new) = (text, from, to);
            hunk.clear();
            continue;
        }
        if header.is_empty() || text.starts_with('\\') {
            continue;
        }
        hunk.push(text);
        let is_it = match side {
            Side::New => !text.starts_with('-') && new == line,
            Side::Old => !text.starts_with('+') && old == line,
        };
        if is_it {
            let kept = &hunk[hunk.len().saturating_sub(MAX_LINES)..];
            return Some(format!("{header}\n{}", kept.join("\n")));
        }
        old += u32::from(!text.starts_with('+'));
        new += u32::from(!text.starts_with('-'));
    }
    None
}

/// The first lines of a hunk whose header this is: `@@ -1,2 +3,4 @@`.
fn starts(text: &str) -> Option<(u32, u32)> {
    let mut ranges = text.strip_prefix("@@ ")?.split(' ');
    let mut first = |sign: char| ranges.next()?.strip_prefix(sign)?.split(',').next()?.parse().ok();
    Some((first('-')?, first('+')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n@@ -10,2 +10,3 @@ fn f()\n x\n+y\n z\n";

    #[test]
    fn a_hunk_ends_at_its_line() {
        assert_eq!(ending_at(DIFF, 2, Side::New).as_deref(), Some("@@ -1,3 +1,3 @@\n a\n-b\n+B"));
        assert_eq!(ending_at(DIFF, 2, Side::Old).as_deref(), Some("@@ -1,3 +1,3 @@\n a\n-b"));
        assert_eq!(ending_at(DIFF, 11, Side::New).as_deref(), Some("@@ -10,2 +10,3 @@ fn f()\n x\n+y"));
        assert_eq!(ending_at(DIFF, 7, Side::New), None);
        assert_eq!(ending_at("", 1, Side::New), None);
    }
}
