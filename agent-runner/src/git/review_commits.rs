//! The commits of a review on its branch, and which files each of them changed.

use super::{GitError, Workspace};
use git2::{Commit, DiffOptions, Repository, Sort};
use std::collections::BTreeSet;

/// How many commits are looked at: the latest ones.
const MOST_COMMITS: usize = 200;

/// A commit of a review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewCommit {
    /// Its id.
    pub id: String,
    /// The files that it changed.
    pub files: BTreeSet<String>,
}

impl Workspace {
    /// The commits whose message has this line, of this attempt and of earlier ones, the latest first. Merges of the base are
    /// none: they bring changes of others.
    ///
    /// # Errors
    /// When the repository can't be read.
    pub fn review_commits(&self, line: &str) -> Result<Vec<ReviewCommit>, GitError> {
        let read = || -> Result<Vec<ReviewCommit>, git2::Error> {
            let mut walk = self.repo.revwalk()?;
            walk.set_sorting(Sort::TOPOLOGICAL)?;
            walk.push_head()?;
            walk.hide_ref(&format!("refs/remotes/origin/{}", self.default_branch))?;
            let mut found = Vec::new();
            for id in walk.take(MOST_COMMITS) {
                let commit = self.repo.find_commit(id?)?;
                let says = || String::from_utf8_lossy(commit.message_bytes()).lines().any(|said| said == line);
                if commit.parent_count() == 1 && says() {
                    found.push(ReviewCommit { id: commit.id().to_string(), files: files(&self.repo, &commit)? });
                }
            }
            Ok(found)
        };
        read().map_err(|source| GitError::new("could not read the branch's history", source))
    }
}

fn files(repo: &Repository, commit: &Commit<'_>) -> Result<BTreeSet<String>, git2::Error> {
    let (before, after) = (commit.parent(0)?.tree()?, commit.tree()?);
    let mut options = DiffOptions::new();
    options.skip_binary_check(true);
    let diff = repo.diff_tree_to_tree(Some(&before), Some(&after), Some(&mut options))?;
    let paths = diff.deltas().flat_map(|delta| [delta.old_file().path_bytes(), delta.new_file().path_bytes()]);
    Ok(paths.flatten().map(|path| String::from_utf8_lossy(path).into_owned()).collect())
}
