//! Projects.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use terarchitect_worker_api::{ExecutionMode, ProjectId};
use utoipa::ToSchema;
use uuid::Uuid;

/// A project: one repository with its graph, board and tickets.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Project {
    /// The project.
    pub id: ProjectId,
    /// What people call it.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// Its repository.
    pub github_url: Option<String>,
    /// Where its jobs run: `docker` or `local`.
    pub execution_mode: String,
    /// For local projects: the checkout on the coordinator's machine.
    pub project_path: Option<String>,
    /// An image that its jobs want instead of the coordinator's.
    pub agent_image: Option<String>,
    /// How many of its jobs may run at once; null means any number.
    pub max_running: Option<i32>,
    /// Its share of the running slots, against other projects.
    pub weight: i32,
    /// Nothing of it is claimed while it is paused.
    pub paused: bool,
    /// How often a failure of the agent itself is tried again.
    pub retry_agent_failures: i32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a project is made of, or changed to.
#[derive(Clone, Debug)]
pub struct ProjectFields {
    /// What people call it.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// Its repository.
    pub github_url: Option<String>,
    /// Where its jobs run.
    pub execution_mode: ExecutionMode,
    /// For local projects: the checkout on the coordinator's machine.
    pub project_path: Option<String>,
    /// How its jobs are run.
    pub running: RunningFields,
}

/// How a project's jobs are run.
#[derive(Clone, Debug)]
pub struct RunningFields {
    /// An image that its jobs want instead of the coordinator's.
    pub agent_image: Option<String>,
    /// How many may run at once.
    pub max_running: Option<i32>,
    /// Its share of the running slots.
    pub weight: i32,
    /// Whether nothing of it is claimed.
    pub paused: bool,
    /// How often a failure of the agent itself is tried again.
    pub retry_agent_failures: i32,
}

impl Default for RunningFields {
    fn default() -> Self {
        Self { agent_image: None, max_running: None, weight: 1, paused: false, retry_agent_failures: 0 }
    }
}

/// All projects, the oldest first.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<Project>> {
    sqlx::query_as!(
        Project,
        "select id, name, description, github_url, execution_mode, project_path, agent_image, max_running, weight,
             paused, retry_agent_failures, created_at, updated_at
         from projects order by created_at, id"
    )
    .fetch_all(conn)
    .await
}

/// One project.
pub async fn find(conn: &mut PgConnection, id: ProjectId) -> sqlx::Result<Option<Project>> {
    sqlx::query_as!(
        Project,
        "select id, name, description, github_url, execution_mode, project_path, agent_image, max_running, weight,
             paused, retry_agent_failures, created_at, updated_at
         from projects where id = $1",
        id.0
    )
    .fetch_optional(conn)
    .await
}

/// One project, locked against changes until the transaction ends.
pub async fn find_for_update(conn: &mut PgConnection, id: ProjectId) -> sqlx::Result<Option<Project>> {
    sqlx::query_as!(
        Project,
        // Locks the project's row, so that two changes of it follow one another.
        "select id, name, description, github_url, execution_mode, project_path, agent_image, max_running, weight,
             paused, retry_agent_failures, created_at, updated_at
         from projects where id = $1 for update",
        id.0
    )
    .fetch_optional(conn)
    .await
}

/// Whether there is such a project.
pub async fn exists(conn: &mut PgConnection, id: ProjectId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select exists (select from projects where id = $1) as "exists!""#, id.0)
        .fetch_one(conn)
        .await
}

/// Makes a project.
pub async fn insert(conn: &mut PgConnection, fields: &ProjectFields) -> sqlx::Result<Project> {
    sqlx::query_as!(
        Project,
        "insert into projects (id, name, description, github_url, execution_mode, project_path, agent_image,
             max_running, weight, paused, retry_agent_failures)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         returning id, name, description, github_url, execution_mode, project_path, agent_image, max_running, weight,
             paused, retry_agent_failures, created_at, updated_at",
        Uuid::now_v7(),
        fields.name,
        fields.description,
        fields.github_url,
        fields.execution_mode.as_str(),
        fields.project_path,
        fields.running.agent_image,
        fields.running.max_running,
        fields.running.weight,
        fields.running.paused,
        fields.running.retry_agent_failures
    )
    .fetch_one(conn)
    .await
}

/// Changes a project.
pub async fn update(conn: &mut PgConnection, id: ProjectId, fields: &ProjectFields) -> sqlx::Result<Option<Project>> {
    sqlx::query_as!(
        Project,
        "update projects set name = $2, description = $3, github_url = $4, execution_mode = $5, project_path = $6,
             agent_image = $7, max_running = $8, weight = $9, paused = $10, retry_agent_failures = $11,
             updated_at = now()
         where id = $1
         returning id, name, description, github_url, execution_mode, project_path, agent_image, max_running, weight,
             paused, retry_agent_failures, created_at, updated_at",
        id.0,
        fields.name,
        fields.description,
        fields.github_url,
        fields.execution_mode.as_str(),
        fields.project_path,
        fields.running.agent_image,
        fields.running.max_running,
        fields.running.weight,
        fields.running.paused,
        fields.running.retry_agent_failures
    )
    .fetch_optional(conn)
    .await
}

/// Deletes a project with everything in it.
pub async fn delete(conn: &mut PgConnection, id: ProjectId) -> sqlx::Result<bool> {
    Ok(sqlx::query!("delete from projects where id = $1", id.0).execute(conn).await?.rows_affected() == 1)
}
