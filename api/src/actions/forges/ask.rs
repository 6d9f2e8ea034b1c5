//! What is asked of a forge before something is an order, and what is said there.

use crate::domain::forges::conversation::Thread;
use crate::domain::forges::{Account, CommentKind, ForgeKind, Permission};
use async_trait::async_trait;
use std::fmt::Debug;
use std::time::Duration;
use terarchitect_worker_api::ProjectId;

/// A project's repository at its forge.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ForgePlace {
    /// The project, which may have a credential of its own.
    pub project: ProjectId,
    /// The repository's address.
    pub address: String,
    /// Which forge it is at, where that is known.
    pub kind: Option<ForgeKind>,
}

/// Why a forge gave no answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAnswer {
    /// A sentence that says what to do.
    pub sentence: String,
    /// When to ask again, where the forge said so.
    pub retry_after: Option<Duration>,
}

/// Asks forges. No lock and no transaction is open meanwhile.
#[async_trait]
pub trait AskForge: Debug + Send + Sync {
    /// The account that this system uses there.
    async fn me(&self, place: &ForgePlace) -> Result<Account, NoAnswer>;

    /// What an account may do with the repository. One that the forge does not know may do nothing.
    async fn permission(&self, place: &ForgePlace, login: &str) -> Result<Permission, NoAnswer>;

    /// Whether the checks of this branch pass; none where there are none, or they still run.
    async fn passes(&self, place: &ForgePlace, branch: &str) -> Result<Option<bool>, NoAnswer>;

    /// The threads at lines of a pull request, as they were after this comment in one of them was written, if they have it.
    async fn threads(&self, place: &ForgePlace, pull: i64, comment: &str) -> Result<Vec<Thread>, NoAnswer>;

    /// The end of a failed check's log, in at most so many bytes; none where the forge has none. `said` is what is kept of
    /// the check, which begins with its name.
    async fn check_log(
        &self,
        place: &ForgePlace,
        sha: &str,
        said: &str,
        bytes: usize,
    ) -> Result<Option<String>, NoAnswer>;

    /// Comments on a pull request. A text with this key is posted once, also when this is called again.
    async fn comment(&self, place: &ForgePlace, pull: i64, body: &str, key: &str) -> Result<(), NoAnswer>;

    /// Comments on an issue. A text with this key is posted once, also when this is called again.
    async fn comment_issue(&self, place: &ForgePlace, issue: i64, body: &str, key: &str) -> Result<(), NoAnswer>;

    /// Replies in the thread of this id, or the one that has one of these comments. A text with this key is posted once, also
    /// when this is called again. False: there is no such thread any more.
    async fn reply(
        &self,
        place: &ForgePlace,
        pull: i64,
        thread: &str,
        comments: &[&str],
        body: &str,
        key: &str,
    ) -> Result<bool, NoAnswer>;

    /// Puts the reaction that it was seen on a comment of this kind, or where that takes none, on the pull request.
    async fn react(&self, place: &ForgePlace, pull: i64, kind: CommentKind, comment: &str) -> Result<(), NoAnswer>;

    /// The address of the pull request that is open for a branch.
    async fn pull_of_branch(&self, place: &ForgePlace, branch: &str) -> Result<Option<String>, NoAnswer>;

    /// Deletes a branch. One that is gone counts as deleted.
    async fn delete_branch(&self, place: &ForgePlace, branch: &str) -> Result<(), NoAnswer>;
}
