//! The texts in Rust source: every string literal outside of comments, attributes and tests, and what it is used for.

use proc_macro2::{Delimiter, Group, Literal, TokenStream, TokenTree};
use std::path::{Path, PathBuf};

/// What stands for each part of a message that is only known when it is shown.
pub(crate) const VARIABLE: char = '…';

/// What a text is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// The text of an error: `#[error("…")]`.
    Error,
    /// A line of the log that asks a person to act: `tracing::error!`.
    Log,
    /// A line of the log about what passes by itself: `tracing::warn!`.
    Warning,
    /// Anything else.
    Other,
}

/// A text of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The text as it is shown, with `…` in place of what varies.
    pub(crate) text: String,
    /// What it is used for.
    pub(crate) is: Use,
}

/// Files to read: one, or all that are below a folder.
pub(crate) fn files(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries.flat_map(|entry| files(&entry)).collect();
    found.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    found.sort();
    found
}

/// All texts of a file.
pub(crate) fn messages(source: &str) -> Vec<Message> {
    let mut found = Vec::new();
    read(source.parse().expect("it is Rust"), &mut found);
    found
}

fn read(tokens: TokenStream, found: &mut Vec<Message>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at..] {
            [TokenTree::Punct(hash), TokenTree::Group(attribute), ..]
                if hash.as_char() == '#' && attribute.delimiter() == Delimiter::Bracket =>
            {
                let words = attribute.stream().to_string().replace(' ', "");
                at += if words == "cfg(test)" { 2 + length_of_item(&tokens[at + 2..]) } else { 2 };
                if words.starts_with("error(")
                    && let Some(TokenTree::Group(words)) = attribute.stream().into_iter().nth(1)
                {
                    found.extend(text_of(&words).map(|text| Message { text, is: Use::Error }));
                }
            }
            // The documentation of a file: `#![doc = "…"]`.
            [TokenTree::Punct(hash), TokenTree::Punct(bang), TokenTree::Group(_), ..]
                if hash.as_char() == '#' && bang.as_char() == '!' =>
            {
                at += 3;
            }
            [TokenTree::Ident(name), TokenTree::Punct(bang), TokenTree::Group(words), ..] if bang.as_char() == '!' => {
                match name.to_string().as_str() {
                    "trace" | "debug" | "info" => {}
                    "error" => found.extend(text_of(words).map(|text| Message { text, is: Use::Log })),
                    "warn" => found.extend(text_of(words).map(|text| Message { text, is: Use::Warning })),
                    _ => read(words.stream(), found),
                }
                at += 3;
            }
            // A proven invariant's words are for programmers.
            [TokenTree::Ident(name), TokenTree::Group(_), ..] if name == "expect" => at += 2,
            [TokenTree::Group(group), ..] => {
                read(group.stream(), found);
                at += 1;
            }
            [TokenTree::Literal(literal), ..] => {
                found.extend(shown(literal).map(|text| Message { text, is: Use::Other }));
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// How many tokens the item has that begins here: up to its body, or up to its semicolon.
fn length_of_item(tokens: &[TokenTree]) -> usize {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        _ => false,
    };
    tokens.iter().position(ends).map_or(tokens.len(), |end| end + 1)
}

/// The text of an error or a line of the log: the first literal that is not the value of a field.
fn text_of(words: &Group) -> Option<String> {
    let mut is_value = false;
    for token in words.stream() {
        match &token {
            TokenTree::Literal(literal) if !is_value => return shown(literal),
            token => is_value = matches!(token, TokenTree::Punct(punct) if punct.as_char() == '='),
        }
    }
    None
}

/// A text literal's text as it is shown.
fn shown(literal: &Literal) -> Option<String> {
    let text = syn::parse_str::<syn::LitStr>(&literal.to_string()).ok()?;
    let mut shown = String::new();
    let value = text.value();
    let mut characters = value.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '{' if characters.next_if_eq(&'{').is_none() => {
                characters.by_ref().find(|c| *c == '}');
                shown.push(VARIABLE);
            }
            '}' => {
                characters.next_if_eq(&'}');
                shown.push('}');
            }
            c => shown.push(c),
        }
    }
    Some(shown.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<(String, Use)> {
        messages(source).into_iter().map(|message| (message.text, message.is)).collect()
    }

    #[test]
    fn texts_are_as_they_are_shown() {
        let source = r#"
            #[derive(Debug, thiserror::Error)]
            enum E { #[error("{url} is gone ({}); \
                      do it", short("x"))] Gone }
            fn f() { g(format!("one {{brace}} and {name:?}\n in a line"), 'c', b"bytes", 7) }
        "#;
        let found = [("… is gone (…); do it", Use::Error), ("one {brace} and … in a line", Use::Other)];
        assert_eq!(texts(source), found.map(|(text, is)| (text.to_owned(), is)));
    }

    #[test]
    fn what_a_text_is_used_for_is_known() {
        let source = r#"fn f() {
            tracing::error!(error = "a value", "it {}", g("nested"));
            tracing::warn!("it passes"); tracing::info!("it is well"); bail!("it ends");
        }"#;
        let found = [("it …", Use::Log), ("it passes", Use::Warning), ("it ends", Use::Other)];
        assert_eq!(texts(source), found.map(|(text, is)| (text.to_owned(), is)));
    }

    #[test]
    fn comments_attributes_invariants_and_tests_have_no_messages() {
        let source = r#"
            //! the file
            /// an item
            #[arg(help = "an option")]
            fn f() { g().expect("an invariant") } // a comment
            #[cfg(test)]
            mod tests { fn f() { g("a test") } }
            #[cfg(test)]
            use g as h;
        "#;
        assert_eq!(texts(source), []);
    }
}
