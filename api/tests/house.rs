//! The floors of the API: each uses those below it and none above. A file that bypasses its floor fails as well.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The floors, from the top. Files of one floor may use each other and everything below.
const FLOORS: &[&[&str]] = &[
    &["main", "lib"],
    &["server"],
    &["app"],
    &["routes", "background"],
    &["access"],
    &["http"],
    &["state"],
    &["queue"],
    &["actions"],
    &["changes"],
    &["metrics"],
    &["db"],
    &["document_errors"],
    &["domain"],
    &["job_tokens"],
    &["sealing", "config", "embedded_postgres"],
];

/// What a floor may not name at all: another floor does it.
const REACHES_AROUND: &[(&str, &[&str])] = &[
    ("routes", &["sqlx::query", ".begin()", ".change(", "pool()"]),
    ("background", &["sqlx::query"]),
    ("access", &["sqlx::"]),
    ("actions", &["sqlx::query", "axum", "http::"]),
    ("changes", &["sqlx::query", "axum"]),
    ("queue", &["sqlx::query", "axum"]),
    ("db", &["axum", "http::"]),
    ("domain", &["sqlx", "axum", "tokio", "http::", "reqwest"]),
];

fn source_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every file's room with its code: without comments, and without its tests.
fn rooms() -> Vec<(String, PathBuf, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    source_files(&source, &mut files);
    let read = |path: PathBuf| {
        let relative = path.strip_prefix(&source).unwrap().to_path_buf();
        let room = relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap().lines();
        let code = code.filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        (room, relative, code)
    };
    files.into_iter().map(read).collect()
}

/// The rooms that a file names as `crate::room`.
fn uses(code: &str) -> BTreeSet<String> {
    let named = code.match_indices("crate::").map(|(at, found)| &code[at + found.len()..]);
    named
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && c != '_').next())
        .filter(|room| !room.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn no_arrow_points_up() {
    let height: BTreeMap<&str, usize> =
        FLOORS.iter().enumerate().flat_map(|(at, rooms)| rooms.iter().map(move |room| (*room, at))).collect();
    let mut wrong = Vec::new();
    for (room, file, code) in rooms() {
        let Some(own) = height.get(room.as_str()) else {
            wrong.push(format!("{} is on no floor", file.display()));
            continue;
        };
        for used in uses(&code) {
            // Floors that are beside each other do not use each other.
            let beside = |other: usize| other == *own && used != room;
            match height.get(used.as_str()) {
                Some(other) if other < own || beside(*other) => wrong.push(format!("{} uses {used}", file.display())),
                Some(_) => {}
                None => wrong.push(format!("{} uses {used}, which is on no floor", file.display())),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_file_reaches_around_its_floor() {
    let mut wrong = Vec::new();
    for (room, file, code) in rooms() {
        let forbidden = REACHES_AROUND.iter().filter(|(floor, _)| *floor == room).flat_map(|(_, words)| *words);
        // `crate::http` is a floor; `http::` is the crate.
        let code = code.replace("crate::http::", "");
        wrong.extend(forbidden.filter(|word| code.contains(**word)).map(|word| format!("{}: {word}", file.display())));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
