//! What forges speak about, the same for all of them.

mod checks;
mod hooks;
mod pulls;
mod talk;

pub use checks::{Check, CheckState, NewStatus};
pub use hooks::{Hook, HookEvent};
pub use pulls::{
    Changes, Commit, Conditional, EditPull, Mergeable, Merged, Method, NewPull, OpenPull, Pull, PullState, Ref,
};
pub use talk::{Account, Comment, Issue, Reaction, Remark, Review, ReviewState, Side, Thread};

use serde::{Deserialize, Serialize};

/// A repository's address in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// The host in its address, in lower case; a file's address has none.
    pub host: Option<String>,
    /// Its owner; at GitLab with all groups, `group/subgroup`.
    pub owner: String,
    /// Its name, without `.git`.
    pub name: String,
}

/// What a forge says about a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Its owner and name, as the forge spells them now.
    pub full_name: String,
    /// The branch that pull requests go into; empty for a repository without one.
    pub default_branch: String,
    /// Whether strangers can't see it.
    pub private: bool,
    /// What the token may do.
    pub permission: Permission,
}

/// What an account may do in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Nothing that was granted to it; it may still see a public repository.
    None,
    /// It may read.
    Read,
    /// It may push and merge.
    Write,
    /// It may also change settings, such as webhooks.
    Admin,
}
