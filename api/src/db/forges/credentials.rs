//! Credentials: their secrets are sealed, and never shown.

use crate::db::words::Word;
use crate::domain::forges::CredentialKind;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use terarchitect_worker_api::ProjectId;
use utoipa::ToSchema;
use uuid::Uuid;

/// A credential, as it is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Credential {
    /// The credential.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// Whose it is.
    pub kind: CredentialKind,
    /// The only host that it is sent to.
    pub host: String,
    /// The only project; null: for all.
    pub project_id: Option<Uuid>,
    /// Who stored it.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// A credential to store.
#[derive(Clone, Debug)]
pub struct NewCredential<'a> {
    /// The credential.
    pub id: Uuid,
    /// What people call it.
    pub name: &'a str,
    /// Whose it is.
    pub kind: CredentialKind,
    /// The only host that it is sent to.
    pub host: &'a str,
    /// The only project.
    pub project: Option<ProjectId>,
    /// The sealed secret.
    pub sealed: &'a [u8],
    /// The key that it was sealed with.
    pub key_id: &'a str,
    /// Who stores it.
    pub created_by: &'a str,
}

/// Stores a credential.
pub async fn insert(conn: &mut PgConnection, new: &NewCredential<'_>) -> sqlx::Result<Credential> {
    sqlx::query_as!(
        Credential,
        r#"insert into credentials (id, name, kind, host, project_id, sealed, key_id, created_by)
           values ($1, $2, $3, $4, $5, $6, $7, $8)
           returning id, name, kind as "kind: Word<CredentialKind>", host, project_id, created_by, created_at"#,
        new.id,
        new.name,
        new.kind.as_str(),
        new.host,
        new.project.map(|project| project.0),
        new.sealed,
        new.key_id,
        new.created_by
    )
    .fetch_one(conn)
    .await
}

/// All credentials, by name.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<Credential>> {
    sqlx::query_as!(
        Credential,
        r#"select id, name, kind as "kind: Word<CredentialKind>", host, project_id, created_by, created_at
           from credentials order by name, created_at, id"#
    )
    .fetch_all(conn)
    .await
}

/// A credential, locked until the transaction ends.
pub async fn find_for_update(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Credential>> {
    sqlx::query_as!(
        Credential,
        // Locks the credential: of two deletions, the second finds none.
        r#"select id, name, kind as "kind: Word<CredentialKind>", host, project_id, created_by, created_at
           from credentials where id = $1 for update"#,
        id
    )
    .fetch_optional(conn)
    .await
}

/// Deletes a credential.
pub async fn delete(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("delete from credentials where id = $1", id).execute(conn).await?;
    Ok(())
}

/// A sealed secret, with what it is sealed under.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The credential.
    pub id: Uuid,
    /// The sealed secret.
    pub sealed: Vec<u8>,
    /// The key that it was sealed with.
    pub key_id: String,
}

/// The credential of this kind for a host: the project's own, else the one for all, the latest first.
pub async fn find_for_host(
    conn: &mut PgConnection,
    project: ProjectId,
    host: &str,
    kind: CredentialKind,
) -> sqlx::Result<Option<Sealed>> {
    sqlx::query_as!(
        Sealed,
        "select id, sealed, key_id from credentials
         where host = $2 and kind = $3 and (project_id = $1 or project_id is null)
         order by project_id nulls last, created_at desc limit 1",
        project.0,
        host,
        kind.as_str()
    )
    .fetch_optional(conn)
    .await
}

/// Everything that is sealed beside the settings, with the name that it is sealed under.
#[derive(Clone, Debug)]
pub struct SealedUnder {
    /// The name.
    pub name: String,
    /// The sealed secret.
    pub sealed: Vec<u8>,
    /// The key that it was sealed with.
    pub key_id: String,
}

/// Every sealed credential, webhook's secret and secret of a project.
pub async fn list_sealed(conn: &mut PgConnection) -> sqlx::Result<Vec<SealedUnder>> {
    sqlx::query_as!(
        SealedUnder,
        r#"select 'credential ' || id as "name!", sealed as "sealed!", key_id as "key_id!" from credentials
           union all select 'webhook secret ' || id, sealed, key_id from webhook_secrets
           union all select 'secret ' || name || ' of the project ' || project_id, sealed, key_id from project_secrets"#
    )
    .fetch_all(conn)
    .await
}
