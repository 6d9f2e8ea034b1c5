//! `docs/when-something-is-wrong.md` against the messages of the programs, both ways: each message of the page is one of
//! the source, and each message of the source that a person may have to act on is on the page. Reads files alone.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

mod listed;
mod page;
mod source;

use listed::{PROGRAMS, Program, Take, UNLISTED};
use page::{Row, covers, rows, settings};
use source::{Message, files, messages};
use std::path::{Path, PathBuf};

const PAGE: &str = "docs/when-something-is-wrong.md";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The messages below a path.
fn messages_at(path: &str) -> Vec<Message> {
    files(&root().join(path)).iter().flat_map(|file| messages(&std::fs::read_to_string(file).unwrap())).collect()
}

/// A sentence for each message that needs a row and has none, and for each exception that no message needs.
fn without_a_row(path: &str, needed: &[Message], rows: &[Row], unlisted: &[(&str, &str, &str)]) -> Vec<String> {
    let has_row = |message: &Message| rows.iter().any(|row| covers(&row.text, &message.text));
    let mut excepted: Vec<&str> = Vec::new();
    let mut wrong = Vec::new();
    for message in needed.iter().filter(|message| !has_row(message)) {
        match unlisted.iter().find(|(of, text, _)| *of == path && covers(text, &message.text)) {
            Some((_, text, _)) => excepted.push(text),
            None => wrong.push(format!("{path}: no row for `{}`", message.text)),
        }
    }
    let unused = unlisted.iter().filter(|(of, text, _)| *of == path && !excepted.contains(text));
    wrong.extend(unused.map(|(_, text, _)| format!("{path}: no message needs the exception `{text}`")));
    wrong
}

/// A sentence for each row that is no message of its program.
fn without_a_message(program: &str, rows: &[Row], known: &[Message]) -> Vec<String> {
    let own = rows.iter().filter(|row| row.program == program);
    own.filter(|row| !known.iter().any(|message| covers(&row.text, &message.text)))
        .map(|row| format!("{program}: no message says `{}`", row.text))
        .collect()
}

fn rows_of(program: &Program, rows: &[Row]) -> Vec<Row> {
    rows.iter().filter(|row| row.program == program.name).cloned().collect()
}

#[test]
fn every_row_is_a_message_of_its_program() {
    let (rows, mut wrong) = rows(&std::fs::read_to_string(root().join(PAGE)).unwrap());
    for program in PROGRAMS {
        let known: Vec<Message> = program.folders.iter().flat_map(|folder| messages_at(folder)).collect();
        wrong.extend(without_a_message(program.name, &rows, &known));
    }
    for row in rows.iter().filter(|row| !PROGRAMS.iter().any(|program| program.name == row.program)) {
        wrong.push(format!("no program is named '{}', where `{}` is", row.program, row.text));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_message_that_asks_a_person_to_act_has_a_row() {
    let (rows, _) = rows(&std::fs::read_to_string(root().join(PAGE)).unwrap());
    let mut wrong = Vec::new();
    for program in PROGRAMS {
        let rows = rows_of(program, &rows);
        for (path, take) in program.files {
            let needed: Vec<Message> = messages_at(path).into_iter().filter(|message| take.needs(message)).collect();
            if needed.is_empty() {
                wrong.push(format!("{path}: there is no message in it"));
            }
            wrong.extend(without_a_row(path, &needed, &rows, UNLISTED));
        }
    }
    let is_listed = |path: &str| PROGRAMS.iter().any(|program| program.files.iter().any(|(file, _)| *file == path));
    for (path, text, _) in UNLISTED.iter().filter(|(path, ..)| !is_listed(path)) {
        wrong.push(format!("{path}: an exception (`{text}`) for a file that is not listed"));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_setting_on_the_page_is_one_of_the_programs() {
    let page = std::fs::read_to_string(root().join(PAGE)).unwrap();
    let sources = PROGRAMS.iter().flat_map(|program| program.folders).flat_map(|folder| files(&root().join(folder)));
    let source: String = sources.map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let known = settings(&source);
    let unknown: Vec<&str> = settings(&page).into_iter().filter(|name| !known.contains(name)).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn a_missing_row_a_changed_message_and_a_needless_exception_are_found() {
    let known = messages(r#"#[error("the key {id} is not the one that is needed")] struct Wrong;"#);
    let row = |text: &str| Row { program: "The API".to_owned(), text: text.to_owned() };
    let right = [row("the key … is not the one that is needed")];
    let none: [String; 0] = [];
    assert_eq!(without_a_row("a.rs", &known, &right, &[]), none);
    assert_eq!(without_a_message("The API", &right, &known), none);
    assert_eq!(without_a_row("a.rs", &known, &[], &[]).len(), 1);
    let changed = messages(r#"#[error("the key {id} is not the one that was stored")] struct Wrong;"#);
    assert_eq!(without_a_row("a.rs", &changed, &right, &[]).len(), 1);
    assert_eq!(without_a_message("The API", &right, &changed).len(), 1);
    let exception = [("a.rs", "the key … is not the one …", "why")];
    assert_eq!(without_a_row("a.rs", &known, &[], &exception), none);
    assert_eq!(without_a_row("a.rs", &known, &right, &exception).len(), 1);
    assert!(Take::Errors.needs(&known[0]));
}
