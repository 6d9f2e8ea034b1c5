//! Coordinators and the queue.

use crate::{Client, ClientError, More, Said, State};
use chrono::{DateTime, Utc};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// All coordinators, and what waits for them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fleet {
    /// The coordinators.
    pub coordinators: Vec<Coordinator>,
    /// What waits, by project.
    #[serde(default)]
    pub queue: Vec<QueuedProject>,
    /// Whether everything was stopped.
    #[serde(default)]
    pub stopped: bool,
    /// Since when.
    #[serde(default)]
    pub stopped_at: Option<DateTime<Utc>>,
    /// By whom.
    #[serde(default)]
    pub stopped_by: Option<String>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// A coordinator.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Coordinator {
    /// Its id.
    pub worker_id: String,
    /// Its name, usually the host's.
    #[serde(default)]
    pub name: Option<String>,
    /// `run` or `drain`.
    #[serde(default)]
    pub directive: String,
    /// How many jobs it can run at once.
    #[serde(default)]
    pub slots: Option<i64>,
    /// How many it holds.
    #[serde(default)]
    pub held: i64,
    /// How many it may run at once, if fewer than its slots.
    #[serde(default)]
    pub limit: Option<i64>,
    /// Its version.
    #[serde(default)]
    pub version: Option<String>,
    /// Whether it has sent no heartbeat for too long; an older API does not say.
    #[serde(default)]
    pub lost: Option<bool>,
    /// How long ago its last heartbeat was, in seconds; an older API's field.
    #[serde(default)]
    pub last_heartbeat_sec: Option<f64>,
    /// How long ago its last heartbeat was, in milliseconds.
    #[serde(default)]
    pub seen_ms_ago: Option<i64>,
    /// The free space on its engine's disk, in bytes.
    #[serde(default)]
    pub disk_free_bytes: Option<i64>,
    /// The size of that disk, in bytes.
    #[serde(default)]
    pub disk_total_bytes: Option<i64>,
    /// What it found when it checked itself.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// The jobs that it holds.
    #[serde(default)]
    pub jobs: Vec<HeldJob>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// What a coordinator found when it checked itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// What was checked.
    pub check: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found.
    #[serde(default)]
    pub sentence: String,
    /// What to do.
    #[serde(default)]
    pub fix: Option<String>,
}

/// A job that a coordinator holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeldJob {
    /// The job.
    pub job_id: Uuid,
    /// Its attempt.
    #[serde(default)]
    pub attempt: i64,
    /// Its ticket.
    pub ticket_id: Uuid,
    /// The ticket's title.
    #[serde(default)]
    pub title: String,
    /// Its state.
    #[serde(default)]
    pub state: Option<State>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// What waits in a project.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueuedProject {
    /// The project.
    pub project_id: Uuid,
    /// Its name.
    #[serde(default)]
    pub project_name: String,
    /// How many of its jobs run.
    #[serde(default)]
    pub running: i64,
    /// How many wait.
    #[serde(default)]
    pub due: i64,
    /// How many may run at once.
    #[serde(default)]
    pub limit: Option<i64>,
    /// Whether it is paused.
    #[serde(default)]
    pub paused: bool,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// What stopping everything did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stopped {
    /// Whether everything is stopped.
    #[serde(default)]
    pub stopped: bool,
    /// How many jobs were asked to stop.
    #[serde(default)]
    pub cancelled: i64,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// What changes for a coordinator; what is absent stays.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CoordinatorChange {
    /// `run` or `drain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directive: Option<String>,
    /// How many jobs it may run at once; `Some(None)` takes the limit away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Option<u32>>,
}

impl Client {
    /// All coordinators with the jobs that they hold, and the queue.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn fleet(&self) -> Result<Fleet, ClientError> {
        self.get("api/fleet", &[]).await
    }

    /// All coordinators, as every API has them.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn coordinators(&self) -> Result<Vec<Coordinator>, ClientError> {
        self.get("api/coordinators", &[]).await
    }

    /// Tells a coordinator whether and how much it may claim.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn change_coordinator(&self, worker_id: &str, change: &CoordinatorChange) -> Result<Said, ClientError> {
        // An id is what the coordinator calls itself; a slash in it must not change the path.
        let id: String = url::form_urlencoded::byte_serialize(worker_id.as_bytes()).collect();
        let path = format!("api/coordinators/{}", id.replace('+', "%20"));
        self.send(Method::PUT, &path, &[], Some(change)).await
    }

    /// Stops everything: nothing is claimed any more, and what runs is asked to stop.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn stop_everything(&self) -> Result<Stopped, ClientError> {
        self.post("api/fleet/stop", &json!({})).await
    }

    /// Lets coordinators claim again.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn resume_everything(&self) -> Result<Said, ClientError> {
        self.post("api/fleet/resume", &json!({})).await
    }
}
