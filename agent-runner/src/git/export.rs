//! A clean checkout of what the branch has: without what git ignores, and without anything that the agent left beside it.

use super::submodules::{self, NotFilled};
use super::{GitError, Workspace, agent_copy};
use git2::build::CheckoutBuilder;
use git2::{ErrorCode, Index, ObjectType, TreeWalkMode, TreeWalkResult};
use std::path::Path;
use tokio_util::sync::CancellationToken;

/// A clean checkout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// The commit's id.
    pub commit: String,
    /// A sentence for each submodule that could not be filled, where the project asks for them.
    pub not_filled: Vec<String>,
}

impl Workspace {
    /// Writes the branch's head into an empty directory, with a git directory of its own, and with its submodules where the project
    /// asks for them.
    ///
    /// Blocks; `cancel` ends it between two packets.
    ///
    /// # Errors
    /// When the repository can't be read, or files can't be written.
    pub fn export_head(&self, into: &Path, cancel: &CancellationToken) -> Result<Exported, GitError> {
        let head = self.head()?;
        let write = || -> Result<Index, git2::Error> {
            let tree = self.repo.find_commit(head)?.tree()?;
            let mut checkout = CheckoutBuilder::new();
            checkout.force().update_index(false).refresh(false).target_dir(into);
            self.repo.checkout_tree(tree.as_object(), Some(&mut checkout))?;
            let mut entries = Index::new()?;
            entries.read_tree(&tree)?;
            Ok(entries)
        };
        let entries = write().map_err(|source| GitError::new("could not create a clean checkout", source))?;
        let not_filled = match self.request.submodules {
            true => submodules::fill_clean(&entries, into, &self.request, cancel)?,
            false => Vec::new(),
        };
        agent_copy::make_in(into, &self.request, &self.default_branch)
            .map_err(|source| GitError::Io { attempted: "could not create a clean checkout", source })?;
        Ok(Exported { commit: head.to_string(), not_filled: not_filled.iter().map(NotFilled::said).collect() })
    }

    /// The files of the branch's head with one of these names, or at one of these paths, with the ids of their contents.
    ///
    /// # Errors
    /// When the repository can't be read.
    pub fn files_named(&self, names: &[&str], paths: &[String]) -> Result<Vec<(String, String)>, GitError> {
        let head = self.head()?;
        let mut files = Vec::new();
        let read = self.repo.find_commit(head).and_then(|commit| commit.tree()).and_then(|tree| {
            tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
                let name = String::from_utf8_lossy(entry.name_bytes());
                let path = format!("{folder}{name}");
                let is_file = entry.kind() == Some(ObjectType::Blob);
                if is_file && (names.contains(&name.as_ref()) || paths.contains(&path)) {
                    files.push((path, entry.id().to_string()));
                }
                TreeWalkResult::Ok
            })
        });
        read.map_err(|source| GitError::new("could not read the branch", source))?;
        Ok(files)
    }

    /// The names of what is at the root of the base branch.
    ///
    /// # Errors
    /// When the repository can't be read.
    pub fn root_of_base(&self) -> Result<Vec<String>, GitError> {
        let read = || -> Result<Vec<String>, git2::Error> {
            let base = self.repo.refname_to_id(&format!("refs/remotes/origin/{}", self.default_branch))?;
            let tree = self.repo.find_commit(base)?.tree()?;
            Ok(tree.iter().map(|entry| String::from_utf8_lossy(entry.name_bytes()).into_owned()).collect())
        };
        read().map_err(|source| GitError::new("could not read the base branch", source))
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
