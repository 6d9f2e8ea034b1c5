//! Hides what looks like a secret: what agents print is kept, and their keys must not be.

use std::borrow::Cow;

/// How tokens of well-known services begin.
const BEGINNINGS: &[&str] = &[
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "sk-",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "ASIA",
    "AIza",
    "key_",
    "crsr_",
    "tat_",
    "npm_",
    "hf_",
    "eyJ",
];
/// What stands before a secret, in lower case.
const BEFORE: &[&str] =
    &["bearer ", "basic ", "password=", "passwd=", "token=", "secret=", "api_key=", "apikey=", "access_key="];
/// A shorter word is none.
const MIN_CHARS: usize = 16;
/// What stands in place of a secret.
const MASK: &str = "[secret]";

/// The text without what looks like a secret.
#[must_use]
pub(super) fn without_secrets(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = String::new();
    while let Some(c) = rest.chars().next() {
        if !is_of_word(c) {
            result.push(c);
            before.extend(c.to_lowercase());
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            continue;
        }
        let end = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        result.push_str(&hidden(word, &before));
        let keep = word.len().min(24);
        before = word.get(word.len() - keep..).unwrap_or_default().to_ascii_lowercase();
        rest = after;
    }
    result
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_./+~".contains(c)
}

fn hidden<'a>(word: &'a str, before: &str) -> Cow<'a, str> {
    let announced = BEFORE.iter().any(|text| before.ends_with(text)) && word.len() >= 6;
    let known = word.len() >= MIN_CHARS && BEGINNINGS.iter().any(|beginning| word.starts_with(beginning));
    if announced || known { Cow::Borrowed(MASK) } else { Cow::Borrowed(word) }
}

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn keys_and_tokens_are_hidden_and_words_stay() {
        for (text, expected) in [
            (
                "git push https://x:ghp_0123456789abcdefghij@github.com/o/r",
                "git push https://x:[secret]@github.com/o/r",
            ),
            ("Authorization: Bearer abcdef123456", "Authorization: Bearer [secret]"),
            ("OPENAI=sk-proj-abcdefghijklmnop", "OPENAI=[secret]"),
            ("curl -d password=hunter22 x", "curl -d password=[secret] x"),
            ("the token is short", "the token is short"),
            ("src/key_store/mod.rs sk-x é", "src/key_store/mod.rs sk-x é"),
        ] {
            assert_eq!(without_secrets(text), expected);
        }
    }
}
