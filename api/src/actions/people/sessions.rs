//! Starts sessions and ends them.

use crate::actions::ActionResult;
use crate::changes::{Change, Database};
use crate::db;
use crate::db::people::Person;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::Refusal;
use crate::random_token::RandomToken;
use serde_json::json;
use uuid::Uuid;

/// Where someone signs in from, as far as the request says.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// The address.
    pub address: Option<String>,
    /// What the browser calls itself.
    pub user_agent: Option<String>,
}

/// A session that has just been started.
#[derive(Debug)]
pub struct Started {
    /// The session.
    pub id: Uuid,
    /// Whose it is.
    pub person: Person,
    /// What the browser keeps.
    pub secret: RandomToken,
}

/// Starts a session, as part of a change that is the person's own from here on.
pub(super) async fn start(change: &mut Change, person: Person, client: &Client, how: &str) -> ActionResult<Started> {
    let secret = RandomToken::new();
    let (address, agent) = (client.address.as_deref(), client.user_agent.as_deref());
    let id = db::people::sessions::insert(change, person.id, &secret.hash(), address, agent).await?;
    db::people::sessions::seen(change, id).await?;
    change.made_by(Actor::Person(person.id));
    change.record(NewEvent::new(EventKind::SessionStarted).with(json!({
        "person_id": person.id, "session_id": id, "email": person.email, "how": how,
        "address": client.address.as_deref().unwrap_or("an unknown address"),
    })));
    Ok(Started { id, person, secret })
}

/// Ends a session: any, or one of this person.
///
/// # Errors
/// When there is no such session.
pub async fn end_session(database: &Database, actor: &Actor, id: Uuid, only_of: Option<Uuid>) -> ActionResult<()> {
    let mut change = database.change(actor).await?;
    let missing = || Refusal::not_found("session", id);
    let owner = db::people::sessions::owner(&mut change, id).await?.ok_or_else(missing)?;
    if only_of.is_some_and(|only| only != owner) || !db::people::sessions::delete(&mut change, id).await? {
        return Err(missing().into());
    }
    let email = db::people::find(&mut change, owner).await?.map(|person| person.email);
    let data = json!({"person_id": owner, "session_id": id, "email": email});
    change.record(NewEvent::new(EventKind::SessionEnded).with(data));
    Ok(change.commit().await?)
}
