//! Repositories of the catalogue: projects with what they have beside their own fields.

use crate::domain::agents::repos::RepoFields;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use terarchitect_worker_api::ProjectId;
use utoipa::ToSchema;
use uuid::Uuid;

/// A repository of the catalogue.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Repo {
    /// The repository: the same id as its project's.
    pub id: ProjectId,
    /// What people call its project.
    pub name: String,
    /// Its address.
    pub repo_url: Option<String>,
    /// Who works on its orders that name no agent.
    pub agent_id: Option<Uuid>,
    /// The branch that work begins on.
    pub default_branch: String,
    /// Whether its agents send their events here.
    pub hooks_installed: bool,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<&Repo> for RepoFields {
    fn from(repo: &Repo) -> Self {
        Self {
            agent_id: repo.agent_id,
            default_branch: repo.default_branch.clone(),
            hooks_installed: repo.hooks_installed,
        }
    }
}

macro_rules! repos {
    ($rest:literal $(, $parameter:expr)*) => {
        sqlx::query_as!(
            Repo,
            r#"select project.id as "id!", project.name as "name!", project.github_url as "repo_url?",
                   repo.agent_id as "agent_id?", coalesce(repo.default_branch, 'main') as "default_branch!",
                   coalesce(repo.hooks_installed, false) as "hooks_installed!", project.created_at as "created_at!",
                   greatest(project.updated_at, repo.updated_at) as "updated_at!"
               from projects as project left join agent_repos as repo on repo.project_id = project.id
               where "# + $rest
            $(, $parameter)*
        )
    };
}

/// The visible repositories, the oldest first; `None`: all.
pub async fn list(conn: &mut PgConnection, visible: Option<&[Uuid]>) -> sqlx::Result<Vec<Repo>> {
    repos!(
        "project.github_url is not null and ($1::uuid[] is null or project.id = any ($1))
             order by project.created_at, project.id",
        visible
    )
    .fetch_all(conn)
    .await
}

/// One repository.
pub async fn find(conn: &mut PgConnection, id: ProjectId) -> sqlx::Result<Option<Repo>> {
    repos!("project.id = $1", id.0).fetch_optional(conn).await
}

/// The only visible repository whose own agent this is; none if there are several.
pub async fn only_one_of(
    conn: &mut PgConnection,
    agent: Uuid,
    visible: Option<&[Uuid]>,
) -> sqlx::Result<Option<ProjectId>> {
    let found = sqlx::query_scalar!(
        "select project_id from agent_repos where agent_id = $1 and ($2::uuid[] is null or project_id = any ($2)) limit 2",
        agent,
        visible
    )
    .fetch_all(conn)
    .await?;
    Ok(match found[..] {
        [only] => Some(ProjectId(only)),
        _ => None,
    })
}

/// Every project with its repository's address, to find one that is there already.
pub async fn addresses(conn: &mut PgConnection) -> sqlx::Result<Vec<(ProjectId, String)>> {
    let rows = sqlx::query!(
        r#"select id, github_url as "github_url!" from projects where github_url is not null order by created_at, id"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (ProjectId(row.id), row.github_url)).collect())
}

/// Sets what a repository has beside its project.
pub async fn set(conn: &mut PgConnection, id: ProjectId, fields: &RepoFields) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into agent_repos (project_id, agent_id, default_branch, hooks_installed) values ($1, $2, $3, $4)
         on conflict on constraint agent_repos_pkey do update set agent_id = excluded.agent_id,
             default_branch = excluded.default_branch, hooks_installed = excluded.hooks_installed, updated_at = now()",
        id.0,
        fields.agent_id,
        fields.default_branch,
        fields.hooks_installed
    )
    .execute(conn)
    .await?;
    Ok(())
}
