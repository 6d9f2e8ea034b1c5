//! What waits for a person.

use crate::{Client, ClientError, Diffstat, More, Said};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
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
    /// `failed`, `pull_request` or `checkpoint`.
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
    /// What to decide about, if an agent waits for that.
    #[serde(default)]
    pub checkpoint: Option<Checkpoint>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// What an agent waits for a person's decision about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Its id.
    pub id: Uuid,
    /// Its job.
    #[serde(default)]
    pub job_id: Option<Uuid>,
    /// `start`, `plan`, `diff`, `output` or `question`.
    #[serde(default)]
    pub stage: Option<String>,
    /// `pending`, `approved`, `rejected` or `expired`.
    #[serde(default)]
    pub status: String,
    /// What to decide.
    #[serde(default)]
    pub message: String,
    /// What it is about.
    #[serde(default)]
    pub data: Value,
    /// When it expires.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
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

    /// Approves a checkpoint, perhaps with words for the agent: its job goes on.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn approve_checkpoint(&self, id: Uuid, answer: Option<&str>) -> Result<Checkpoint, ClientError> {
        let body = answer.map_or_else(|| json!({}), |answer| json!({"answer": answer}));
        self.post(&format!("api/checkpoints/{id}/approve"), &body).await
    }

    /// Rejects a checkpoint: its job fails for good.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn reject_checkpoint(&self, id: Uuid, reason: Option<&str>) -> Result<Checkpoint, ClientError> {
        let body = reason.map_or_else(|| json!({}), |reason| json!({"reason": reason}));
        self.post(&format!("api/checkpoints/{id}/reject"), &body).await
    }
}
