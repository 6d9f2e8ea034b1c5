//! Signs in a program from a browser: the program asks, a signed-in person decides, and the program fetches a token.

use super::Client;
use super::sign_in::{slow_down, waiting};
use super::tokens::{Maker, NewToken, add_token};
use crate::actions::ActionResult;
use crate::changes::{Change, Database};
use crate::db;
use crate::db::people::device_logins::{self as stored, DeviceLogin};
use crate::db::people::{Person, failures};
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::people::Role;
use crate::domain::people::device_login::{self as device, DeviceAnswer, DeviceLoginState, UserCode};
use crate::domain::people::slowing::Subject;
use crate::domain::people::token::TokenScope;
use crate::domain::refusal::Refusal;
use crate::random_token::{RandomToken, hash};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

/// What a program that asks gets.
#[derive(Debug)]
pub struct Begun {
    /// What it asks for its token with.
    pub device_code: RandomToken,
    /// What the person compares.
    pub user_code: UserCode,
}

/// A token that a program fetched.
#[derive(Debug)]
pub struct Granted {
    /// Which token.
    pub id: Uuid,
    /// The token.
    pub secret: RandomToken,
    /// Whose it is.
    pub person: Person,
}

/// What a program that waits gets to know.
#[derive(Debug)]
pub struct Answer {
    /// In one word.
    pub state: DeviceAnswer,
    /// After how many seconds to ask again, where that makes sense.
    pub interval_sec: Option<i32>,
    /// The token, once.
    pub granted: Option<Granted>,
}

impl Answer {
    fn of(state: DeviceAnswer) -> Self {
        Self { state, interval_sec: None, granted: None }
    }

    fn later(state: DeviceAnswer, interval_sec: i32) -> Self {
        Self { interval_sec: Some(interval_sec), ..Self::of(state) }
    }
}

/// Begins a sign-in. No one knows who asks, so many from one address become slow, until people approve them.
///
/// # Errors
/// When the name is not valid, or too many were begun from this address.
pub async fn begin(database: &Database, name: &str, client: &Client) -> ActionResult<Begun> {
    let name = device::name(name)?;
    let begun = Begun { device_code: RandomToken::new(), user_code: UserCode::of(rand::random()) };
    let (device_hash, user_hash) = (begun.device_code.hash(), hash(begun.user_code.plain()));
    let mut tx = database.transaction().await?;
    if let Some(key) = counted_for(client.address.as_deref()) {
        let wait = waiting(&mut tx, &key, Subject::Address).await?;
        if !wait.is_zero() {
            return Err(slow_down("Too many sign-ins were begun from your address of late", wait).into());
        }
        failures::count(&mut tx, &key).await?;
    }
    stored::insert(&mut tx, &device_hash, &user_hash, &name, client.address.as_deref()).await?;
    tx.commit().await?;
    Ok(begun)
}

/// The program that waits with this code.
///
/// # Errors
/// When there is none, it is too late, or the person tried too many codes.
pub async fn look(database: &Database, person: &Person, code: &str) -> ActionResult<(UserCode, DeviceLogin)> {
    let mut change = database.change(&Actor::Person(person.id)).await?;
    let found = find(&mut change, person.id, code).await?;
    // A wrong code counts, so this commits in any case.
    change.commit().await?;
    Ok(found?)
}

/// Lets the program have a token of this person, or refuses that.
///
/// # Errors
/// As for [`look`]; and when the person has no role that such a token could have.
pub async fn decide(database: &Database, person: &Person, code: &str, approve: bool) -> ActionResult<()> {
    let mut change = database.change(&Actor::Person(person.id)).await?;
    let (_, login) = match find(&mut change, person.id, code).await? {
        Ok(found) => found,
        Err(refusal) => {
            change.commit().await?;
            return Err(refusal.into());
        }
    };
    if approve && person.role == Role::None {
        return Err(device::no_role_everywhere().into());
    }
    let (state, kind) = if approve {
        (DeviceLoginState::Approved, EventKind::LoginApproved)
    } else {
        (DeviceLoginState::Denied, EventKind::LoginDenied)
    };
    stored::decide(&mut change, login.id, state, person.id).await?;
    let address = login.address.as_deref().unwrap_or("an unknown address");
    change.record(NewEvent::new(kind).with(json!({"name": login.name, "address": address})));
    Ok(change.commit().await?)
}

/// What became of a program's question; with the token, once, if a person approved it.
///
/// # Errors
/// When the person has lost the role since.
pub async fn collect(database: &Database, device_code: &SecretString) -> ActionResult<Answer> {
    let mut change = database.change(&Actor::Unknown).await?;
    let found = stored::find_waiting(&mut change, &hash(device_code.expose_secret())).await?;
    let Some(login) = found else { return Ok(Answer::of(DeviceAnswer::Expired)) };
    let person = match (login.state, login.person_id) {
        (DeviceLoginState::Approved, Some(person)) => db::people::find(&mut change, person).await?,
        (DeviceLoginState::Used, _) => return Ok(Answer::of(DeviceAnswer::Expired)),
        (DeviceLoginState::Waiting, _) => {
            let (state, interval) = if login.is_too_early {
                (DeviceAnswer::SlowDown, device::slower(login.interval_sec))
            } else {
                (DeviceAnswer::Pending, login.interval_sec)
            };
            stored::asked(&mut change, login.id, interval).await?;
            change.commit().await?;
            return Ok(Answer::later(state, interval));
        }
        (DeviceLoginState::Denied | DeviceLoginState::Approved, _) => None,
    };
    // Who was disabled since lets no one in.
    let Some(person) = person.filter(|person| person.disabled_at.is_none()) else {
        return Ok(Answer::of(DeviceAnswer::Denied));
    };
    let (actor, rights) = (Actor::Person(person.id), person.rights());
    change.made_by(actor.clone());
    let maker = Maker { actor: &actor, rights: &rights, person: Some(person.id) };
    let new = NewToken {
        name: login.name,
        scope: TokenScope::App,
        role: Some(person.role),
        project_id: None,
        expires_in_sec: None,
    };
    let (token, secret) = add_token(&mut change, maker, new).await?;
    stored::use_up(&mut change, login.id).await?;
    if let Some(key) = counted_for(login.address.as_deref()) {
        failures::take_back(&mut change, &key).await?;
    }
    change.commit().await?;
    let granted = Some(Granted { id: token.id, secret, person });
    Ok(Answer { granted, ..Answer::of(DeviceAnswer::Approved) })
}

/// The program with a code, for a person who can decide. A wrong code counts: who only guesses gets slow.
async fn find(change: &mut Change, person: Uuid, code: &str) -> ActionResult<Result<(UserCode, DeviceLogin), Refusal>> {
    let key = format!("device-code:{person}");
    let wait = waiting(change, &key, Subject::Account).await?;
    if !wait.is_zero() {
        return Ok(Err(slow_down("Too many wrong codes were tried of late", wait)));
    }
    let code = UserCode::read(code);
    let login = match &code {
        Some(code) => stored::find_for_update(change, &hash(code.plain())).await?,
        None => None,
    };
    let (Some(code), Some(login)) = (code, login) else {
        failures::count(change, &key).await?;
        return Ok(Err(device::unknown()));
    };
    if login.is_over || login.state != DeviceLoginState::Waiting {
        return Ok(Err(device::over()));
    }
    Ok(Ok((code, login)))
}

/// What begun sign-ins are counted under.
fn counted_for(address: Option<&str>) -> Option<String> {
    address.map(|address| format!("device-login:{address}"))
}
