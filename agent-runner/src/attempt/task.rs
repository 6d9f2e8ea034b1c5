//! A job without a repository: its data are the files of a repository that lives as long as the attempt, and what the agent leaves
//! there is what came of it.

use super::{API_PATIENCE, Attempt, AttemptError};
use crate::git::repository_of;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use tempfile::TempDir;
use terarchitect_outbound::{Mask, Retry};
use terarchitect_worker_api::{StoreOutput, WorkerContext};

/// Where the agent finds the data that is no file.
const INPUT_FILE: &str = "input.json";
/// The largest file that is handed in, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// All of them together as JSON, in bytes: a request to the API has at most 2 MiB, and the result is in it as well.
const MAX_ALL_BYTES: usize = 1536 * 1024;
/// The most files that are handed in, and the most that are named without their content.
const MAX_FILES: usize = 500;
const MAX_NAMED: usize = 100;

/// The repository of a job that has none of its own.
pub(super) struct Scratch {
    folder: TempDir,
    /// The files that the job began with, by their paths.
    began_with: BTreeMap<PathBuf, Vec<u8>>,
}

impl Scratch {
    /// The job's data as a repository; none where the job has one of its own, or no data.
    pub(super) fn of(context: &WorkerContext, repo_url: &str) -> Result<Option<Self>, AttemptError> {
        let has_repository =
            !repo_url.trim().is_empty() || context.repo_url.as_deref().is_some_and(|url| !url.is_empty());
        let Some(input) = context.input_data.as_ref().filter(|_| !has_repository) else { return Ok(None) };
        let failed = |source| AttemptError::Io { attempted: "could not write the job's data down".to_owned(), source };
        let folder = tempfile::Builder::new().prefix("terarchitect-data-").tempdir().map_err(failed)?;
        let began_with = files_of(input);
        repository_of(folder.path(), &began_with).map_err(|error| failed(std::io::Error::other(error)))?;
        Ok(Some(Self { folder, began_with }))
    }

    /// Its address.
    pub(super) fn url(&self) -> String {
        format!("file://{}", self.folder.path().display())
    }

    /// Where it is.
    pub(super) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// What the agent left in this workspace: files that are new or changed. Of what is too much, some are named without their
    /// content, as are those with a secret, and the others counted: an agent may have installed a whole tree of packages.
    fn left_in(&self, workdir: &Path, secrets: &Mask) -> (Vec<Value>, usize) {
        let (mut left, mut named, mut omitted, mut all) = (Vec::new(), Vec::new(), 0, 0);
        for path in walk(workdir) {
            let Ok(relative) = path.strip_prefix(workdir) else { continue };
            let Ok(size) = fs::metadata(&path).map(|found| found.len()) else { continue };
            let name = relative.to_string_lossy();
            let content = if size > MAX_FILE_BYTES { None } else { fs::read(&path).ok() };
            if content.is_some() && self.began_with.get(relative) == content.as_ref() {
                continue;
            }
            let has_secret = content.as_deref().is_some_and(|content| secrets.is_in(content).unwrap_or(true));
            let whole =
                content.filter(|_| left.len() < MAX_FILES && !has_secret).map(|content| {
                    match String::from_utf8(content) {
                        Ok(text) => json!({"path": name, "size": size, "content": text}),
                        Err(error) => {
                            json!({"path": name, "size": size, "contentBase64": STANDARD.encode(error.as_bytes())})
                        }
                    }
                });
            // Escapes and base64 make more of it than the file has.
            match whole.map(|file| (file.to_string().len(), file)).filter(|(bytes, _)| all + bytes <= MAX_ALL_BYTES) {
                Some((bytes, file)) => {
                    all += bytes;
                    left.push(file);
                }
                None if named.len() < MAX_NAMED => named.push(json!({"path": name, "size": size, "leftOut": true})),
                None => omitted += 1,
            }
        }
        left.append(&mut named);
        (left, omitted)
    }
}

impl Attempt {
    /// Hands in what came of a job that works on data.
    pub(super) async fn hand_in(&self, workdir: &Path, summary: &str) -> Result<Option<Value>, AttemptError> {
        let Some(scratch) = &self.scratch else { return Ok(None) };
        let (files, omitted) = scratch.left_in(workdir, &self.mask);
        let mut output = json!({"result": self.mask.apply(summary), "files": files});
        if omitted > 0 {
            output["filesNotNamed"] = json!(omitted);
        }
        let request = StoreOutput { output: output.clone() };
        let (project, ticket) = (self.config.project, self.config.ticket);
        let stored = self.client.store_output(project, ticket, &request, Retry::For(API_PATIENCE)).await;
        stored.map_err(AttemptError::Api)?;
        Ok(Some(output))
    }
}

/// The files that the job begins with: those of `inputData.files`, and the rest as JSON.
fn files_of(input: &Value) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for file in input["files"].as_array().into_iter().flatten() {
        let (path, content) = (file["path"].as_str().unwrap_or_default(), file["content"].as_str().unwrap_or_default());
        if let Some(path) = inside(path) {
            files.insert(path, content.as_bytes().to_vec());
        }
    }
    let mut rest = input.clone();
    if let Some(rest) = rest.as_object_mut() {
        rest.remove("files");
    }
    if rest.as_object().is_some_and(|rest| !rest.is_empty()) {
        let text = serde_json::to_vec_pretty(&rest).unwrap_or_default();
        files.entry(PathBuf::from(INPUT_FILE)).or_insert(text);
    }
    files
}

/// A path that stays inside of the workspace, and away from what git keeps there.
fn inside(path: &str) -> Option<PathBuf> {
    let path = Path::new(path.trim_start_matches("./"));
    let plain = path.components().all(
        |part| matches!(part, Component::Normal(name) if ![".git", ".gitmodules"].contains(&name.to_string_lossy().to_lowercase().as_str())),
    );
    (plain && path.components().next().is_some()).then(|| path.to_owned())
}

/// All regular files below a folder, but git's own, in the order of their names.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && entry.file_name() != ".git" => open.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_files_and_the_rest_is_json() {
        let input = json!({
            "files": [{"path": "lib/auth.ts", "content": "export"}, {"path": "../x", "content": "no"},
                {"path": "/etc/passwd", "content": "no"}, {"path": ".git/config", "content": "no"},
                {"path": ".gitignore", "content": "target"}],
            "description": "Auth",
        });
        let files = files_of(&input);
        let names: Vec<_> = files.keys().map(|path| path.display().to_string()).collect();
        assert_eq!(names, [".gitignore", "input.json", "lib/auth.ts"]);
        assert_eq!(
            serde_json::from_slice::<Value>(&files[Path::new("input.json")]).unwrap(),
            json!({"description": "Auth"})
        );
        assert!(files_of(&json!({})).is_empty());
    }

    #[test]
    fn what_is_left_is_what_is_new_or_changed() {
        let folder = tempfile::tempdir().unwrap();
        let began_with = files_of(&json!({"files": [{"path": "a", "content": "1"}, {"path": "b", "content": "1"}]}));
        let scratch = Scratch { folder: tempfile::tempdir().unwrap(), began_with };
        for (name, content) in [("a", b"1".as_slice()), ("b", b"2"), ("sub/c", b"\xff"), (".git/x", b"no")] {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        let left = scratch.left_in(folder.path(), &Mask::default());
        let expected = (
            vec![
                json!({"path": "b", "size": 1, "content": "2"}),
                json!({"path": "sub/c", "size": 1, "contentBase64": "/w=="}),
            ],
            0,
        );
        assert_eq!(left, expected);
    }

    #[test]
    fn what_is_handed_in_fits_into_a_request() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch { folder: tempfile::tempdir().unwrap(), began_with: BTreeMap::new() };
        // Each of these characters takes six bytes in JSON.
        for number in 0..4 {
            fs::write(folder.path().join(format!("a{number}")), "\u{1}".repeat(100 * 1024)).unwrap();
        }
        for number in 0..700 {
            fs::write(folder.path().join(format!("b{number}")), "x").unwrap();
        }
        let (left, omitted) = scratch.left_in(folder.path(), &Mask::default());
        assert!(json!(left).to_string().len() < 2 * 1024 * 1024);
        let whole = left.iter().filter(|file| file.get("content").is_some()).count();
        assert_eq!((whole, left.len(), omitted), (MAX_FILES, MAX_FILES + MAX_NAMED, 704 - MAX_FILES - MAX_NAMED));
    }
}
