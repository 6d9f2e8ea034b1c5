//! Jobs and their attempts.

use crate::{Client, ClientError, More};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// A job: one drive of a ticket by an agent, over as many attempts as it takes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: Uuid,
    /// Its project.
    pub project_id: Uuid,
    /// Its ticket.
    pub ticket_id: Uuid,
    /// `ticket` or `review`.
    #[serde(default)]
    pub kind: String,
    /// `pending`, `running`, `completed`, `failed` or `cancelled`.
    pub status: String,
    /// The number of its current attempt.
    #[serde(default)]
    pub attempt: i64,
    /// How often it has failed.
    #[serde(default)]
    pub failures: i64,
    /// The coordinator that runs it.
    #[serde(default)]
    pub worker_id: Option<String>,
    /// Why it ended.
    #[serde(default)]
    pub outcome_reason: Option<String>,
    /// When a person asked it to stop.
    #[serde(default)]
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// When it was put into the queue.
    #[serde(default)]
    pub created_at: Option<DateTime<Utc>>,
    /// When it is due.
    #[serde(default)]
    pub run_at: Option<DateTime<Utc>>,
    /// When its current attempt began.
    #[serde(default)]
    pub claimed_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(default)]
    pub finished_at: Option<DateTime<Utc>>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

impl Job {
    /// Whether it has not ended.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.status.as_str(), "pending" | "running")
    }
}

/// One try of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attempt {
    /// Its number.
    pub attempt: i64,
    /// The coordinator that ran it.
    #[serde(default)]
    pub worker_id: Option<String>,
    /// How it ended; absent while it runs.
    #[serde(default)]
    pub outcome: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// Why, in a sentence.
    #[serde(default)]
    pub detail: Option<String>,
    /// The end of its log.
    #[serde(default)]
    pub log_tail: Option<String>,
    /// The exit code of its process.
    #[serde(default)]
    pub exit_code: Option<i64>,
    /// When it ended.
    #[serde(default)]
    pub ended_at: Option<DateTime<Utc>>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// A job with its attempts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobDetail {
    /// Its attempts that have ended, in order.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// The job itself.
    #[serde(flatten)]
    pub job: Job,
}

/// A page of jobs, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// Where the next page begins.
    #[serde(default)]
    pub next_cursor: Option<i64>,
}

/// Which jobs.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Of this project.
    pub project: Option<Uuid>,
    /// Of this ticket.
    pub ticket: Option<Uuid>,
    /// With this status.
    pub status: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// At most so many.
    pub limit: Option<u32>,
    /// From here on.
    pub cursor: Option<i64>,
}

impl Client {
    /// Jobs, newest first.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn jobs(&self, filter: &JobFilter) -> Result<JobPage, ClientError> {
        let mut query = Vec::new();
        query.extend(filter.project.map(|id| ("project_id", id.to_string())));
        query.extend(filter.ticket.map(|id| ("ticket_id", id.to_string())));
        query.extend(filter.status.clone().map(|status| ("status", status)));
        query.extend(filter.kind.clone().map(|kind| ("kind", kind)));
        query.extend(filter.limit.map(|limit| ("limit", limit.to_string())));
        query.extend(filter.cursor.map(|cursor| ("cursor", cursor.to_string())));
        self.get("api/jobs", &query).await
    }

    /// The newest job of a ticket that drives it, if it ever had one.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn newest_job(&self, ticket: Uuid) -> Result<Option<Job>, ClientError> {
        let kind = Some("ticket".to_owned());
        let filter = JobFilter { ticket: Some(ticket), kind, limit: Some(1), ..JobFilter::default() };
        Ok(self.jobs(&filter).await?.jobs.into_iter().next())
    }

    /// One job with its attempts.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn job(&self, id: Uuid) -> Result<JobDetail, ClientError> {
        self.get(&format!("api/jobs/{id}"), &[]).await
    }

    /// Puts a failed or cancelled job into the queue again. A note is told to the agent.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn retry_job(&self, id: Uuid, note: Option<&str>) -> Result<Job, ClientError> {
        let body = note.map_or_else(|| json!({}), |note| json!({"note": note}));
        self.post(&format!("api/jobs/{id}/retry"), &body).await
    }
}
