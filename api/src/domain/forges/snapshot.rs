//! A pull request as its forge showed it at one moment, in one set of words for all forges.

use super::PullState;
use crate::domain::words::words;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

words! {
    /// How a check of a commit stands.
    pub enum CheckResult "result of a check" {
        /// It waits or runs.
        Pending = "pending",
        /// It passed.
        Success = "success",
        /// It failed.
        Failure = "failure",
        /// It was skipped, or has no verdict.
        Neutral = "neutral",
    }
}

words! {
    /// What a review says.
    pub enum Verdict "verdict of a review" {
        /// The change may be merged.
        Approved = "approved",
        /// Something has to be changed first.
        ChangesRequested = "changes_requested",
        /// Neither of both.
        Commented = "commented",
        /// It no longer counts.
        Dismissed = "dismissed",
    }
}

/// One end of a pull request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PullBranch {
    /// The branch.
    pub branch: String,
    /// Its commit; empty where the forge does not say it.
    pub sha: String,
    /// The repository, where it is another one: a fork.
    pub repo: Option<String>,
}

/// A pull request itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullNow {
    /// Its number.
    pub number: i64,
    /// Its page.
    pub url: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub body: String,
    /// Whether it is open.
    pub state: PullState,
    /// Whether it is not ready for review yet.
    pub draft: bool,
    /// The branch with the change.
    pub head: PullBranch,
    /// The branch that it goes into.
    pub base: PullBranch,
    /// Who opened it.
    pub author: String,
    /// Whether it can be merged; none while the forge has not found out.
    pub mergeable: Option<bool>,
    /// Why not.
    pub mergeable_reason: Option<String>,
    /// When the forge says that it was changed.
    pub updated_at: String,
}

/// A commit of a pull request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PullCommit {
    /// Its id.
    pub sha: String,
    /// Its message.
    pub message: String,
    /// Its author's name.
    pub author: String,
    /// Its page.
    pub url: Option<String>,
}

/// A check of a pull request's head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PullCheck {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: CheckResult,
    /// Its page.
    pub url: Option<String>,
    /// A sentence or more about it.
    pub summary: Option<String>,
    /// Whether this system posted it.
    pub ours: bool,
}

/// A review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PullVerdict {
    /// Who reviewed.
    pub author: String,
    /// What it says.
    pub state: Verdict,
    /// Its text, as far as it can be seen.
    pub body: String,
    /// The head that was reviewed, where the forge says it.
    pub head_sha: Option<String>,
    /// Whether the pull request has another head by now.
    pub stale: bool,
    /// When it was submitted; empty where the forge does not say it.
    pub submitted_at: String,
}

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PullComment {
    /// What the forge calls it.
    pub id: String,
    /// Who wrote it.
    pub author: String,
    /// Whether the forge shows the author as a program.
    pub is_bot: bool,
    /// Its text, as far as it can be seen.
    pub body: String,
    /// When it was written.
    pub created_at: String,
    /// Its place on the forge's page.
    pub url: String,
}

/// A conversation at a line of the change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PullThread {
    /// What the forge calls it.
    pub id: String,
    /// The file.
    pub path: String,
    /// The line of the file; none: it is about the whole file.
    pub line: Option<u32>,
    /// Whether the line is one of the base, which the change removes.
    pub on_base: bool,
    /// The part of the diff that ends with the line, where the forge has it.
    pub hunk: Option<String>,
    /// Whether it is settled, where the forge says so.
    pub resolved: Option<bool>,
    /// What was said, the oldest first.
    pub comments: Vec<PullComment>,
}

/// A pull request as its forge showed it at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The pull request itself.
    pub pull: PullNow,
    /// Its commits.
    pub commits: Vec<PullCommit>,
    /// The files that it changes.
    pub files: Vec<String>,
    /// The checks of its head.
    pub checks: Vec<PullCheck>,
    /// Its reviews, the oldest first.
    pub reviews: Vec<PullVerdict>,
    /// What was said at lines.
    pub threads: Vec<PullThread>,
    /// What was said about it as a whole.
    pub comments: Vec<PullComment>,
}

impl Snapshot {
    /// How many threads are not settled. Where the forge does not say it, a thread counts as settled: most would never be.
    #[must_use]
    pub fn open_threads(&self) -> usize {
        self.threads.iter().filter(|thread| thread.resolved == Some(false)).count()
    }

    /// The paths among its files that look like tests.
    #[must_use]
    pub fn test_files(&self) -> Vec<String> {
        self.files.iter().filter(|path| is_test(path)).cloned().collect()
    }
}

/// Whether a path looks like one of a test, as most languages name them.
fn is_test(path: &str) -> bool {
    let path = path.to_lowercase();
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", &path));
    let is_tests =
        |folder: &str| matches!(folder, "test" | "tests" | "__tests__" | "spec" | "specs" | "e2e" | "testdata");
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    folders.split('/').any(is_tests)
        || stem.starts_with("test_")
        || [".test", ".spec", "_test", "_tests", "_spec", "-test"].iter().any(|end| stem.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_known_by_their_paths() {
        for path in ["tests/a.rs", "src/orders_tests.rs", "web/x.test.ts", "pkg/a_test.go", "test_a.py", "a/spec/b.rb"]
        {
            assert!(is_test(path), "{path}");
        }
        for path in ["src/latest.rs", "README.md", "contest/a.rs", "src/attest.ts"] {
            assert!(!is_test(path), "{path}");
        }
    }
}
