//! The seam: what every forge can do, in the same words.

use crate::types::{
    About, Account, Check, Comment, Commit, Conditional, EditPull, Hook, HookEvent, Issue, Merged, Method, NewPull,
    NewStatus, OpenPull, Permission, Pull, Reaction, Remark, Review, Thread,
};
use crate::{ForgeError, Kind};
use async_trait::async_trait;
use secrecy::SecretString;

/// A repository whose forge has pull requests.
///
/// Every call ends: each request has a time limit, and retries have one too ([`crate::Patience`]). A write that may have
/// happened although its response was lost is looked for before it is repeated: comments and replies by their marker
/// ([`crate::marked`]), everything else by its effect. So each of these may be called again after a crash.
///
/// # Errors
/// Every call returns a [`ForgeError`] that says what to do.
#[async_trait]
pub trait Forge: Send + Sync {
    /// Which kind of forge it is.
    fn kind(&self) -> Kind;

    /// What the forge says about the repository, and what the token may do in it.
    async fn repository(&self) -> Result<About, ForgeError>;

    /// The account that the token belongs to.
    async fn me(&self) -> Result<Account, ForgeError>;

    /// What an account may do in the repository. An account that does not exist may do nothing.
    async fn permission(&self, login: &str) -> Result<Permission, ForgeError>;

    /// Opens a pull request, or finds the one that is already open for the branch.
    async fn open_pull(&self, pull: &NewPull) -> Result<OpenPull, ForgeError>;

    /// Changes a pull request's title or text, closes it, or opens it again.
    async fn edit_pull(&self, number: i64, edit: &EditPull) -> Result<Pull, ForgeError>;

    /// Says that a draft is ready for review. Nothing happens to one that is ready.
    async fn set_ready(&self, number: i64) -> Result<(), ForgeError>;

    /// A pull request as it is now.
    async fn pull(&self, number: i64) -> Result<Pull, ForgeError>;

    /// The pull request that is open for a branch of this repository.
    async fn pull_of_branch(&self, branch: &str) -> Result<Option<Pull>, ForgeError>;

    /// The pull requests in which anything changed since an instant (ISO 8601), the last one first; without an instant,
    /// those that are open. `etag` is that of the last response to the same question: where nothing has changed since,
    /// the question costs nothing of GitHub's rate limit. A new commit status changes no pull request.
    async fn changed_pulls(
        &self,
        since: Option<&str>,
        etag: Option<&str>,
    ) -> Result<Conditional<Vec<Pull>>, ForgeError>;

    /// The commits of a pull request, in the forge's order; none where its version has no such list.
    async fn commits(&self, number: i64) -> Result<Vec<Commit>, ForgeError>;

    /// The paths of the files that a pull request changes; none where the forge's version has no such list.
    async fn files(&self, number: i64) -> Result<Vec<String>, ForgeError>;

    /// The comments on a pull request, without those in threads, the oldest first.
    async fn comments(&self, number: i64) -> Result<Vec<Comment>, ForgeError>;

    /// Comments on a pull request. With a marker on its last line, the text is posted once.
    async fn comment(&self, number: i64, body: &str) -> Result<Comment, ForgeError>;

    /// The reviews of a pull request, the oldest first.
    async fn reviews(&self, number: i64) -> Result<Vec<Review>, ForgeError>;

    /// The threads at lines of a pull request.
    async fn threads(&self, number: i64) -> Result<Vec<Thread>, ForgeError>;

    /// Replies in a thread. With a marker on its last line, the text is posted once.
    async fn reply(&self, number: i64, thread: &Thread, body: &str) -> Result<Comment, ForgeError>;

    /// Puts a reaction on a pull request or one of its comments. Nothing happens where it is there already.
    async fn react(&self, number: i64, on: &Remark, reaction: Reaction) -> Result<(), ForgeError>;

    /// Approves a pull request as it was at `head_sha`.
    async fn approve(&self, number: i64, body: &str, head_sha: &str) -> Result<(), ForgeError>;

    /// Merges a pull request if its head is still `head_sha`. One that was merged with that head counts as merged.
    async fn merge(&self, number: i64, method: Method, head_sha: &str) -> Result<Merged, ForgeError>;

    /// Brings what is new in the base into the branch, if its head is still `head_sha`. Some forges do it a moment later:
    /// the pull request's head changes when they have.
    async fn update_branch(&self, number: i64, method: Method, head_sha: &str) -> Result<(), ForgeError>;

    /// Deletes a branch of the repository. One that is gone counts as deleted.
    async fn delete_branch(&self, branch: &str) -> Result<(), ForgeError>;

    /// The checks of a commit, each by its latest result.
    async fn checks(&self, sha: &str) -> Result<Vec<Check>, ForgeError>;

    /// The end of a check's log, at most `bytes` long; none where the forge has none.
    async fn check_log_tail(&self, check: &Check, bytes: usize) -> Result<Option<String>, ForgeError>;

    /// Posts a status on a commit.
    async fn set_status(&self, sha: &str, status: &NewStatus) -> Result<(), ForgeError>;

    /// The repository's webhooks.
    async fn hooks(&self) -> Result<Vec<Hook>, ForgeError>;

    /// Creates a webhook; one with the same address gets the new secret and events. At GitLab, a secret that starts with
    /// `whsec_` signs what is sent, and any other is sent along.
    async fn create_hook(&self, url: &str, secret: &SecretString, events: &[HookEvent]) -> Result<Hook, ForgeError>;

    /// An issue.
    async fn issue(&self, number: i64) -> Result<Issue, ForgeError>;

    /// The open issues with a label, the last changed one first.
    async fn issues(&self, label: &str) -> Result<Vec<Issue>, ForgeError>;

    /// The comments on an issue, the oldest first.
    async fn issue_comments(&self, number: i64) -> Result<Vec<Comment>, ForgeError>;

    /// Comments on an issue. With a marker on its last line, the text is posted once.
    async fn comment_issue(&self, number: i64, body: &str) -> Result<Comment, ForgeError>;
}
