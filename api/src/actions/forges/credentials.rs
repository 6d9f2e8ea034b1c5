//! Stores credentials for forges, and deletes them.

use super::{require_project, require_rights};
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::forges::credentials::{Credential, NewCredential as Row};
use crate::domain::actor::Actor;
use crate::domain::forges::CredentialKind;
use crate::domain::forges::credential::{host, token};
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::people::rights::Rights;
use crate::domain::refusal::Refusal;
use crate::domain::text;
use crate::sealing::{Sealer, SealingError};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use terarchitect_worker_api::ProjectId;
use utoipa::ToSchema;
use uuid::Uuid;

/// A credential to store.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewCredential {
    /// What people call it; unique among those for the same projects.
    pub name: String,
    /// The only host that it is sent to, such as `github.com` or `git.example:3000`.
    pub host: String,
    /// Whose it is: `bot` if absent.
    pub kind: Option<CredentialKind>,
    /// The only project; absent: for all, which only admins may store.
    #[schema(value_type = Option<Uuid>)]
    pub project_id: Option<ProjectId>,
    /// The token. It is encrypted, and never shown again.
    #[schema(value_type = String)]
    pub secret: SecretString,
}

/// What a credential is sealed under.
fn sealed_under(id: Uuid) -> String {
    format!("credential {id}")
}

/// Stores a credential.
///
/// # Errors
/// When a field is not valid, the name is taken, or the caller may not store one for these projects.
pub async fn create_credential(
    database: &Database,
    sealer: &Sealer,
    actor: &Actor,
    rights: &Rights,
    new: NewCredential,
) -> ActionResult<Credential> {
    require_rights(rights, new.project_id)?;
    let (name, host) = (text::title("name", &new.name)?, host(&new.host)?);
    let secret = token(new.secret.expose_secret())?;
    let (id, created_by) = (Uuid::now_v7(), actor.to_string());
    let row = Row {
        id,
        name: &name,
        kind: new.kind.unwrap_or(CredentialKind::Bot),
        host: &host,
        project: new.project_id,
        sealed: &sealer.seal(&sealed_under(id), &secret),
        key_id: sealer.key_id(),
        created_by: &created_by,
    };
    let mut change = database.change(actor).await?;
    require_project(&mut change, new.project_id).await?;
    let stored = db::forges::credentials::insert(&mut change, &row).await?;
    change.record(event(EventKind::CredentialCreated, &stored));
    change.commit().await?;
    Ok(stored)
}

/// The credentials that someone may manage.
///
/// # Errors
/// When the database is not available.
pub async fn list_credentials(database: &Database, rights: &Rights) -> ActionResult<Vec<Credential>> {
    let mut all = db::forges::credentials::list(&mut *database.read().await?).await?;
    all.retain(|credential| require_rights(rights, credential.project_id.map(ProjectId)).is_ok());
    Ok(all)
}

/// Deletes a credential.
///
/// # Errors
/// When there is none, or the caller may not manage it.
pub async fn delete_credential(database: &Database, actor: &Actor, rights: &Rights, id: Uuid) -> ActionResult<()> {
    let missing = || Refusal::not_found("credential", id);
    let mut change = database.change(actor).await?;
    let found = db::forges::credentials::find_for_update(&mut change, id).await?.ok_or_else(missing)?;
    // One that someone may not see does not exist.
    require_rights(rights, found.project_id.map(ProjectId)).map_err(|_| missing())?;
    db::forges::credentials::delete(&mut change, id).await?;
    change.record(event(EventKind::CredentialDeleted, &found));
    Ok(change.commit().await?)
}

fn event(kind: EventKind, of: &Credential) -> NewEvent {
    let data = json!({"credential_id": of.id, "name": of.name, "host": of.host, "credential_kind": of.kind});
    NewEvent { project_id: of.project_id.map(ProjectId), ..NewEvent::new(kind).with(data) }
}

/// The secret for a host: of the project's own credential, else of the one for all. It is for that host alone.
///
/// # Errors
/// When the database is not available, or the secret can't be opened.
pub async fn secret_for(
    database: &Database,
    sealer: &Sealer,
    project: ProjectId,
    host: &str,
    kind: CredentialKind,
) -> ActionResult<Option<SecretString>> {
    secret_of(&mut *database.read().await?, sealer, project, host, kind).await
}

/// The secret for a host, over a connection.
pub(in crate::actions) async fn secret_of(
    conn: &mut PgConnection,
    sealer: &Sealer,
    project: ProjectId,
    host: &str,
    kind: CredentialKind,
) -> ActionResult<Option<SecretString>> {
    let found = db::forges::credentials::find_for_host(conn, project, host, kind).await?;
    let open =
        |sealed: db::forges::credentials::Sealed| sealer.open(&sealed_under(sealed.id), &sealed.key_id, &sealed.sealed);
    Ok(found.map(open).transpose()?)
}

/// Opens everything that is sealed beside the settings, to see whether the key is the right one.
///
/// # Errors
/// When the database is not available, or something can't be opened.
pub async fn check_sealed(database: &Database, sealer: &Sealer) -> ActionResult<()> {
    let sealed = db::forges::credentials::list_sealed(&mut *database.read().await?).await?;
    let opened = sealed.iter().map(|one| sealer.open(&one.name, &one.key_id, &one.sealed).map(drop));
    Ok(opened.collect::<Result<(), SealingError>>()?)
}
