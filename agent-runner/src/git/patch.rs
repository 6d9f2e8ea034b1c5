//! What a commit or the whole branch changes, as a patch for people to read. It can be long, but never without end.

use super::commit::{MAX_COMPARED_BYTES, counted};
use super::{Committed, GitError, Workspace};
use git2::{Diff, DiffFormat, DiffOptions, Oid};

/// A change that people can read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// The commit that has the change.
    pub commit: String,
    /// The commit that it is compared with.
    pub base: String,
    /// How many files changed.
    pub files: usize,
    /// How many lines were added; 0 if there are too many files to count.
    pub added: usize,
    /// How many lines were removed.
    pub removed: usize,
    /// The patch; files that are not text, or too large, are only named.
    pub text: String,
    /// Whether its end is left out.
    pub truncated: bool,
}

impl Workspace {
    /// What a turn has changed, with at most so many bytes of text.
    ///
    /// # Errors
    /// When the repository can't be read.
    pub fn patch_of_turn(&self, committed: &Committed, max_bytes: usize) -> Result<Patch, GitError> {
        let read = || self.patch(Oid::from_str(&committed.before)?, Oid::from_str(&committed.id)?, max_bytes);
        read().map_err(|source| GitError::new("could not read what a commit changes", source))
    }

    /// What the whole branch changes against its base, with at most so many bytes of text.
    ///
    /// # Errors
    /// When the repository can't be read.
    pub fn patch_of_branch(&self, max_bytes: usize) -> Result<Patch, GitError> {
        let read = || {
            let base = self.repo.refname_to_id(&format!("refs/remotes/origin/{}", self.default_branch))?;
            let head = self.repo.head()?.peel_to_commit()?.id();
            // The base may have gone on since. In a shallow clone their common commit may be out of reach.
            let base = self.repo.merge_base(base, head).unwrap_or(base);
            self.patch(base, head, max_bytes)
        };
        read().map_err(|source| GitError::new("could not read what the branch changes", source))
    }

    fn patch(&self, from: Oid, to: Oid, max_bytes: usize) -> Result<Patch, git2::Error> {
        let (old, new) = (self.repo.find_commit(from)?.tree()?, self.repo.find_commit(to)?.tree()?);
        let mut options = DiffOptions::new();
        options.max_size(MAX_COMPARED_BYTES);
        let compared = self.repo.diff_tree_to_tree(Some(&old), Some(&new), Some(&mut options))?;
        let (text, truncated) = text_of(&compared, max_bytes)?;
        let (added, removed) = counted(&compared)?;
        let files = compared.deltas().len();
        Ok(Patch { commit: to.to_string(), base: from.to_string(), files, added, removed, text, truncated })
    }
}

/// The patch up to the last line that fits, and whether that is not all of it.
fn text_of(compared: &Diff<'_>, max_bytes: usize) -> Result<(String, bool), git2::Error> {
    let (mut text, mut truncated) = (String::new(), false);
    let printed = compared.print(DiffFormat::Patch, |_delta, _hunk, line| {
        let content = String::from_utf8_lossy(line.content());
        truncated = text.len() + content.len() + 1 > max_bytes;
        if truncated {
            return false;
        }
        if matches!(line.origin(), '+' | '-' | ' ') {
            text.push(line.origin());
        }
        text.push_str(&content);
        true
    });
    if !truncated {
        printed?;
    }
    Ok((text, truncated))
}
