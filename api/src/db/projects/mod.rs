//! Projects, with their boards, graphs, notes and memory.

pub mod boards;
pub mod budgets;
pub mod graphs;
pub mod memory;
pub mod notes;
pub mod proof;
pub mod secrets;

use crate::db::words::Word;
use crate::domain::forges::settings::ForgeFields;
use crate::domain::forges::{ForgeKind, ReviewTrigger};
use crate::domain::projects::{ProjectFields, RunningFields, WITHOUT_REPOSITORY_DESCRIPTION};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use terarchitect_worker_api::{ExecutionMode, ProjectId, UpdateStrategy};
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
    /// Where its jobs run.
    pub execution_mode: ExecutionMode,
    /// For local projects: the checkout on the coordinator's machine.
    pub project_path: Option<String>,
    /// The image for its jobs, instead of the coordinator's.
    pub agent_image: Option<String>,
    /// How many of its jobs may run at once; null means any number.
    pub max_running: Option<i32>,
    /// Its share of the running jobs, relative to other projects.
    pub weight: i32,
    /// While it is paused, none of its jobs is claimed.
    pub paused: bool,
    /// How many times a failure of the agent itself is retried.
    pub retry_agent_failures: i32,
    /// How a ticket's branch that is continued gets what its base got since.
    pub update_strategy: UpdateStrategy,
    /// Whether the runner fetches the repository's submodules.
    pub submodules: bool,
    /// Which forge the repository is at; null: found from its address.
    pub forge_kind: Option<ForgeKind>,
    /// What of a review becomes an order to the agent.
    pub review_trigger: ReviewTrigger,
    /// Comments become one job once none has come for so many seconds.
    pub review_quiet_sec: i32,
    /// Bots whose comments count as those of people do.
    pub review_bots: Vec<String>,
    /// How many times failing checks of one pull request are given to the agent.
    pub max_check_fixes: i32,
    /// How a pull request's branch gets what its base got since.
    pub base_update: UpdateStrategy,
    /// Whether a branch is deleted once its pull request is merged.
    pub delete_merged_branch: bool,
    /// Issues with this label become tickets; null: none do.
    pub issue_label: Option<String>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<Project> for ProjectFields {
    fn from(project: Project) -> Self {
        Self {
            name: project.name,
            description: project.description,
            github_url: project.github_url,
            execution_mode: project.execution_mode,
            project_path: project.project_path,
            update_strategy: project.update_strategy,
            submodules: project.submodules,
            forge: ForgeFields {
                forge_kind: project.forge_kind,
                review_trigger: project.review_trigger,
                review_quiet_sec: project.review_quiet_sec,
                review_bots: project.review_bots,
                max_check_fixes: project.max_check_fixes,
                base_update: project.base_update,
                delete_merged_branch: project.delete_merged_branch,
                issue_label: project.issue_label,
            },
            running: RunningFields {
                agent_image: project.agent_image,
                max_running: project.max_running,
                weight: project.weight,
                paused: project.paused,
                retry_agent_failures: project.retry_agent_failures,
            },
        }
    }
}

/// Projects, the oldest first: these, or all.
pub async fn list(conn: &mut PgConnection, visible: Option<&[Uuid]>) -> sqlx::Result<Vec<Project>> {
    sqlx::query_as!(
        Project,
        r#"select id, name, description, github_url, execution_mode as "execution_mode: Word<ExecutionMode>",
             project_path, agent_image, max_running, weight, paused, retry_agent_failures,
             update_strategy as "update_strategy: Word<UpdateStrategy>", submodules, forge_kind as "forge_kind: ForgeKind",
             review_trigger as "review_trigger: Word<ReviewTrigger>", review_quiet_sec, review_bots, max_check_fixes,
             base_update as "base_update: Word<UpdateStrategy>", delete_merged_branch, issue_label, created_at, updated_at
         from projects where $1::uuid[] is null or id = any ($1) order by created_at, id"#,
        visible
    )
    .fetch_all(conn)
    .await
}

/// One project.
pub async fn find(conn: &mut PgConnection, id: ProjectId) -> sqlx::Result<Option<Project>> {
    sqlx::query_as!(
        Project,
        r#"select id, name, description, github_url, execution_mode as "execution_mode: Word<ExecutionMode>",
             project_path, agent_image, max_running, weight, paused, retry_agent_failures,
             update_strategy as "update_strategy: Word<UpdateStrategy>", submodules, forge_kind as "forge_kind: ForgeKind",
             review_trigger as "review_trigger: Word<ReviewTrigger>", review_quiet_sec, review_bots, max_check_fixes,
             base_update as "base_update: Word<UpdateStrategy>", delete_merged_branch, issue_label, created_at, updated_at
         from projects where id = $1"#,
        id.0
    )
    .fetch_optional(conn)
    .await
}

/// One project, locked against changes until the transaction ends.
pub async fn find_for_update(conn: &mut PgConnection, id: ProjectId) -> sqlx::Result<Option<Project>> {
    sqlx::query_as!(
        Project,
        // Locks the project's row, so that two changes of it happen one after the other.
        r#"select id, name, description, github_url, execution_mode as "execution_mode: Word<ExecutionMode>",
             project_path, agent_image, max_running, weight, paused, retry_agent_failures,
             update_strategy as "update_strategy: Word<UpdateStrategy>", submodules, forge_kind as "forge_kind: ForgeKind",
             review_trigger as "review_trigger: Word<ReviewTrigger>", review_quiet_sec, review_bots, max_check_fixes,
             base_update as "base_update: Word<UpdateStrategy>", delete_merged_branch, issue_label, created_at, updated_at
         from projects where id = $1 for update"#,
        id.0
    )
    .fetch_optional(conn)
    .await
}

/// Whether this project exists.
pub async fn exists(conn: &mut PgConnection, id: ProjectId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select exists (select from projects where id = $1) as "exists!""#, id.0)
        .fetch_one(conn)
        .await
}

/// Whether at least one of these projects exists.
pub async fn any_exists(conn: &mut PgConnection, ids: &[ProjectId]) -> sqlx::Result<bool> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    sqlx::query_scalar!(r#"select exists (select from projects where id = any ($1)) as "exists!""#, &ids)
        .fetch_one(conn)
        .await
}

/// Creates a project.
pub async fn insert(conn: &mut PgConnection, fields: &ProjectFields) -> sqlx::Result<Project> {
    sqlx::query_as!(
        Project,
        r#"insert into projects (id, name, description, github_url, execution_mode, project_path, agent_image,
             max_running, weight, paused, retry_agent_failures, update_strategy, submodules, forge_kind, review_trigger,
             review_quiet_sec, review_bots, max_check_fixes, base_update, delete_merged_branch, issue_label)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
         returning id, name, description, github_url, execution_mode as "execution_mode: Word<ExecutionMode>",
             project_path, agent_image, max_running, weight, paused, retry_agent_failures,
             update_strategy as "update_strategy: Word<UpdateStrategy>", submodules, forge_kind as "forge_kind: ForgeKind",
             review_trigger as "review_trigger: Word<ReviewTrigger>", review_quiet_sec, review_bots, max_check_fixes,
             base_update as "base_update: Word<UpdateStrategy>", delete_merged_branch, issue_label, created_at, updated_at"#,
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
        fields.running.retry_agent_failures,
        fields.update_strategy.as_str(),
        fields.submodules,
        fields.forge.forge_kind.map(ForgeKind::as_str),
        fields.forge.review_trigger.as_str(),
        fields.forge.review_quiet_sec,
        &fields.forge.review_bots,
        fields.forge.max_check_fixes,
        fields.forge.base_update.as_str(),
        fields.forge.delete_merged_branch,
        fields.forge.issue_label
    )
    .fetch_one(conn)
    .await
}

/// Creates a project that is built in, unless it is there. Returns whether it was created.
pub async fn insert_built_in(conn: &mut PgConnection, id: ProjectId, name: &str) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "insert into projects (id, name, description) values ($1, $2, $3) on conflict do nothing",
        id.0,
        name,
        WITHOUT_REPOSITORY_DESCRIPTION
    );
    Ok(done.execute(conn).await?.rows_affected() == 1)
}

/// Changes a project.
pub async fn update(conn: &mut PgConnection, id: ProjectId, fields: &ProjectFields) -> sqlx::Result<Option<Project>> {
    sqlx::query_as!(
        Project,
        r#"update projects set name = $2, description = $3, github_url = $4, execution_mode = $5, project_path = $6,
             agent_image = $7, max_running = $8, weight = $9, paused = $10, retry_agent_failures = $11,
             update_strategy = $12, submodules = $13, forge_kind = $14, review_trigger = $15, review_quiet_sec = $16,
             review_bots = $17, max_check_fixes = $18, base_update = $19, delete_merged_branch = $20, issue_label = $21,
             updated_at = now()
         where id = $1
         returning id, name, description, github_url, execution_mode as "execution_mode: Word<ExecutionMode>",
             project_path, agent_image, max_running, weight, paused, retry_agent_failures,
             update_strategy as "update_strategy: Word<UpdateStrategy>", submodules, forge_kind as "forge_kind: ForgeKind",
             review_trigger as "review_trigger: Word<ReviewTrigger>", review_quiet_sec, review_bots, max_check_fixes,
             base_update as "base_update: Word<UpdateStrategy>", delete_merged_branch, issue_label, created_at, updated_at"#,
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
        fields.running.retry_agent_failures,
        fields.update_strategy.as_str(),
        fields.submodules,
        fields.forge.forge_kind.map(ForgeKind::as_str),
        fields.forge.review_trigger.as_str(),
        fields.forge.review_quiet_sec,
        &fields.forge.review_bots,
        fields.forge.max_check_fixes,
        fields.forge.base_update.as_str(),
        fields.forge.delete_merged_branch,
        fields.forge.issue_label
    )
    .fetch_optional(conn)
    .await
}

/// Deletes a project with everything in it.
pub async fn delete(conn: &mut PgConnection, id: ProjectId) -> sqlx::Result<bool> {
    Ok(sqlx::query!("delete from projects where id = $1", id.0).execute(conn).await?.rows_affected() == 1)
}
