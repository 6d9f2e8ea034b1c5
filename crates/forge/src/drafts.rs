//! Drafts at forges that know them by a word at the beginning of the title.

/// The words that make a draft, in lower case.
pub(crate) const GITEA: &[&str] = &["wip:", "[wip]", "draft:", "[draft]"];
/// The words that make a draft, in lower case.
pub(crate) const GITLAB: &[&str] = &["draft:", "[draft]", "(draft)", "wip:", "[wip]"];

/// Whether a title says that it is a draft, and the title without that word.
pub(crate) fn read<'a>(title: &'a str, words: &[&str]) -> (bool, &'a str) {
    let (mut is_draft, mut rest) = (false, title.trim());
    while let Some(word) =
        words.iter().find(|word| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))
    {
        (is_draft, rest) = (true, rest[word.len()..].trim_start());
    }
    (is_draft, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_known_by_its_title() {
        assert_eq!(read("Draft: WIP: Fix it", GITLAB), (true, "Fix it"));
        assert_eq!(read("[wip] Fix it", GITEA), (true, "Fix it"));
        assert_eq!(read("Drafting: Fix it", GITLAB), (false, "Drafting: Fix it"));
        assert_eq!(read("é", GITEA), (false, "é"));
    }
}
