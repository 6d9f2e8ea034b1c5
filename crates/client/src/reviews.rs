//! A ticket's pull request.

use crate::{Client, ClientError, More};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A ticket's pull request, as its forge showed it last.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Review {
    /// Its number.
    pub pr_number: i64,
    /// Its page.
    #[serde(default)]
    pub pr_url: String,
    /// `open`, `closed` or `merged`.
    #[serde(default)]
    pub pr_state: String,
    /// Whether it is not ready for review yet.
    #[serde(default)]
    pub draft: bool,
    /// Its title.
    #[serde(default)]
    pub title: String,
    /// The checks of its head.
    #[serde(default)]
    pub checks: Vec<ReviewCheck>,
    /// What reviewers decided.
    #[serde(default)]
    pub reviews: Vec<ReviewVerdict>,
    /// What was said at lines.
    #[serde(default)]
    pub threads: Vec<ReviewThread>,
    /// Why this may be old.
    #[serde(default)]
    pub stale_reason: Option<String>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// A check.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReviewCheck {
    /// Its name.
    pub name: String,
    /// `pending`, `success`, `failure` or `neutral`.
    pub state: String,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// What a reviewer decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReviewVerdict {
    /// Who.
    #[serde(default)]
    pub author: String,
    /// `approved`, `changes_requested`, `commented` or `dismissed`.
    pub state: String,
    /// Whether the pull request has another head by now.
    #[serde(default)]
    pub stale: bool,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// A conversation at a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReviewThread {
    /// The file.
    #[serde(default)]
    pub path: String,
    /// The line.
    #[serde(default)]
    pub line: Option<u32>,
    /// Whether it is settled, where the forge says so.
    #[serde(default)]
    pub resolved: Option<bool>,
    /// What was said, the oldest first.
    #[serde(default)]
    pub comments: Vec<ReviewComment>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// Something that was said.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReviewComment {
    /// Who wrote it.
    #[serde(default)]
    pub author: String,
    /// The text.
    #[serde(default)]
    pub body: String,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

impl Client {
    /// The pull request of a ticket.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn review(&self, project: Uuid, ticket: Uuid) -> Result<Review, ClientError> {
        self.get(&format!("api/projects/{project}/tickets/{ticket}/review"), &[]).await
    }
}
