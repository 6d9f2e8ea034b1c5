//! The files of a job's data: each must have a place of its own inside of the workspace. The runner checks that again.

use crate::domain::refusal::Refusal;
use serde_json::Value;
use std::collections::BTreeSet;

/// Where an agent finds the data that is no file.
const INPUT_FILE: &str = "input.json";
/// The longest path, in bytes.
const MAX_PATH_BYTES: usize = 1024;
/// The longest name of a file or folder, in bytes: what file systems take.
const MAX_NAME_BYTES: usize = 255;
/// How much of a path a refusal repeats, in characters.
const NAMED_CHARS: usize = 100;
/// What is git's own in a workspace, also in the other ways of writing it that file systems know.
const GITS_OWN: [&str; 3] = [".git", "git~1", ".gitmodules"];

/// Checks the files of a job's data.
///
/// # Errors
/// When there is one that has no place in the workspace, or shares it with another one.
pub fn check(input: &Value) -> Result<(), Refusal> {
    let Some(files) = input.get("files").filter(|files| !files.is_null()) else { return Ok(()) };
    let not_files =
        || Refusal::invalid("'inputData.files' must be a list of files with 'path' and 'content', each a text.");
    let files = files.as_array().ok_or_else(not_files)?;
    let mut seen = BTreeSet::new();
    for file in files {
        let path = file.get("path").and_then(Value::as_str).ok_or_else(not_files)?;
        if file.get("content").is_some_and(|content| !content.is_string() && !content.is_null()) {
            return Err(not_files());
        }
        let place = place(path).map_err(|why| refusal(path, why))?;
        if !seen.insert(place) {
            return Err(refusal(path, "another file has it already"));
        }
    }
    for place in &seen {
        let folders = (1..place.len()).map(|parts| &place[..parts]);
        if folders.into_iter().any(|folder| seen.contains(folder)) {
            return Err(refusal(&place.join("/"), "one of its folders is a file of the list, too"));
        }
        let has_rest = input.as_object().is_some_and(|input| input.keys().any(|key| key != "files"));
        if has_rest && place.first().is_some_and(|first| *first == INPUT_FILE) {
            return Err(refusal(&place.join("/"), "what 'inputData' has beside its files is written there"));
        }
    }
    Ok(())
}

/// The names of folders and file that a path consists of.
fn place(path: &str) -> Result<Vec<&str>, &'static str> {
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return Err("it has backslashes or control characters; separate folders by /");
    }
    if path.starts_with('/') {
        return Err("it must be relative to the workspace");
    }
    if path.is_empty() || path.ends_with('/') || path.ends_with("/.") || path == "." {
        return Err("it names no file");
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err("it leads outside of the workspace");
    }
    if path.len() > MAX_PATH_BYTES || parts.iter().any(|part| part.len() > MAX_NAME_BYTES) {
        return Err("it is too long");
    }
    if parts.iter().any(|part| is_gits_own(part)) {
        return Err("that is git's own");
    }
    Ok(parts)
}

fn is_gits_own(part: &str) -> bool {
    let name = part.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
    GITS_OWN.iter().any(|own| name.eq_ignore_ascii_case(own))
}

fn refusal(path: &str, why: &str) -> Refusal {
    let path: String = path.chars().take(NAMED_CHARS).collect();
    Refusal::invalid(format!("The path {path:?} of 'inputData.files' can't be used: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(paths: &[&str]) -> Option<String> {
        let files: Vec<Value> = paths.iter().map(|path| json!({"path": path, "content": "x"})).collect();
        check(&json!({"files": files, "description": "x"})).err().map(|refusal| refusal.message)
    }

    #[test]
    fn paths_inside_of_the_workspace_are_taken() {
        let paths = ["a.ts", "./lib/a.ts", "lib/.gitignore", "lib/a..b", "ä/ b", ".github/x", "lib2", "input.jsonl"];
        assert_eq!(refused(&paths), None);
        assert!(check(&json!({"files": [{"path": "input.json"}]})).is_ok());
        assert!(check(&json!({"files": null, "a": 1})).is_ok() && check(&json!({})).is_ok());
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused_by_name() {
        for path in [
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a/..",
            "",
            ".",
            "./",
            "a/",
            "a/.",
            "a\\b",
            "C:\\x",
            "a\nb",
            "a\0",
            "\u{7f}",
            ".git/config",
            "a/.GIT/x",
            "git~1",
            ".git. /x",
            ".git::$INDEX_ALLOCATION",
            ".gitmodules",
            "input.json",
        ] {
            let sentence = refused(&[path]).unwrap_or_else(|| panic!("{path:?} was taken"));
            assert!(sentence.contains(&format!("{path:?}")), "{sentence}");
        }
        assert!(refused(&[&"x".repeat(256)]).unwrap().contains("too long"));
        assert!(refused(&[&"x/".repeat(600), "y"]).is_some());
    }

    #[test]
    fn each_file_has_a_place_of_its_own() {
        assert!(refused(&["a", "./a"]).unwrap().contains("another file"));
        assert!(refused(&["a/b//c", "a/b/c"]).unwrap().contains("another file"));
        assert!(refused(&["a/b/c", "a/b"]).unwrap().contains("a/b/c"));
        assert_eq!(refused(&["a/b", "a/bc", "a.b"]), None);
    }

    #[test]
    fn what_is_no_list_of_files_is_refused() {
        for files in [
            json!("a"),
            json!(["a"]),
            json!([{"content": "x"}]),
            json!([{"path": 1}]),
            json!([{"path": "a", "content": 1}]),
        ] {
            assert!(check(&json!({"files": files})).is_err());
        }
    }
}
