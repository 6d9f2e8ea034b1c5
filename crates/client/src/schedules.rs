//! Schedules: work orders at times of their own.

use crate::{Client, ClientError, LaunchedOrder, More};
use chrono::{DateTime, Utc};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// A schedule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Schedule {
    /// Its id.
    pub id: Uuid,
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// When it is due.
    #[serde(default)]
    pub cron_expression: String,
    /// Where that time is.
    #[serde(default)]
    pub timezone: String,
    /// The repository of its orders.
    #[serde(default)]
    pub repo_id: Option<Uuid>,
    /// What its orders say.
    #[serde(default)]
    pub work_order_template: Value,
    /// Whether it is fired by itself.
    #[serde(default)]
    pub enabled: bool,
    /// What happens to times that passed while nothing could run: `run` or `skip`.
    #[serde(default)]
    pub missed: String,
    /// What happens while an earlier run is still going: `skip` or `allow`.
    #[serde(default)]
    pub overlap: String,
    /// When it was run last.
    #[serde(default)]
    pub last_run_at: Option<DateTime<Utc>>,
    /// When it is due next.
    #[serde(default)]
    pub next_run_at: Option<DateTime<Utc>>,
    /// The next times.
    #[serde(default)]
    pub next_runs: Vec<DateTime<Utc>>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// A run of a schedule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScheduleRun {
    /// Its id.
    pub id: Uuid,
    /// When it was due; none where a person started it.
    #[serde(default)]
    pub due_at: Option<DateTime<Utc>>,
    /// Its order.
    #[serde(default)]
    pub work_order_id: Option<Uuid>,
    /// How it stands.
    #[serde(default)]
    pub status: String,
    /// Why it failed or was skipped.
    #[serde(default)]
    pub error_message: Option<String>,
    /// Its order's pull request.
    #[serde(default)]
    pub pr_url: Option<String>,
    /// When it began.
    #[serde(default)]
    pub started_at: Option<DateTime<Utc>>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

#[derive(Deserialize)]
struct Schedules {
    jobs: Vec<Schedule>,
}

#[derive(Deserialize)]
struct OneSchedule {
    job: Schedule,
}

#[derive(Deserialize)]
struct Runs {
    runs: Vec<ScheduleRun>,
}

impl Client {
    /// The schedules, the oldest first.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn schedules(&self) -> Result<Vec<Schedule>, ClientError> {
        let all: Schedules = self.get("api/v1/jobs", &[]).await?;
        Ok(all.jobs)
    }

    /// The newest runs of a schedule.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn schedule_runs(&self, id: Uuid, limit: u32) -> Result<Vec<ScheduleRun>, ClientError> {
        let all: Runs = self.get(&format!("api/v1/jobs/{id}/runs"), &[("limit", limit.to_string())]).await?;
        Ok(all.runs)
    }

    /// Runs a schedule now.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn run_schedule(&self, id: Uuid) -> Result<LaunchedOrder, ClientError> {
        self.post(&format!("api/v1/jobs/{id}/run"), &json!({})).await
    }

    /// Lets a schedule be fired by itself, or not.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn enable_schedule(&self, id: Uuid, enabled: bool) -> Result<Schedule, ClientError> {
        let body = json!({"enabled": enabled});
        let one: OneSchedule = self.send(Method::PATCH, &format!("api/v1/jobs/{id}"), &[], Some(&body)).await?;
        Ok(one.job)
    }
}
