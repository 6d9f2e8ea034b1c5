//! Pull requests.

use super::Account;
use serde::{Deserialize, Serialize};

/// A pull request to open.
#[derive(Clone, Debug, Default)]
pub struct NewPull {
    /// The branch with the change.
    pub head: String,
    /// The branch that it should be merged into.
    pub base: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub body: String,
    /// Whether it is not ready for review yet.
    pub draft: bool,
}

/// A pull request that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPull {
    /// Its page, for people.
    pub url: String,
    /// Its number.
    pub number: i64,
    /// Whether it was open before.
    pub reused: bool,
}

/// What to change in a pull request; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct EditPull {
    /// Its title, without a forge's word for drafts.
    pub title: Option<String>,
    /// Its description.
    pub body: Option<String>,
    /// Close it, or open it again.
    pub open: Option<bool>,
}

/// A pull request as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// Its number.
    pub number: i64,
    /// Its page, for people.
    pub url: String,
    /// Its title, without a forge's word for drafts.
    pub title: String,
    /// Its description.
    pub body: String,
    /// Whether it is open.
    pub state: PullState,
    /// Whether it is not ready for review yet.
    pub draft: bool,
    /// The branch with the change.
    pub head: Ref,
    /// The branch that it goes into.
    pub base: Ref,
    /// Who opened it.
    pub author: Account,
    /// Whether it can be merged; unknown in lists.
    pub mergeable: Mergeable,
    /// When anything in it changed, ISO 8601.
    pub updated_at: String,
}

/// A commit of a pull request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its id.
    pub sha: String,
    /// Its message.
    pub message: String,
    /// Its author's name, as git has it.
    pub author: String,
    /// Its page, for people.
    pub url: Option<String>,
}

/// Whether a pull request is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullState {
    /// It is.
    Open,
    /// It was closed without a merge.
    Closed,
    /// It was merged.
    Merged,
}

/// One end of a pull request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ref {
    /// The branch.
    pub branch: String,
    /// Its commit; empty where the forge does not say it.
    pub sha: String,
    /// The repository, where it is not the pull request's own: a fork. Its owner and name, or the forge's other words
    /// for it where those are not known.
    pub repo: Option<String>,
}

/// Whether a pull request can be merged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mergeable {
    /// It can.
    Yes,
    /// It can't, and why.
    No(String),
    /// It conflicts with its base.
    Conflict,
    /// Its branch must be brought up to date with its base first.
    Behind,
    /// The forge has not found out yet, or was not asked.
    Unknown,
}

impl Mergeable {
    /// Why it can't be merged, where the forge says that it can't.
    #[must_use]
    pub fn why_not(&self) -> Option<&str> {
        match self {
            Self::Yes | Self::Unknown => None,
            Self::No(why) => Some(why),
            Self::Conflict => Some("it conflicts with its base"),
            Self::Behind => Some("its branch must be updated first"),
        }
    }
}

/// How a branch gets into another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// With a merge commit.
    Merge,
    /// As one commit.
    Squash,
    /// With its commits on top of the other's.
    Rebase,
}

impl Method {
    /// Its name, as people and GitHub write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Squash => "squash",
            Self::Rebase => "rebase",
        }
    }
}

/// A merge that took place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// The commit that is on the base now, where the forge says it.
    pub sha: Option<String>,
}

/// An answer to the question for what has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conditional<T> {
    /// Nothing since the response that had the given entity tag.
    NotModified,
    /// Something may have.
    Changed(Changes<T>),
}

/// What has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes<T> {
    /// The state now.
    pub value: T,
    /// The entity tag for the next question, where the forge has them.
    pub etag: Option<String>,
}
