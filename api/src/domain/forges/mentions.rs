//! Whether a comment mentions the bot.

/// Whether the text mentions this account as a whole word, outside of quotations and code. `visible` is what
/// [`terarchitect_worker_api::visible`] left of it; an app's account is also meant without its `[bot]`.
#[must_use]
pub fn mentions(visible: &str, login: &str) -> bool {
    let name = plain_login(login);
    if name.is_empty() {
        return false;
    }
    let said = without_quotations_and_code(visible).to_lowercase();
    said.match_indices(&format!("@{name}")).any(|(at, found)| {
        let before = said[..at].chars().next_back();
        let mut after = said[at + found.len()..].trim_start_matches("[bot]").chars();
        let (next, next_but_one) = (after.next(), after.next());
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/' | '@');
        let ends_in_a_dot = next == Some('.') && next_but_one.is_some_and(char::is_alphanumeric);
        !before.is_some_and(|c| is_part(c) || c == '.') && !next.is_some_and(is_part) && !ends_in_a_dot
    })
}

/// An account's name in lower case, without `[bot]`.
#[must_use]
pub fn plain_login(login: &str) -> String {
    let login = login.trim().trim_start_matches('@').to_lowercase();
    login.strip_suffix("[bot]").unwrap_or(&login).to_owned()
}

fn without_quotations_and_code(text: &str) -> String {
    let mut fence: Option<&str> = None;
    let mut said = String::new();
    for line in text.lines() {
        let start = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, Some(mark)) => fence = Some(mark),
            (None, None) if !start.starts_with('>') => {
                // Every second piece between backticks is code, where they are closed.
                let pieces: Vec<&str> = line.split('`').collect();
                let closed = pieces.len() % 2 == 1;
                for (number, piece) in pieces.iter().enumerate() {
                    said.push_str(if number % 2 == 0 || !closed { piece } else { " " });
                }
                said.push('\n');
            }
            _ => {}
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mention_is_a_whole_word_that_the_writer_says() {
        for text in [
            "@terabot fix this",
            "please, @TeraBot.",
            "(@terabot)",
            "@terabot[bot] go",
            "see\n@terabot",
            "@terabot's turn",
            "`code` @terabot",
            "@terabot: now",
            "a ` alone @terabot",
        ] {
            assert!(mentions(text, "terabot[bot]"), "{text}");
        }
        for text in [
            "terabot",
            "@terabot2",
            "@terabot-x",
            "x@terabot",
            "@terabot/team",
            "@terabot.example",
            "mail a.@terabot",
            "> @terabot fix",
            "`@terabot`",
            "```\n@terabot\n```",
            "~~~\n```\n@terabot\n~~~",
            "@terabo",
            "",
        ] {
            assert!(!mentions(text, "terabot[bot]"), "{text}");
        }
        assert!(!mentions("@ everyone", ""));
    }
}
