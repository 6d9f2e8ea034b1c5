//! Secrets of projects: sealed, and never shown.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use terarchitect_worker_api::ProjectId;
use utoipa::ToSchema;

/// A secret of a project, as it is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProjectSecret {
    /// The variable that commands find it in.
    pub name: String,
    /// Whether the agent gets it too.
    pub given_to_agent: bool,
    /// Who set it.
    pub set_by: String,
    /// When.
    pub set_at: DateTime<Utc>,
}

/// A secret to store.
#[derive(Clone, Debug)]
pub struct NewSecret<'a> {
    /// The project.
    pub project: ProjectId,
    /// The variable.
    pub name: &'a str,
    /// The sealed value.
    pub sealed: &'a [u8],
    /// The key that it was sealed with.
    pub key_id: &'a str,
    /// Whether the agent gets it too.
    pub given_to_agent: bool,
    /// Who sets it.
    pub set_by: &'a str,
}

/// A project's secrets, by name.
pub async fn list(conn: &mut PgConnection, project: ProjectId) -> sqlx::Result<Vec<ProjectSecret>> {
    sqlx::query_as!(
        ProjectSecret,
        "select name, given_to_agent, set_by, set_at from project_secrets where project_id = $1 order by name",
        project.0
    )
    .fetch_all(conn)
    .await
}

/// Stores a secret; one of this name is replaced.
pub async fn set(conn: &mut PgConnection, new: &NewSecret<'_>) -> sqlx::Result<ProjectSecret> {
    sqlx::query_as!(
        ProjectSecret,
        "insert into project_secrets (project_id, name, sealed, key_id, given_to_agent, set_by)
         values ($1, $2, $3, $4, $5, $6)
         on conflict on constraint project_secrets_pkey do update set sealed = excluded.sealed, key_id = excluded.key_id,
             given_to_agent = excluded.given_to_agent, set_by = excluded.set_by, set_at = now()
         returning name, given_to_agent, set_by, set_at",
        new.project.0,
        new.name,
        new.sealed,
        new.key_id,
        new.given_to_agent,
        new.set_by
    )
    .fetch_one(conn)
    .await
}

/// How much a project has.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    /// How many secrets.
    pub count: i64,
    /// How large they are together, in bytes.
    pub bytes: i64,
}

/// How much a project has; the room is kept only while its row is locked.
pub async fn stored(conn: &mut PgConnection, project: ProjectId) -> sqlx::Result<Stored> {
    sqlx::query_as!(
        Stored,
        r#"select count(*) as "count!", coalesce(sum(octet_length(sealed)), 0) as "bytes!"
           from project_secrets where project_id = $1"#,
        project.0
    )
    .fetch_one(conn)
    .await
}

/// Deletes a secret; false if there is none.
pub async fn delete(conn: &mut PgConnection, project: ProjectId, name: &str) -> sqlx::Result<bool> {
    let done = sqlx::query!("delete from project_secrets where project_id = $1 and name = $2", project.0, name);
    Ok(done.execute(conn).await?.rows_affected() > 0)
}

/// A sealed secret.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The variable.
    pub name: String,
    /// The sealed value.
    pub sealed: Vec<u8>,
    /// The key that it was sealed with.
    pub key_id: String,
    /// Whether the agent gets it too.
    pub given_to_agent: bool,
}

/// A project's secrets as they are sealed, by name.
pub async fn list_sealed(conn: &mut PgConnection, project: ProjectId) -> sqlx::Result<Vec<Sealed>> {
    sqlx::query_as!(
        Sealed,
        "select name, sealed, key_id, given_to_agent from project_secrets where project_id = $1 order by name",
        project.0
    )
    .fetch_all(conn)
    .await
}
