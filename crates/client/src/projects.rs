//! Projects.

use crate::{Client, ClientError, More};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A project.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Project {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What it is about.
    #[serde(default)]
    pub description: Option<String>,
    /// Its repository.
    #[serde(default)]
    pub github_url: Option<String>,
    /// Where its jobs run: `docker` or `local`.
    #[serde(default)]
    pub execution_mode: Option<String>,
    /// The folder of a local project.
    #[serde(default)]
    pub project_path: Option<String>,
    /// How many of its jobs may run at once.
    #[serde(default)]
    pub max_running: Option<i64>,
    /// Whether its jobs wait until it goes on.
    #[serde(default)]
    pub paused: bool,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

/// A project to create.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewProject {
    /// Its name.
    pub name: String,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub github_url: Option<String>,
    /// The folder of a local project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_path: Option<String>,
    /// Where its jobs run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_mode: Option<String>,
    /// Whether the repository exists already.
    pub is_existing_repo: bool,
    /// How many of its jobs may run at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_running: Option<u32>,
}

/// One thing that was checked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Check {
    /// What was checked.
    pub check: String,
    /// Whether it is as it should be; absent where it could not be checked.
    #[serde(default)]
    pub ok: Option<bool>,
    /// What was found.
    #[serde(default)]
    pub sentence: String,
    /// What to do.
    #[serde(default)]
    pub fix: Option<String>,
}

/// What was checked of a project.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checks {
    /// One by one.
    pub checks: Vec<Check>,
    /// Other fields.
    #[serde(flatten)]
    pub more: More,
}

impl Client {
    /// The projects that the caller may see.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn projects(&self) -> Result<Vec<Project>, ClientError> {
        self.get("api/projects", &[]).await
    }

    /// One project.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn project(&self, id: Uuid) -> Result<Project, ClientError> {
        self.get(&format!("api/projects/{id}"), &[]).await
    }

    /// Creates a project.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn create_project(&self, project: &NewProject) -> Result<Project, ClientError> {
        self.post("api/projects", project).await
    }

    /// Checks what a project's jobs need.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn check_project(&self, id: Uuid) -> Result<Checks, ClientError> {
        self.post(&format!("api/projects/{id}/check"), &serde_json::json!({})).await
    }
}
