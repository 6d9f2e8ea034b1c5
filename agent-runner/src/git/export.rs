//! A clean checkout of what the branch has: without what git ignores, and without anything that the agent left beside it.

use super::{GitError, Workspace, agent_copy};
use git2::ErrorCode;
use git2::build::CheckoutBuilder;
use std::path::Path;

impl Workspace {
    /// Writes the branch's head into an empty directory, with a git directory of its own, and returns the commit's id.
    ///
    /// # Errors
    /// When the repository can't be read, or files can't be written.
    pub fn export_head(&self, into: &Path) -> Result<String, GitError> {
        let head = self.head()?;
        let write = || -> Result<(), git2::Error> {
            let tree = self.repo.find_commit(head)?.tree()?;
            let mut checkout = CheckoutBuilder::new();
            checkout.force().update_index(false).refresh(false).target_dir(into);
            self.repo.checkout_tree(tree.as_object(), Some(&mut checkout))
        };
        write().map_err(|source| GitError::new("could not create a clean checkout", source))?;
        agent_copy::make_in(into, &self.request, &self.default_branch)
            .map_err(|source| GitError::Io { attempted: "could not create a clean checkout", source })?;
        Ok(head.to_string())
    }

    /// A file of the base branch as text, at most this many bytes of it; none if it has no such file.
    ///
    /// # Errors
    /// When the repository can't be read.
    pub fn file_of_base(&self, path: &str, most: usize) -> Result<Option<String>, GitError> {
        let read = || -> Result<String, git2::Error> {
            let base = self.repo.refname_to_id(&format!("refs/remotes/origin/{}", self.default_branch))?;
            let tree = self.repo.find_commit(base)?.tree()?;
            let blob = self.repo.find_blob(tree.get_path(Path::new(path))?.id())?;
            let text = String::from_utf8_lossy(blob.content()).into_owned();
            Ok(text[..text.floor_char_boundary(most)].to_owned())
        };
        match read() {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(source) => Err(GitError::new("could not read a file of the base branch", source)),
        }
    }
}
