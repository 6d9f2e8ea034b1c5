//! What a forge keeps: accounts, repositories, pull requests and what is said about them. The same for all dialects.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an account may do in every repository of the forge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Permission {
    /// Nothing that was granted to it.
    #[default]
    None,
    /// It may read.
    Read,
    /// It may push and merge.
    Write,
    /// It may also change settings, such as webhooks.
    Admin,
}

/// A person or program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Account {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub login: String,
    /// Whether it is a program.
    pub bot: bool,
    /// Its token.
    pub token: String,
    /// What it may do.
    pub permission: Permission,
}

/// A repository.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Repo {
    pub(crate) id: u64,
    pub(crate) owner: String,
    pub(crate) name: String,
    pub(crate) created_at: i64,
    pub(crate) rules: Rules,
    pub(crate) pulls: Vec<Pull>,
    pub(crate) issues: Vec<Issue>,
    pub(crate) checks: Vec<Check>,
    pub(crate) hooks: Vec<Hook>,
    /// The branches when they were last looked at, each with its commit.
    pub(crate) branches: BTreeMap<String, String>,
}

/// What must be so before a merge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// An approval.
    pub approval: bool,
    /// No thread is open.
    pub settled_threads: bool,
    /// Merges are fast-forwards, where that is a setting of the project (GitLab's `merge_method` `ff`).
    pub fast_forward: bool,
}

/// A pull request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pull {
    /// Its id, unique in the forge.
    pub id: u64,
    /// The repository's owner.
    pub owner: String,
    /// The repository.
    pub repo: String,
    /// Its number, from 1 in each repository; issues count along.
    pub number: u64,
    /// Its title, without a dialect's word for drafts.
    pub title: String,
    /// Its text.
    pub body: String,
    /// Whether it is a draft.
    pub draft: bool,
    /// The branch with the change.
    pub head: String,
    /// The commit of that branch when it was last looked at.
    pub head_sha: String,
    /// The commit of the base when it was last found out whether the change can be merged.
    pub checked_base: String,
    /// The fork that the branch is in, as `owner/name`, where it is in one.
    pub fork: Option<String>,
    /// The branch that it should go into.
    pub base: String,
    /// `open` or `closed`.
    pub state: String,
    /// The commit that a merge made.
    pub merge_commit: Option<String>,
    /// Who merged it.
    pub merged_by: Option<u64>,
    /// Whether the merge made one commit of it.
    pub squashed: bool,
    /// Why the last rebase failed.
    pub merge_error: Option<String>,
    /// Who opened it.
    pub author: u64,
    /// When it was opened, in milliseconds since 1970.
    pub created_at: i64,
    /// When anything in it changed, in milliseconds since 1970.
    pub updated_at: i64,
    /// When it was closed or merged, in milliseconds since 1970.
    pub closed_at: Option<i64>,
    /// Comments on it.
    pub comments: Vec<Comment>,
    /// Its reviews.
    pub reviews: Vec<Review>,
    /// The threads at its lines.
    pub threads: Vec<Thread>,
    /// Reactions on it: who, and what.
    pub reactions: Vec<(u64, String)>,
}

impl Pull {
    /// Whether it was merged.
    #[must_use]
    pub fn is_merged(&self) -> bool {
        self.merge_commit.is_some()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state == "open"
    }
}

/// A comment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Comment {
    /// Its id, unique in the forge.
    pub id: u64,
    /// Who wrote it.
    pub author: u64,
    /// Its text.
    pub body: String,
    /// When it was written, in milliseconds since 1970.
    pub created_at: i64,
    /// When it was edited, in milliseconds since 1970.
    pub updated_at: i64,
    /// The review that it came with, for a comment at a line.
    pub review: Option<u64>,
    /// Reactions on it: who, and what.
    pub reactions: Vec<(u64, String)>,
}

/// A review's verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It may be merged.
    Approved,
    /// It must be changed first.
    ChangesRequested,
    /// No verdict.
    #[default]
    Commented,
    /// It is not submitted, and its author alone sees it.
    Pending,
}

/// A review.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Review {
    /// Its id, unique in the forge.
    pub id: u64,
    /// Who reviewed.
    pub author: u64,
    /// The verdict.
    pub verdict: Verdict,
    /// Its text.
    pub body: String,
    /// The head that was reviewed.
    pub commit: String,
    /// When it was submitted, in milliseconds since 1970.
    pub submitted_at: i64,
}

/// A conversation at a line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Thread {
    /// The file.
    pub path: String,
    /// The line in that file.
    pub line: u64,
    /// Whether the line is in the file as the base has it.
    pub old_side: bool,
    /// The piece of the diff that ends at the line.
    pub hunk: String,
    /// The head at which it began.
    pub commit: String,
    /// Who settled it.
    pub resolved_by: Option<u64>,
    /// What was said, the oldest first.
    pub comments: Vec<Comment>,
}

impl Thread {
    /// The id of its first comment.
    pub(crate) fn id(&self) -> u64 {
        self.comments.first().map_or(0, |comment| comment.id)
    }
}

/// How a check stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CheckState {
    /// It waits or runs.
    #[default]
    Pending,
    /// It passed.
    Success,
    /// It failed.
    Failure,
    /// It was skipped.
    Skipped,
}

/// A check of a commit: a job of the forge's own, which has a log, or a status that someone posted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Check {
    /// Its id, unique in the forge.
    pub id: u64,
    /// The commit.
    pub sha: String,
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: CheckState,
    /// A sentence about it.
    pub description: String,
    /// Where people read more, for a status.
    pub url: Option<String>,
    /// Its log, for a job.
    pub log: Option<String>,
    /// Who posted it.
    pub author: u64,
    /// When it was posted, in milliseconds since 1970.
    pub created_at: i64,
}

/// An issue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Issue {
    /// Its id, unique in the forge.
    pub id: u64,
    /// Its number, from 1 in each repository; pull requests count along.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Its text.
    pub body: String,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// Whether it is open.
    pub open: bool,
    /// Who opened it.
    pub author: u64,
    /// When it was opened, in milliseconds since 1970.
    pub created_at: i64,
    /// When anything in it changed, in milliseconds since 1970.
    pub updated_at: i64,
    /// Comments on it.
    pub comments: Vec<Comment>,
    /// Reactions on it: who, and what.
    pub reactions: Vec<(u64, String)>,
}

/// A webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hook {
    /// Its id, unique in the forge.
    pub id: u64,
    /// Where it sends.
    pub url: String,
    /// What it signs with, or sends along.
    pub secret: String,
    /// What it sends, in the dialect's own words.
    pub events: Vec<String>,
    /// Whether it is switched on.
    pub active: bool,
    /// When it was made, in milliseconds since 1970.
    pub created_at: i64,
}
