//! What people read and do at a forge from here, and why it may not be done.

use crate::actions::forges::ask::{ForgePlace, NoAnswer};
use crate::domain::forges::ForgeKind;
use crate::domain::forges::snapshot::{PullComment, PullNow, PullThread, Snapshot};
use crate::domain::forges::standing::head_moved;
use crate::domain::refusal::{ErrorCode, Refusal};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use utoipa::ToSchema;

/// How a pull request is merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MergeMethod {
    /// With a merge commit.
    #[default]
    Merge,
    /// As one commit.
    Squash,
    /// With its commits on top of the base.
    Rebase,
}

/// Why a forge did not do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotDone {
    /// It could not be reached, or denies access.
    NoAnswer(NoAnswer),
    /// The pull request has other commits by now.
    HeadMoved(String),
    /// It can't be merged as it is.
    NotMergeable(String),
    /// The forge does not accept it.
    Refused(String),
    /// There is no other account that may approve.
    NoApprover(String),
}

impl From<NoAnswer> for NotDone {
    fn from(no: NoAnswer) -> Self {
        Self::NoAnswer(no)
    }
}

impl From<NotDone> for Refusal {
    fn from(not: NotDone) -> Self {
        let (code, sentence) = match not {
            NotDone::NoAnswer(NoAnswer { sentence, retry_after }) => {
                let refusal = Self::new(ErrorCode::ForgeFailed, sentence);
                return retry_after.map_or(refusal.clone(), |wait| refusal.retry_after(wait));
            }
            NotDone::HeadMoved(how) => return head_moved(&how),
            NotDone::NotMergeable(sentence) => (ErrorCode::NotMergeable, sentence),
            NotDone::Refused(sentence) => (ErrorCode::ForgeRefused, sentence),
            NotDone::NoApprover(sentence) => (ErrorCode::NoApprover, sentence),
        };
        Self::new(code, sentence)
    }
}

/// A pull request at its forge, for people who review it. No lock and no transaction is open meanwhile.
#[async_trait]
pub trait AtForge: Debug + Send + Sync {
    /// The pull request itself, and what kind of forge it is at.
    async fn pull(&self, place: &ForgePlace, number: i64) -> Result<(ForgeKind, PullNow), NotDone>;

    /// Everything about it. What belongs to its head is taken from `before` where the head is the same.
    async fn all_of(&self, place: &ForgePlace, pull: PullNow, before: Option<Snapshot>) -> Result<Snapshot, NotDone>;

    /// Comments on it. A text with this key is posted once.
    async fn comment(&self, place: &ForgePlace, number: i64, body: &str, key: &str) -> Result<PullComment, NotDone>;

    /// Replies in a thread. A text with this key is posted once.
    async fn reply(
        &self,
        place: &ForgePlace,
        number: i64,
        thread: &PullThread,
        body: &str,
        key: &str,
    ) -> Result<PullComment, NotDone>;

    /// What is missing of a credential for approvals, in a sentence; none: nothing is. No forge is asked.
    async fn lacks_approver(&self, place: &ForgePlace) -> Result<Option<String>, NoAnswer>;

    /// Approves a pull request at this head, with another account than the bot's; returns that account's name. `author` is
    /// who opened it.
    async fn approve(
        &self,
        place: &ForgePlace,
        number: i64,
        author: &str,
        body: &str,
        head_sha: &str,
    ) -> Result<String, NotDone>;

    /// Merges it, if its head is still this one.
    async fn merge(&self, place: &ForgePlace, number: i64, method: MergeMethod, head_sha: &str) -> Result<(), NotDone>;
}
