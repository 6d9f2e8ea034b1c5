//! What a merge request consists of at GitLab: its commits and files.

use super::{GitLab, read};
use crate::ForgeError;
use crate::github::contents::or_none;
use crate::types::Commit;
use serde_json::Value;

const COMMITS: &str = "the commits";
const FILES: &str = "the files";

impl GitLab {
    pub(super) async fn commits_of(&self, number: i64) -> Result<Vec<Commit>, ForgeError> {
        let items = or_none(self.list(self.of(number, "commits"), COMMITS).await)?;
        // The latest is the first.
        items.iter().rev().map(commit).collect::<Option<_>>().ok_or_else(|| self.http.odd(COMMITS))
    }

    /// Versions before 15.7 don't have this list.
    pub(super) async fn files_of(&self, number: i64) -> Result<Vec<String>, ForgeError> {
        let items = or_none(self.list(self.of(number, "diffs"), FILES).await)?;
        Ok(items.iter().filter_map(|file| read::some_text(&file["new_path"])).collect())
    }
}

fn commit(item: &Value) -> Option<Commit> {
    Some(Commit {
        sha: item["id"].as_str()?.to_owned(),
        message: read::text(&item["message"]),
        author: read::text(&item["author_name"]),
        url: read::some_text(&item["web_url"]),
    })
}
