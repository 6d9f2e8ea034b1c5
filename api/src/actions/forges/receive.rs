//! Stores what a forge delivers, if it is genuine.

use super::secrets::valid_secrets;
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::forges::deliveries::NewDelivery;
use crate::domain::forges::ForgeKind;
use crate::domain::forges::signature::{Secret, Shown, is_genuine};
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::sealing::Sealer;
use chrono::Utc;
use terarchitect_worker_api::ProjectId;

/// The secrets of an address, or a refusal if it has none: then the body need not be read.
///
/// # Errors
/// When there is none, the database is not available, or a secret can't be opened.
pub async fn secrets_of(
    database: &Database,
    sealer: &Sealer,
    sender: ForgeKind,
    project: Option<ProjectId>,
) -> ActionResult<Vec<Secret>> {
    let secrets = valid_secrets(database, sealer, sender, project).await?;
    if secrets.is_empty() { Err(not_genuine().into()) } else { Ok(secrets) }
}

/// Refuses what shows neither a signature nor a token: then the body need not be read.
///
/// # Errors
/// When it does not.
pub fn require_any_proof(shown: &Shown<'_>) -> Result<(), Refusal> {
    if shown.signature.is_some() || shown.token.is_some() { Ok(()) } else { Err(not_genuine()) }
}

/// Refuses a body that none of these secrets proves to come from the forge.
///
/// # Errors
/// When it is not signed, signed with another secret, or was signed too long ago.
pub fn require_genuine(sender: ForgeKind, secrets: &[Secret], shown: &Shown<'_>, body: &[u8]) -> Result<(), Refusal> {
    // The sender's clock counts here, and no other process compares this time.
    if is_genuine(sender, secrets, shown, body, Utc::now().timestamp()) { Ok(()) } else { Err(not_genuine()) }
}

/// The same words whatever is wrong, so that a stranger learns nothing.
fn not_genuine() -> Refusal {
    let sentence = "The webhook is not signed with a secret that is valid for this address, or was signed more than five \
        minutes ago; make one with POST /api/webhook-secrets, and set it at the forge.";
    Refusal::new(ErrorCode::SignatureRefused, sentence)
}

/// Stores a delivery to work on later; false if it was stored before.
///
/// # Errors
/// When the project of its address does not exist, or the database is not available.
pub async fn store(database: &Database, new: &NewDelivery<'_>) -> ActionResult<bool> {
    Ok(db::forges::deliveries::insert(&mut *database.read().await?, new).await?)
}
