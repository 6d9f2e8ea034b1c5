//! Changes settings.

use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::system::settings::StoredSetting;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::system::settings::{Change, is_secret, parse_changes};
use crate::sealing::{Sealer, SealingError};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Changes settings: all of them, or none if one is not valid. Returns all settings that have a value.
///
/// # Errors
/// When a name or value is not valid.
pub async fn update_settings(
    database: &Database,
    actor: &Actor,
    sealer: &Sealer,
    body: BTreeMap<String, Value>,
) -> ActionResult<Vec<StoredSetting>> {
    let changes = parse_changes(body)?;
    let mut change = database.change(actor).await?;
    // BTreeMap gives the names in order, so that two changes at once lock the rows in the same order.
    for (name, what) in &changes {
        match what {
            Change::Set(value) => db::system::settings::upsert(&mut change, &stored(sealer, name, value)).await?,
            Change::Clear => db::system::settings::delete(&mut change, name).await?,
        }
    }
    let all = db::system::settings::list(&mut change).await?;
    let names: Vec<_> = changes.keys().collect();
    if !names.is_empty() {
        change.record(NewEvent::new(EventKind::SettingsChanged).with(json!({"names": names})));
    }
    change.commit().await?;
    tracing::info!(settings = ?changes.keys().collect::<Vec<_>>(), "changed settings");
    Ok(all)
}

fn stored(sealer: &Sealer, name: &str, value: &str) -> StoredSetting {
    if is_secret(name) {
        let (sealed, key_id) = (Some(sealer.seal(name, value)), Some(sealer.key_id().to_owned()));
        return StoredSetting { key: name.to_owned(), value: None, sealed, key_id };
    }
    StoredSetting { key: name.to_owned(), value: Some(value.to_owned()), sealed: None, key_id: None }
}

/// The value of a stored setting.
///
/// # Errors
/// When it was sealed with another key, or is damaged.
pub fn open(sealer: &Sealer, stored: &StoredSetting) -> Result<SecretString, SealingError> {
    match (&stored.value, &stored.sealed, &stored.key_id) {
        (Some(value), _, _) => Ok(value.clone().into()),
        (None, Some(sealed), Some(key_id)) => sealer.open(&stored.key, key_id, sealed),
        _ => Err(SealingError::Damaged { setting: stored.key.clone() }),
    }
}
