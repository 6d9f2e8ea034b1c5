//! What a pull request consists of at Gitea: its commits and files.

use super::Gitea;
use crate::ForgeError;
use crate::github::contents::{commit, or_none};
use crate::github::read;
use crate::types::Commit;

const COMMITS: &str = "the commits";
const FILES: &str = "the files";

impl Gitea {
    pub(super) async fn commits_of(&self, number: i64) -> Result<Vec<Commit>, ForgeError> {
        let items = or_none(self.list(&format!("pulls/{number}/commits"), COMMITS).await)?;
        items.iter().map(commit).collect::<Option<_>>().ok_or_else(|| self.http.odd(COMMITS))
    }

    pub(super) async fn files_of(&self, number: i64) -> Result<Vec<String>, ForgeError> {
        let items = or_none(self.list(&format!("pulls/{number}/files"), FILES).await)?;
        Ok(items.iter().filter_map(|file| read::some_text(&file["filename"])).collect())
    }
}
