//! What forges sign their webhooks with.

use crate::db::words::Word;
use crate::domain::forges::{ForgeKind, SecretKind};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use terarchitect_worker_api::ProjectId;
use utoipa::ToSchema;
use uuid::Uuid;

/// A webhook's secret, as it is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookSecret {
    /// The secret.
    pub id: Uuid,
    /// Which forge signs with it.
    pub sender: ForgeKind,
    /// How it proves anything.
    pub kind: SecretKind,
    /// The only project; null: for all.
    pub project_id: Option<Uuid>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// A secret to store.
#[derive(Clone, Debug)]
pub struct NewSecret<'a> {
    /// The secret.
    pub id: Uuid,
    /// Which forge signs with it.
    pub sender: ForgeKind,
    /// How it proves anything.
    pub kind: SecretKind,
    /// The only project.
    pub project: Option<ProjectId>,
    /// The sealed secret.
    pub sealed: &'a [u8],
    /// The key that it was sealed with.
    pub key_id: &'a str,
    /// Who makes it.
    pub created_by: &'a str,
}

/// Stores a secret in a place that is free; none if there are two already.
pub async fn insert(conn: &mut PgConnection, new: &NewSecret<'_>) -> sqlx::Result<Option<WebhookSecret>> {
    // Lock: secrets are made one after the other, so that each sees which places are free.
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('webhook_secrets', 0))").execute(&mut *conn).await?;
    sqlx::query_as!(
        WebhookSecret,
        r#"insert into webhook_secrets (id, sender, kind, project_id, slot, sealed, key_id, created_by)
           select $1, $2, $3, $4, place.n, $5, $6, $7 from unnest(array[1, 2]::smallint[]) as place (n)
           where not exists (
               select from webhook_secrets as other
               where other.sender = $2 and other.project_id is not distinct from $4 and other.slot = place.n
           )
           order by place.n limit 1
           returning id, sender as "sender: Word<ForgeKind>", kind as "kind: Word<SecretKind>", project_id, created_by,
               created_at"#,
        new.id,
        new.sender.as_str(),
        new.kind.as_str(),
        new.project.map(|project| project.0),
        new.sealed,
        new.key_id,
        new.created_by
    )
    .fetch_optional(conn)
    .await
}

/// All secrets, the oldest first.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<WebhookSecret>> {
    sqlx::query_as!(
        WebhookSecret,
        r#"select id, sender as "sender: Word<ForgeKind>", kind as "kind: Word<SecretKind>", project_id, created_by,
               created_at
           from webhook_secrets order by created_at, id"#
    )
    .fetch_all(conn)
    .await
}

/// A secret, locked until the transaction ends.
pub async fn find_for_update(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<WebhookSecret>> {
    sqlx::query_as!(
        WebhookSecret,
        // Locks the secret: of two deletions, the second finds none.
        r#"select id, sender as "sender: Word<ForgeKind>", kind as "kind: Word<SecretKind>", project_id, created_by,
               created_at
           from webhook_secrets where id = $1 for update"#,
        id
    )
    .fetch_optional(conn)
    .await
}

/// Deletes a secret.
pub async fn delete(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("delete from webhook_secrets where id = $1", id).execute(conn).await?;
    Ok(())
}

/// A sealed secret of a sender.
#[derive(Clone, Debug)]
pub struct SealedSecret {
    /// The secret.
    pub id: Uuid,
    /// How it proves anything.
    pub kind: SecretKind,
    /// The sealed secret.
    pub sealed: Vec<u8>,
    /// The key that it was sealed with.
    pub key_id: String,
}

/// The secrets that are valid for what a forge sends to an address: the project's own, or, where it has none, those for
/// all.
pub async fn valid(
    conn: &mut PgConnection,
    sender: ForgeKind,
    project: Option<ProjectId>,
) -> sqlx::Result<Vec<SealedSecret>> {
    sqlx::query_as!(
        SealedSecret,
        r#"select id, kind as "kind: Word<SecretKind>", sealed, key_id from webhook_secrets as secret
           where sender = $1 and case
               when exists (select from webhook_secrets as own where own.sender = $1 and own.project_id = $2)
               then project_id = $2 else project_id is null end
           order by slot"#,
        sender.as_str(),
        project.map(|project| project.0)
    )
    .fetch_all(conn)
    .await
}
