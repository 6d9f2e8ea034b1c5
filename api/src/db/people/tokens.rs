//! API tokens.

use super::{RoleInProject, project_roles};
use crate::db::words::Word;
use crate::domain::people::Role;
use crate::domain::people::rights::Rights;
use crate::domain::people::token::{self, TokenScope};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use std::time::Duration;
use terarchitect_worker_api::ProjectId;
use utoipa::ToSchema;
use uuid::Uuid;

/// An API token, as it is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Token {
    /// The token.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// What it gives access to.
    pub scope: TokenScope,
    /// What it may do, with the scope `app`.
    pub role: Option<Role>,
    /// The only project; null: all that its owner sees.
    pub project_id: Option<Uuid>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it ends; null: when it is revoked.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// How it begins.
    pub prefix: String,
}

/// A token to make.
#[derive(Clone, Debug)]
pub struct NewToken<'a> {
    /// What people call it.
    pub name: &'a str,
    /// For what.
    pub scope: TokenScope,
    /// What it may do.
    pub role: Option<Role>,
    /// The only project.
    pub project: Option<ProjectId>,
    /// Whose it is.
    pub person: Option<Uuid>,
    /// Who made it.
    pub created_by: &'a str,
    /// For how long it holds.
    pub holds: Option<Duration>,
    /// How it begins.
    pub prefix: &'a str,
}

/// A token that was found by its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The token.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// For what.
    pub scope: TokenScope,
    /// Whose it is.
    pub person: Option<Uuid>,
    /// What it may do now: its own role, as far as its owner's reaches.
    pub rights: Rights,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether its last use should be noted.
    pub is_stale: bool,
}

/// Makes a token.
pub async fn insert(conn: &mut PgConnection, hash: &[u8; 32], new: &NewToken<'_>) -> sqlx::Result<Token> {
    sqlx::query_as!(
        Token,
        r#"insert into api_tokens (id, hash, prefix, name, scope, role, project_id, person_id, created_by, expires_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + $10::float8 * interval '1 second')
           returning id, name, scope as "scope: Word<TokenScope>", role as "role: Role", project_id, created_by,
               created_at, expires_at, last_used_at, prefix"#,
        Uuid::now_v7(),
        hash,
        new.prefix,
        new.name,
        new.scope.as_str(),
        new.role.map(Role::as_str),
        new.project.map(|project| project.0),
        new.person,
        new.created_by,
        new.holds.map(|holds| holds.as_secs_f64())
    )
    .fetch_one(conn)
    .await
}

/// The token with this secret, if it holds and its owner may sign in.
pub async fn find_by_hash(conn: &mut PgConnection, hash: &[u8; 32]) -> sqlx::Result<Option<Found>> {
    let row = sqlx::query!(
        r#"select token.id, token.name, token.scope as "scope: Word<TokenScope>", token.role as "role: Role",
               token.project_id, token.person_id, token.expires_at, person.role as "owner?: Role",
               array(select project_id from project_roles where person_id = person.id order by project_id)
                   as "owner_projects!",
               array(select role from project_roles where person_id = person.id order by project_id) as "owner_roles!",
               coalesce(token.last_used_at < now() - interval '1 minute', true) as "is_stale!"
           from api_tokens as token left join people as person on person.id = token.person_id
           where token.hash = $1 and (token.expires_at is null or token.expires_at > now())
               and person.disabled_at is null"#,
        hash
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let role = if row.scope.0 == TokenScope::Ingest { Some(Role::Member) } else { row.role };
    let own = token::rights(role.unwrap_or(Role::None), row.project_id.map(ProjectId));
    let projects: Vec<RoleInProject> = project_roles(row.owner_projects, row.owner_roles)?;
    let rights = match row.owner {
        Some(role) => own.capped_at(&super::rights(role, &projects)),
        None => own,
    };
    Ok(Some(Found {
        id: row.id,
        name: row.name,
        scope: row.scope.0,
        person: row.person_id,
        rights,
        expires_at: row.expires_at,
        is_stale: row.is_stale,
    }))
}

/// Notes that a token is used.
pub async fn used(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("update api_tokens set last_used_at = now() where id = $1", id).execute(conn).await?;
    Ok(())
}

/// Tokens, the newest first: of one person, or all.
pub async fn list(conn: &mut PgConnection, person: Option<Uuid>) -> sqlx::Result<Vec<Token>> {
    sqlx::query_as!(
        Token,
        r#"select id, name, scope as "scope: Word<TokenScope>", role as "role: Role", project_id, created_by,
               created_at, expires_at, last_used_at, prefix
           from api_tokens where $1::uuid is null or person_id = $1 order by created_at desc, id"#,
        person
    )
    .fetch_all(conn)
    .await
}

/// Revokes a token, of one person or of anyone; returns what it was called.
pub async fn delete(conn: &mut PgConnection, id: Uuid, person: Option<Uuid>) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "delete from api_tokens where id = $1 and ($2::uuid is null or person_id = $2) returning name",
        id,
        person
    )
    .fetch_optional(conn)
    .await
}
