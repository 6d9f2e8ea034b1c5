//! What people change about themselves: their name and their password.

use super::Client;
use super::sign_in::{checked, wrong_credentials};
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::people::Person;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::people;
use crate::domain::refusal::Refusal;
use crate::passwords::Passwords;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

/// What a person changes about itself. What is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct OwnChanges {
    /// What others call the person.
    pub name: Option<String>,
    /// A new password, of at least 12 characters.
    #[schema(value_type = Option<String>)]
    pub password: Option<SecretString>,
    /// The present password, which a new one needs where there is one.
    #[schema(value_type = Option<String>)]
    pub current_password: Option<SecretString>,
}

/// Changes the person's own name or password. A new password ends the person's other sessions.
///
/// # Errors
/// When the present password is wrong, or the new one is too short.
pub async fn change_own(
    database: &Database,
    passwords: &Passwords,
    person: &Person,
    session: Uuid,
    client: &Client,
    changes: OwnChanges,
) -> ActionResult<()> {
    let name = changes.name.as_deref().map(|name| people::name(Some(name), &person.email)).transpose()?;
    let hash = match changes.password {
        Some(password) => {
            people::new_password(password.expose_secret(), &person.email)?;
            require_present(database, passwords, person, changes.current_password, client).await?;
            Some(passwords.hash(password).await?)
        }
        None => None,
    };
    let mut change = database.change(&Actor::Person(person.id)).await?;
    db::people::lock_changes(&mut change).await?;
    let now = db::people::find(&mut change, person.id).await?;
    let now = now.ok_or_else(|| Refusal::not_found("person", person.id))?;
    let mut changed = Vec::new();
    if let Some(name) = name.filter(|name| *name != now.name) {
        db::people::update(&mut change, person.id, &name, now.role, now.disabled_at.is_some()).await?;
        changed.push("name");
    }
    if let Some(hash) = hash {
        db::people::set_password(&mut change, person.id, &hash).await?;
        db::people::sessions::delete_of(&mut change, person.id, Some(session)).await?;
        db::people::links::void_of(&mut change, person.id).await?;
        changed.push("password");
    }
    if !changed.is_empty() {
        let data = json!({"person_id": person.id, "email": person.email, "changed": changed});
        change.record(NewEvent::new(EventKind::PersonChanged).with(data));
    }
    Ok(change.commit().await?)
}

/// Who finds an open browser should not get the account with it.
async fn require_present(
    database: &Database,
    passwords: &Passwords,
    person: &Person,
    present: Option<SecretString>,
    client: &Client,
) -> ActionResult<()> {
    if !person.has_password {
        return Ok(());
    }
    let present = present.ok_or_else(|| Refusal::invalid("'current_password' is needed for a new password."))?;
    match checked(database, passwords, &person.email, present, client).await? {
        Some(_) => Ok(()),
        None => Err(wrong_credentials().into()),
    }
}
