//! What waits for a person.

use crate::{Client, ClientError, Diffstat, More, Said};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// What waits for a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Inbox {
    /// One by one.
    pub items: Vec<InboxItem>,
    /// How many were put off.
    #[serde(default)]
    pub snoozed: i64,
}

/// A ticket that waits for a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InboxItem {
    /// The ticket.
    pub ticket_id: Uuid,
    /// Its project.
    pub project_id: Uuid,
    /// The project's name.
    #[serde(default)]
    pub project_name: String,
    /// Its title.
    pub title: String,
    /// `failed` or `pull_request`.
    pub kind: String,
    /// Since when.
    #[serde(default)]
    pub since: Option<DateTime<Utc>>,
    /// What it waits for.
    #[serde(default)]
    pub sentence: String,
    /// Its job.
    #[serde(default)]
    pub job_id: Option<Uuid>,
    /// Its pull request.
    #[serde(default)]
    pub pr_url: Option<String>,
    /// How much was changed.
    #[serde(default)]
    pub diffstat: Option<Diffstat>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

impl Client {
    /// What waits for a person.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn inbox(&self) -> Result<Inbox, ClientError> {
        self.get("api/inbox", &[]).await
    }

    /// Puts a ticket off for a time.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn snooze(&self, ticket: Uuid, time: Duration) -> Result<Said, ClientError> {
        self.post(&format!("api/inbox/{ticket}/snooze"), &json!({"for_sec": time.as_secs()})).await
    }
}
