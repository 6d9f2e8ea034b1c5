//! Short texts for logs and titles.

/// How many files a log entry names; its details have all of them.
const MAX_NAMED: usize = 5;

/// The first of some paths, and how many more there are.
pub(super) fn named(paths: &[String]) -> String {
    let first = paths.iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if paths.len() > MAX_NAMED { format!("{first} and {} more", paths.len() - MAX_NAMED) } else { first }
}

/// A text without line breaks and other control characters, and without what changes the direction of writing: with that,
/// a title could show something other than what it says.
pub(super) fn one_line(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let text: String = text.chars().filter(|c| !turns(*c)).map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn a_title_is_one_line_that_shows_what_it_says() {
        assert_eq!(one_line(" Fix\r\n\u{202e}the\u{2066} \0 café "), "Fix the café");
    }
}
