//! What of the workspace is not committed although nothing ignores it, and why.

use git2::ErrorCode;

/// How many such paths are named; of the rest, only the number is.
const MAX_NAMED: usize = 20;
/// How much of a path is named, in bytes.
const MAX_PATH_BYTES: usize = 300;

/// A path that could not be committed. The branch keeps what it had there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The path below the workspace, readable; a directory ends with a slash.
    pub path: String,
    /// Why.
    pub reason: Reason,
}

/// Why a path could not be committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A clone, a worktree or a submodule inside of the repository.
    #[error("it is a repository of its own; remove its .git to commit its files")]
    Repository,
    /// Git reserves the name.
    #[error("git does not accept its name")]
    Name,
    /// A pipe, a socket or a device.
    #[error("it is a pipe, a socket or a device")]
    Special,
    /// Larger than forges accept; the size is in bytes.
    #[error("it has {} MiB, and forges refuse files over {} MiB", .0 / 1024 / 1024, super::walk::MAX_FILE_BYTES / 1024 / 1024)]
    TooLarge(u64),
    /// The repository's attributes give it to Git LFS.
    #[error(".gitattributes gives it to Git LFS, which Terarchitect can't upload to")]
    Lfs,
    /// A key or a token of this job is in it.
    #[error("it has a key or a token of this job; take that out, and read it from the environment instead")]
    Secret,
    /// It can't be read; with the system's words.
    #[error("it can't be read: {0}")]
    Unreadable(String),
}

impl Skipped {
    pub(super) fn new(path: &[u8], reason: Reason) -> Self {
        let path = if path.is_empty() { b"./" } else { path };
        let mut path = super::walk::readable(path);
        if path.len() > MAX_PATH_BYTES {
            path.truncate(path.floor_char_boundary(MAX_PATH_BYTES));
            path.push('…');
        }
        Self { path, reason }
    }
}

/// What libgit2's refusal of one path means.
pub(super) fn reason_of(error: &git2::Error) -> Reason {
    if error.code() == ErrorCode::InvalidSpec || error.message().contains("invalid path") {
        Reason::Name
    } else {
        Reason::Unreadable(error.message().to_owned())
    }
}

/// A line for each path, for the ticket's log and the agent; empty if there is none.
#[must_use]
pub fn describe(skipped: &[Skipped]) -> String {
    let mut lines: Vec<String> =
        skipped.iter().take(MAX_NAMED).map(|one| format!("{}: {}", one.path, one.reason)).collect();
    if skipped.len() > MAX_NAMED {
        lines.push(format!("and {} more", skipped.len() - MAX_NAMED));
    }
    lines.join("\n")
}
