//! Quick actions: a line of a text that starts with `/` is a command at GitLab, such as `/merge`, and is carried out with
//! the rights of who posts it. What an agent writes must not be one.

/// The text with every line that would be a command shown as it is instead.
pub(super) fn without_actions(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let spaces = line.len() - line.trim_start().len();
        let (indent, rest) = line.split_at(spaces);
        out.push_str(indent);
        if rest.starts_with('/') {
            out.push('\\');
        }
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_becomes_text() {
        assert_eq!(without_actions("/merge\nSee /usr.\r\n  /close"), "\\/merge\nSee /usr.\r\n  \\/close");
        assert_eq!(without_actions("Done.\n\n<!-- terarchitect:x -->"), "Done.\n\n<!-- terarchitect:x -->");
    }
}
