//! Commits of what is in the workspace.

use super::{GitError, Skipped, Update, Workspace, walk};
use git2::{Diff, DiffFormat, DiffOptions, DiffStatsFormat, Oid, Signature};
use std::time::{SystemTime, UNIX_EPOCH};

/// The most of a change that is shown to the Director, in bytes.
const MAX_DIFF_BYTES: usize = 24 * 1024;
/// The width of a diffstat, in characters.
const STAT_WIDTH: usize = 100;

/// A change of more files is told without numbers of lines.
const MAX_COUNTED_FILES: usize = 2_000;
/// How many files of such a change are named.
const MAX_NAMED_FILES: usize = 200;
/// A larger file is compared as a binary one, in bytes: to find its changed lines takes memory and time.
pub(super) const MAX_COMPARED_BYTES: i64 = 4 * 1024 * 1024;

/// A commit that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its id.
    pub id: String,
    /// The first characters of its id.
    pub short_id: String,
    /// The id of the commit that the branch had before.
    pub before: String,
    /// What it changed.
    pub change: Change,
}

/// A change between two states of the repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// How many files.
    pub files: usize,
    /// How many lines were added; 0 if there are too many files to count.
    pub added: usize,
    /// How many lines were removed.
    pub removed: usize,
    /// The changed files with their numbers of added and removed lines.
    pub diffstat: String,
    /// The change itself, cut off if it is long.
    pub diff: String,
}

pub(super) fn signature(author: &(String, String)) -> Result<Signature<'static>, git2::Error> {
    Signature::now(&author.0, &author.1)
}

/// Seconds since 1970 on this machine's clock, which also stamps files.
pub(super) fn seconds_now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

impl Workspace {
    /// Commits everything that changed in the workspace: new, changed and deleted files, but nothing that the
    /// repository ignores. Returns none if nothing changed. What could not be committed is in
    /// [`skipped`](Self::skipped) afterwards.
    ///
    /// # Errors
    /// The commit can't be written.
    pub fn commit(&mut self, message: &str) -> Result<Option<Committed>, GitError> {
        self.try_commit(message).map_err(|source| GitError::new("could not commit the changes", source))
    }

    /// What the last commit left out, although nothing ignores it.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    fn try_commit(&mut self, message: &str) -> Result<Option<Committed>, git2::Error> {
        let started = seconds_now();
        let mut index = self.repo.index()?;
        let root = &self.request.workdir;
        let untouched = self.held.untouched(root);
        let edited = self.held.edited(&untouched, &index);
        self.skipped =
            walk::update_index(&self.repo, &mut index, (root, &self.request.secrets), self.trusted_before, untouched)?;
        self.held.carry_over(&self.repo, &mut index, edited)?;
        index.write()?;
        self.trusted_before = started;
        let tree = self.repo.find_tree(index.write_tree()?)?;
        let parent = self.repo.head()?.peel_to_commit()?;
        if parent.tree_id() == tree.id() && self.merging.is_none() {
            return Ok(None);
        }
        let merged = self.merging.map(|base| self.repo.find_commit(base)).transpose()?;
        let parents: Vec<_> = std::iter::once(&parent).chain(&merged).collect();
        let author = signature(&self.request.author)?;
        let id = self.repo.commit(Some("HEAD"), &author, &author, message, &tree, &parents)?;
        let change = self.change_between(parent.id(), id)?;
        if self.merging.take().is_some() {
            self.base = id;
            self.update = Update::Merged;
        }
        let id = id.to_string();
        Ok(Some(Committed { short_id: id[..8].to_owned(), id, before: parent.id().to_string(), change }))
    }

    /// Everything that this attempt has changed so far.
    ///
    /// # Errors
    /// When the repository can't be read.
    pub fn change_of_attempt(&self) -> Result<Change, GitError> {
        let head = self.head()?;
        self.change_between(self.base, head).map_err(|source| GitError::new("could not compare the branch", source))
    }

    /// Whether the branch is further than the remote had it before this attempt, or has commits beyond the default branch
    /// whose message has this line.
    ///
    /// # Errors
    /// When the history can't be read.
    pub fn is_further_or_says(&self, line: &str) -> Result<bool, GitError> {
        let read = || -> Result<bool, git2::Error> {
            let head = self.repo.head()?.peel_to_commit()?;
            if self.found != Some(head.id()) {
                return Ok(true);
            }
            let mut walk = self.repo.revwalk()?;
            walk.push_head()?;
            walk.hide_ref(&format!("refs/remotes/origin/{}", self.default_branch))?;
            for id in walk {
                let message = self.repo.find_commit(id?)?.message_bytes().to_owned();
                if String::from_utf8_lossy(&message).lines().any(|said| said == line) {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        read().map_err(|source| GitError::new("could not read the branch's history", source))
    }

    /// Whether the branch has anything that the default branch does not have.
    ///
    /// # Errors
    /// When the repository can't be read.
    pub fn has_work(&self) -> Result<bool, GitError> {
        let differs = || -> Result<bool, git2::Error> {
            let base = self.repo.refname_to_id(&format!("refs/remotes/origin/{}", self.default_branch))?;
            let head = self.repo.head()?.peel_to_commit()?;
            Ok(self.repo.find_commit(base)?.tree_id() != head.tree_id())
        };
        differs().map_err(|source| GitError::new("could not compare the branch", source))
    }

    pub(super) fn change_between(&self, from: Oid, to: Oid) -> Result<Change, git2::Error> {
        let (from, to) = (self.repo.find_commit(from)?.tree()?, self.repo.find_commit(to)?.tree()?);
        let mut options = DiffOptions::new();
        options.max_size(MAX_COMPARED_BYTES);
        let compared = self.repo.diff_tree_to_tree(Some(&from), Some(&to), Some(&mut options))?;
        let files = compared.deltas().len();
        let mut text = Vec::new();
        let printed = compared.print(DiffFormat::Patch, |_delta, _hunk, line| {
            if matches!(line.origin(), '+' | '-' | ' ') {
                text.push(u8::try_from(line.origin()).unwrap_or(b' '));
            }
            text.extend_from_slice(line.content());
            text.len() <= MAX_DIFF_BYTES
        });
        let cut = text.len() > MAX_DIFF_BYTES;
        if !cut {
            printed?;
        }
        let mut diff = String::from_utf8_lossy(&text).into_owned();
        if cut {
            diff.truncate(diff.floor_char_boundary(MAX_DIFF_BYTES));
            diff.push_str("\n[… the rest of the change is left out …]\n");
        }
        let (added, removed) = counted(&compared)?;
        Ok(Change { files, added, removed, diffstat: diffstat(&compared)?, diff })
    }
}

/// How many lines were added and removed, unless there are too many files to read them all.
pub(super) fn counted(compared: &Diff<'_>) -> Result<(usize, usize), git2::Error> {
    if compared.deltas().len() > MAX_COUNTED_FILES {
        return Ok((0, 0));
    }
    let stats = compared.stats()?;
    Ok((stats.insertions(), stats.deletions()))
}

/// The changed files with their numbers of lines. To count lines, all of them are read, so a very large change only gets
/// the names of its first files.
fn diffstat(compared: &Diff<'_>) -> Result<String, git2::Error> {
    let files = compared.deltas().len();
    if files <= MAX_COUNTED_FILES {
        let stats = compared.stats()?;
        let text = stats.to_buf(DiffStatsFormat::FULL | DiffStatsFormat::INCLUDE_SUMMARY, STAT_WIDTH)?;
        return Ok(String::from_utf8_lossy(&text).trim_end().to_owned());
    }
    let mut lines: Vec<String> = compared
        .deltas()
        .take(MAX_NAMED_FILES)
        .map(|delta| {
            let path = delta.new_file().path_bytes().unwrap_or_default();
            format!(" {}", walk::readable(path))
        })
        .collect();
    lines.push(format!(" … and {} more files", files - lines.len()));
    lines.push(format!(" {files} files changed"));
    Ok(lines.join("\n"))
}
