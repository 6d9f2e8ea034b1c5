//! Makes secrets for forges' webhooks, and deletes them.

use super::{require_project, require_rights};
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::forges::secrets::{NewSecret as Row, WebhookSecret};
use crate::domain::actor::Actor;
use crate::domain::forges::credential::{made_of, webhook_secret};
use crate::domain::forges::signature::Secret;
use crate::domain::forges::{ForgeKind, SecretKind};
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::people::rights::Rights;
use crate::domain::refusal::Refusal;
use crate::sealing::Sealer;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use terarchitect_worker_api::ProjectId;
use utoipa::ToSchema;
use uuid::Uuid;

/// A secret to make.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewWebhookSecret {
    /// Which forge signs with it.
    pub sender: ForgeKind,
    /// The only project; absent: for all, which only admins may make.
    #[schema(value_type = Option<Uuid>)]
    pub project_id: Option<ProjectId>,
    /// How it proves anything: `token` if absent.
    pub kind: Option<SecretKind>,
    /// The secret itself, where the forge made it; absent: one is made.
    #[schema(value_type = Option<String>)]
    pub secret: Option<SecretString>,
}

/// What a secret is sealed under.
fn sealed_under(id: Uuid) -> String {
    format!("webhook secret {id}")
}

/// Makes a secret; it is shown here alone.
///
/// # Errors
/// When a field is not valid, two are valid already, or the caller may not make one for these projects.
pub async fn create_secret(
    database: &Database,
    sealer: &Sealer,
    actor: &Actor,
    rights: &Rights,
    new: NewWebhookSecret,
) -> ActionResult<(WebhookSecret, SecretString)> {
    require_rights(rights, new.project_id)?;
    let chosen = new.secret.as_ref().map(ExposeSecret::expose_secret);
    let (kind, chosen) = webhook_secret(new.sender, new.kind, chosen)?;
    let secret = chosen.unwrap_or_else(|| made_of(kind, rand::random()));
    let (id, created_by) = (Uuid::now_v7(), actor.to_string());
    let row = Row {
        id,
        sender: new.sender,
        kind,
        project: new.project_id,
        sealed: &sealer.seal(&sealed_under(id), &secret),
        key_id: sealer.key_id(),
        created_by: &created_by,
    };
    let mut change = database.change(actor).await?;
    require_project(&mut change, new.project_id).await?;
    let stored = db::forges::secrets::insert(&mut change, &row).await?.ok_or_else(db::errors::two_secrets)?;
    change.record(event(EventKind::WebhookSecretCreated, &stored));
    change.commit().await?;
    Ok((stored, secret.into()))
}

/// The secrets that someone may manage, without what is secret of them.
///
/// # Errors
/// When the database is not available.
pub async fn list_secrets(database: &Database, rights: &Rights) -> ActionResult<Vec<WebhookSecret>> {
    let mut all = db::forges::secrets::list(&mut *database.read().await?).await?;
    all.retain(|secret| require_rights(rights, secret.project_id.map(ProjectId)).is_ok());
    Ok(all)
}

/// Deletes a secret: what is signed with it is refused from then on.
///
/// # Errors
/// When there is none, or the caller may not manage it.
pub async fn delete_secret(database: &Database, actor: &Actor, rights: &Rights, id: Uuid) -> ActionResult<()> {
    let missing = || Refusal::not_found("webhook secret", id);
    let mut change = database.change(actor).await?;
    let found = db::forges::secrets::find_for_update(&mut change, id).await?.ok_or_else(missing)?;
    require_rights(rights, found.project_id.map(ProjectId)).map_err(|_| missing())?;
    db::forges::secrets::delete(&mut change, id).await?;
    change.record(event(EventKind::WebhookSecretDeleted, &found));
    Ok(change.commit().await?)
}

fn event(kind: EventKind, of: &WebhookSecret) -> NewEvent {
    let data = json!({"secret_id": of.id, "sender": of.sender, "secret_kind": of.kind});
    NewEvent { project_id: of.project_id.map(ProjectId), ..NewEvent::new(kind).with(data) }
}

/// The secrets that are valid for what a forge sends to an address.
///
/// # Errors
/// When the database is not available, or a secret can't be opened.
pub async fn valid_secrets(
    database: &Database,
    sealer: &Sealer,
    sender: ForgeKind,
    project: Option<ProjectId>,
) -> ActionResult<Vec<Secret>> {
    let sealed = db::forges::secrets::valid(&mut *database.read().await?, sender, project).await?;
    let open = |one: db::forges::secrets::SealedSecret| {
        let value = sealer.open(&sealed_under(one.id), &one.key_id, &one.sealed)?;
        Ok(Secret { kind: one.kind, value })
    };
    sealed.into_iter().map(open).collect()
}
