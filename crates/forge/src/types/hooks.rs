//! Webhooks at a forge.

use serde::{Deserialize, Serialize};

/// A webhook as the forge has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Its id.
    pub id: String,
    /// Where it sends.
    pub url: String,
    /// Whether it is switched on.
    pub active: bool,
    /// What it sends.
    pub events: Vec<HookEvent>,
}

/// What a webhook sends, in groups that every forge has in some form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookEvent {
    /// Pull requests: opened, closed, merged, pushed to.
    Pull,
    /// Reviews and their comments at lines.
    Review,
    /// Comments on pull requests and issues.
    Comment,
    /// Checks, statuses, pipelines.
    Check,
    /// Pushes.
    Push,
    /// Issues and their labels.
    Issue,
    /// Deployments.
    Deployment,
}

impl HookEvent {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Pull, Self::Review, Self::Comment, Self::Check, Self::Push, Self::Issue, Self::Deployment];
}
