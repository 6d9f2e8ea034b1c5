//! What people say: comments, reviews, threads at lines, and issues.

use serde::{Deserialize, Serialize};

/// A person or program at a forge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id, which stays when it is renamed; empty for an account that is gone.
    pub id: String,
    /// Its name.
    pub login: String,
    /// Whether the forge shows it as a program.
    pub bot: bool,
}

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// Its id.
    pub id: String,
    /// Who wrote it.
    pub author: Account,
    /// Its text, as it was written.
    pub body: String,
    /// When it was written, ISO 8601.
    pub created_at: String,
    /// When it was changed last, ISO 8601.
    pub updated_at: String,
    /// Its place on the page, for people.
    pub url: String,
}

/// A review as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Its id. Where the forge has one state for each reviewer instead of reviews, it is made of both.
    pub id: String,
    /// Who reviewed.
    pub author: Account,
    /// The verdict.
    pub state: ReviewState,
    /// Its text.
    pub body: String,
    /// The head that was reviewed, where the forge says it.
    pub commit: Option<String>,
    /// When it was submitted, ISO 8601; empty where the forge does not say it.
    pub submitted_at: String,
}

/// A review's verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewState {
    /// It may be merged.
    Approved,
    /// It must be changed first.
    ChangesRequested,
    /// No verdict.
    Commented,
    /// It no longer counts.
    Dismissed,
    /// It is not submitted yet.
    Pending,
}

/// A conversation at a line of the change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// Its id: at GitLab the discussion's, elsewhere its first comment's.
    pub id: String,
    /// The file.
    pub path: String,
    /// The line in that file; none for a remark about the whole file.
    pub line: Option<u32>,
    /// Which version of the file the line is in.
    pub side: Side,
    /// The piece of the diff that ends at the line, where the forge has it.
    pub hunk: Option<String>,
    /// Whether it is settled, where the forge says so.
    pub resolved: Option<bool>,
    /// What was said, the oldest first.
    pub comments: Vec<Comment>,
    /// The review that it came with, where the forge says so.
    pub review: Option<String>,
}

/// A version of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// As the pull request has it.
    #[default]
    New,
    /// As the base has it: a line that was removed.
    Old,
}

/// What a reaction is put on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// The pull request itself.
    Pull,
    /// One of its comments, by id.
    Comment(String),
    /// A comment in a thread, by id.
    Line(String),
}

/// A reaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// It was seen.
    Eyes,
}

/// An issue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// Its number.
    pub number: i64,
    /// Its page, for people.
    pub url: String,
    /// Its title.
    pub title: String,
    /// Its text.
    pub body: String,
    /// Who opened it.
    pub author: Account,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// Whether it is open.
    pub open: bool,
    /// When anything in it changed, ISO 8601.
    pub updated_at: String,
}
