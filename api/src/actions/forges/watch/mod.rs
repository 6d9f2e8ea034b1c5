//! Finds out what happens at forges without being told: a webhook may be lost, or was never set up.
//!
//! A *sweep* asks a project's forge which pull requests have changed, and a *look* reads one of them. Both put what they
//! find through the same rows as deliveries do, so that nothing is found twice.

pub mod hooks;
mod issues;
mod look;
mod sweep;

pub use look::look_at_next;
pub use sweep::sweep_next;

use super::ask::{ForgePlace, NoAnswer};
use crate::domain::forges::event::PullFacts;
use crate::domain::forges::seen::Seen;
use crate::domain::forges::{ForgeKind, Permission};
use async_trait::async_trait;
use std::fmt::Debug;
use terarchitect_worker_api::UpdateStrategy;

/// Reads what is at forges. No lock and no transaction is open meanwhile.
#[async_trait]
pub trait ReadForge: Debug + Send + Sync {
    /// The pull requests that have changed since an instant, in the forge's own words; none where nothing has since the
    /// response with this entity tag.
    async fn changed(&self, place: &ForgePlace, since: &str, etag: Option<&str>) -> Result<Option<Changed>, NoAnswer>;

    /// A pull request with everything that was said about it, and the checks of its head.
    async fn see(&self, place: &ForgePlace, number: i64) -> Result<Seen, NoAnswer>;

    /// Brings what is new in the base into a pull request's branch, if its head is still this one. False: that was not
    /// possible, because it moved or conflicts.
    async fn update_branch(
        &self,
        place: &ForgePlace,
        number: i64,
        head: &str,
        how: UpdateStrategy,
    ) -> Result<bool, NoAnswer>;

    /// The open issues with a label.
    async fn labelled(&self, place: &ForgePlace, label: &str) -> Result<Vec<SeenIssue>, NoAnswer>;

    /// What the forge says about the repository, its webhooks and the account that is used there.
    async fn webhooks(&self, place: &ForgePlace) -> Result<SeenRepository, NoAnswer>;

    /// What was said about an issue, with what its author may do in the repository, the oldest first.
    async fn issue_comments(&self, place: &ForgePlace, number: i64) -> Result<Vec<IssueComment>, NoAnswer>;
}

/// What has changed in a repository.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// The kind of forge.
    pub forge: ForgeKind,
    /// The pull requests.
    pub pulls: Vec<PullFacts>,
    /// The latest change, in the forge's own words.
    pub latest: Option<String>,
    /// What to ask the next question with.
    pub etag: Option<String>,
}

/// A repository at its forge, as far as webhooks care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenRepository {
    /// The kind of forge.
    pub forge: ForgeKind,
    /// The account that this system uses there.
    pub me: String,
    /// What that may do in the repository.
    pub permission: Permission,
    /// The webhooks; a sentence where the account may not list them.
    pub hooks: Result<Vec<SeenHook>, String>,
}

/// A webhook, as the forge has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenHook {
    /// Where it sends.
    pub url: String,
    /// Whether it is switched on.
    pub is_active: bool,
    /// What it does not send of what this system understands.
    pub missing: Vec<&'static str>,
}

/// An issue at a forge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenIssue {
    /// Its number.
    pub number: i64,
    /// Its page.
    pub url: String,
    /// Its title.
    pub title: String,
    /// Its text.
    pub body: String,
    /// Who opened it.
    pub author: String,
}

/// Something that was said about an issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueComment {
    /// Who said it.
    pub author: String,
    /// What the author may do in the repository.
    pub permission: Permission,
    /// What was said.
    pub body: String,
}
