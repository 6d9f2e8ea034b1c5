//! What of the repository is in the workspace only by name: submodules, and files whose content Git LFS has.

use super::submodules::NotFilled;
use super::walk::{GITLINK, as_path, readable};
use super::{GitError, Workspace};
use git2::{AttrCheckFlags, IndexEntry};

/// How many paths are named; of the rest, only the number is.
const MAX_NAMED: usize = 5;
/// No pointer of Git LFS is larger, in bytes: its specification says so.
const MAX_POINTER_BYTES: u32 = 1024;

impl Workspace {
    /// A sentence for each kind of content that is not in the workspace, for the ticket's log. Where a build or a test
    /// fails because it is missing, this is why.
    ///
    /// # Errors
    /// When the repository can't be read.
    pub fn not_filled(&self) -> Result<Vec<String>, GitError> {
        self.try_not_filled().map_err(|source| GitError::new("could not read what the repository has", source))
    }

    fn try_not_filled(&self) -> Result<Vec<String>, git2::Error> {
        let entries: Vec<IndexEntry> = self.repo.index()?.iter().collect();
        let submodules: Vec<&IndexEntry> = entries.iter().filter(|entry| entry.mode == GITLINK).collect();
        let uses_lfs = entries.iter().any(|entry| is_attributes(entry) && self.names_lfs(entry));
        let pointers: Vec<&IndexEntry> = entries.iter().filter(|entry| uses_lfs && self.is_pointer(entry)).collect();
        let mut said = Vec::new();
        if self.request.submodules {
            said.extend(self.not_filled.iter().take(MAX_NAMED).map(NotFilled::said));
        } else if let Some(named) = named(&submodules) {
            said.push(format!("Submodules are not fetched, their directories are empty (set submodules in the project to fetch them): {named}"));
        }
        if let Some(named) = named(&pointers) {
            said.push(format!("Files in Git LFS are not fetched, there are pointers in their places: {named}"));
        }
        Ok(said)
    }

    /// Asking for every file's attributes takes long in a large repository, so it is asked first whether any could have
    /// the one of Git LFS.
    fn names_lfs(&self, attributes: &IndexEntry) -> bool {
        let blob = self.repo.find_blob(attributes.id);
        blob.is_ok_and(|blob| blob.content().windows(10).any(|text| text == b"filter=lfs"))
    }

    fn is_pointer(&self, entry: &IndexEntry) -> bool {
        let filter = self.repo.get_attr(as_path(&entry.path), "filter", AttrCheckFlags::INDEX_ONLY);
        entry.mode != GITLINK && entry.file_size <= MAX_POINTER_BYTES && filter.is_ok_and(|name| name == Some("lfs"))
    }
}

impl NotFilled {
    /// That it is not there, and why.
    pub(super) fn said(&self) -> String {
        format!("The submodule {} could not be fetched, its directory is empty: {}", readable(&self.path), self.reason)
    }
}

fn is_attributes(entry: &IndexEntry) -> bool {
    entry.path == b".gitattributes" || entry.path.ends_with(b"/.gitattributes")
}

fn named(entries: &[&IndexEntry]) -> Option<String> {
    let mut names: Vec<String> = entries.iter().take(MAX_NAMED).map(|entry| readable(&entry.path)).collect();
    if entries.len() > MAX_NAMED {
        names.push(format!("and {} more", entries.len() - MAX_NAMED));
    }
    (!names.is_empty()).then(|| names.join(", "))
}
