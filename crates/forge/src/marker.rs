//! Markers: the last line of each text that Terarchitect posts, by which it finds after a lost response what it has posted.

/// The line that marks a text of this key. A key is unique for each effect, such as one reply in one thread.
#[must_use]
pub fn marker(key: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || ":._/-".contains(c) { c } else { '_' };
    // Two dashes end a comment.
    let key = key.chars().map(allowed).collect::<String>().replace("--", "__");
    format!("<!-- terarchitect:{key} -->")
}

/// The text with its marker on the last line.
#[must_use]
pub fn marked(body: &str, key: &str) -> String {
    format!("{}\n\n{}", body.trim_end(), marker(key))
}

/// The marker on a text's last line.
#[must_use]
pub fn marker_in(body: &str) -> Option<&str> {
    let last = body.trim_end().lines().next_back()?.trim();
    let is_marker = last.starts_with("<!-- terarchitect:") && last.ends_with("-->");
    is_marker.then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_where_it_was_put_and_cannot_be_closed_by_its_key() {
        let text = marked("Done.\n", "reply:1-2 --><b>");
        assert_eq!(marker_in(&text), Some("<!-- terarchitect:reply:1-2_____b_ -->"));
        assert_eq!(marker_in(&text.replace('\n', "\r\n")), Some("<!-- terarchitect:reply:1-2_____b_ -->"));
        assert_eq!(marker_in("> <!-- terarchitect:x -->\n\nQuoted."), None);
        assert_eq!(marker_in(""), None);
    }
}
