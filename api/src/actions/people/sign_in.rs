//! Signs a person in with a password. An unknown address takes as long as a wrong password and gets the same words.

use super::{Client, Started, sessions};
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::people::failures::{self, Failures};
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::people::may_be_a_password;
use crate::domain::people::slowing::{Subject, wait};
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::passwords::Passwords;
use crate::random_token::hexadecimal_hash;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sqlx::PgConnection;
use std::time::Duration;

/// What failures are counted under. Addresses that were typed are hashed: they may be anything.
struct Subjects {
    address: Option<String>,
    account: String,
}

impl Subjects {
    fn of(email: &str, client: &Client) -> Self {
        let address = client.address.as_ref().map(|address| format!("address:{address}"));
        Self { address, account: format!("account:{}", hexadecimal_hash(email)) }
    }
}

/// Signs a person in.
///
/// # Errors
/// When address and password do not belong together, the person is disabled, or too many sign-ins failed of late.
pub async fn sign_in(
    database: &Database,
    passwords: &Passwords,
    email: &str,
    password: SecretString,
    client: &Client,
) -> ActionResult<Started> {
    let email: String = email.trim().to_lowercase().chars().take(254).collect();
    let person = match checked(database, passwords, &email, password, client).await? {
        Some(person) => person,
        None => {
            let mut change = database.change(&Actor::Unknown).await?;
            let address = client.address.as_deref().unwrap_or("an unknown address");
            let data = json!({"email": email, "address": address});
            change.record(NewEvent::new(EventKind::SignInFailed).with(data));
            change.commit().await?;
            return Err(wrong_credentials().into());
        }
    };
    let mut change = database.change(&Actor::Person(person.id)).await?;
    let started = sessions::start(&mut change, person, client, "password").await?;
    change.commit().await?;
    Ok(started)
}

/// The person whose address and password these are, as far as it is not too early to try again. Each try counts as a
/// failure until it turns out to be none, so that many at once are no way around.
pub(super) async fn checked(
    database: &Database,
    passwords: &Passwords,
    email: &str,
    password: SecretString,
    client: &Client,
) -> ActionResult<Option<db::people::Person>> {
    let subjects = Subjects::of(email, client);
    admit(database, &subjects).await?;
    let mut conn = database.read().await?;
    let person = db::people::find_by_email(&mut conn, email).await?.filter(|person| person.disabled_at.is_none());
    let hash = match &person {
        Some(person) => db::people::password_hash(&mut conn, person.id).await?,
        None => None,
    };
    drop(conn);
    let may_be = may_be_a_password(password.expose_secret());
    let password = if may_be { password } else { SecretString::default() };
    let matches = passwords.matches(password, hash).await? && may_be;
    let Some(person) = person.filter(|_| matches) else { return Ok(None) };
    let mut tx = database.transaction().await?;
    if let Some(address) = &subjects.address {
        failures::take_back(&mut tx, address).await?;
    }
    failures::forget(&mut tx, &subjects.account).await?;
    tx.commit().await?;
    Ok(Some(person))
}

/// Refuses a try that comes too early, and counts it otherwise.
async fn admit(database: &Database, subjects: &Subjects) -> ActionResult<()> {
    let mut tx = database.transaction().await?;
    let mut longest = Duration::ZERO;
    // Always in this order, so that two tries never wait for each other.
    if let Some(address) = &subjects.address {
        longest = waiting(&mut tx, address, Subject::Address).await?;
    }
    longest = longest.max(waiting(&mut tx, &subjects.account, Subject::Account).await?);
    if !longest.is_zero() {
        return Err(slow_down("Too many sign-ins failed of late", longest).into());
    }
    for subject in subjects.address.iter().chain([&subjects.account]) {
        failures::count(&mut tx, subject).await?;
    }
    Ok(tx.commit().await?)
}

/// How long who is counted under this key has to wait; zero: not at all. Locks the key's row.
pub(super) async fn waiting(conn: &mut PgConnection, key: &str, subject: Subject) -> sqlx::Result<Duration> {
    let Failures { count, since_last } = failures::find_for_update(conn, key).await?;
    Ok(wait(subject, count, since_last))
}

/// The refusal of someone who has to wait.
pub(super) fn slow_down(what: &str, longest: Duration) -> Refusal {
    let seconds = longest.as_secs_f64().ceil().max(1.0);
    let sentence = format!("{what}; try again in {seconds} seconds.");
    Refusal::new(ErrorCode::SlowDown, sentence).retry_after(longest)
}

/// The refusal of a wrong address or password, in words that do not say which.
pub(super) fn wrong_credentials() -> Refusal {
    let sentence = "The email address and the password do not belong together; try again, or ask an admin for a link.";
    Refusal::new(ErrorCode::WrongCredentials, sentence)
}
