//! The piece of a diff that ends at a line.

/// The hunk that has the line, from its header up to the line.
pub(super) fn ending_at(diff: &str, line: u64, old_side: bool) -> Option<String> {
    let (mut kept, mut old, mut new) = (String::new(), 0_u64, 0_u64);
    for text in diff.lines() {
        if let Some((from, to)) = starts(text) {
            (kept, old, new) = (text.to_owned(), from, to);
            continue;
        }
        if kept.is_empty() || text.starts_with('\\') {
            continue;
        }
        kept.push('\n');
        kept.push_str(text);
        let is_it =
            if old_side { !text.starts_with('+') && old == line } else { !text.starts_with('-') && new == line };
        if is_it {
            return Some(kept);
        }
        old += u64::from(!text.starts_with('+'));
        new += u64::from(!text.starts_with('-'));
    }
    None
}

/// The first lines of a hunk whose header this is: `@@ -1,2 +3,4 @@`.
fn starts(text: &str) -> Option<(u64, u64)> {
    let mut ranges = text.strip_prefix("@@ ")?.split(' ');
    let mut first = |sign: char| ranges.next()?.strip_prefix(sign)?.split(',').next()?.parse().ok();
    Some((first('-')?, first('+')?))
}
