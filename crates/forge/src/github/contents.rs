//! What a pull request consists of at GitHub: its commits and files.

use super::{GitHub, read};
use crate::ForgeError;
use crate::types::Commit;
use serde_json::Value;

const COMMITS: &str = "the commits";
const FILES: &str = "the files";

impl GitHub {
    pub(super) async fn commits_of(&self, number: i64) -> Result<Vec<Commit>, ForgeError> {
        let items = or_none(self.list(&format!("pulls/{number}/commits"), COMMITS).await)?;
        items.iter().map(commit).collect::<Option<_>>().ok_or_else(|| self.http.odd(COMMITS))
    }

    pub(super) async fn files_of(&self, number: i64) -> Result<Vec<String>, ForgeError> {
        let items = or_none(self.list(&format!("pulls/{number}/files"), FILES).await)?;
        Ok(items.iter().filter_map(|file| read::some_text(&file["filename"])).collect())
    }
}

/// A list that a forge's version does not have is empty: whether the pull request exists was asked before.
pub(crate) fn or_none(items: Result<Vec<Value>, ForgeError>) -> Result<Vec<Value>, ForgeError> {
    match items {
        Err(ForgeError::NotFound { .. }) => Ok(Vec::new()),
        items => items,
    }
}

/// A commit, which Gitea describes as GitHub does.
pub(crate) fn commit(item: &Value) -> Option<Commit> {
    let commit = &item["commit"];
    Some(Commit {
        sha: item["sha"].as_str()?.to_owned(),
        message: read::text(&commit["message"]),
        author: read::text(&commit["author"]["name"]),
        url: read::some_text(&item["html_url"]),
    })
}
