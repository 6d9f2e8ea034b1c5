//! Signs in a person whom an OpenID Connect provider vouches for.

use super::links::add_person;
use super::{Client, Started, sessions};
use crate::actions::ActionResult;
use crate::changes::{Change, Database};
use crate::db;
use crate::db::people::Person;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::people::{self, Role};
use crate::domain::refusal::{ErrorCode, Refusal};
use serde_json::json;
use terarchitect_worker_api::ProjectId;

/// Whom a provider vouches for.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The provider.
    pub issuer: String,
    /// What it calls the person, for ever.
    pub subject: String,
    /// The person's address.
    pub email: Option<String>,
    /// Whether the provider knows that the address is the person's.
    pub email_verified: bool,
    /// The person's name.
    pub name: Option<String>,
    /// What the person's groups give; none: groups decide nothing here.
    pub role: Option<Role>,
}

/// Signs the person in, and adds a person who is new and has a role by groups or an invitation.
///
/// # Errors
/// When the person is disabled, or has neither an account nor a right to one.
pub async fn sign_in(database: &Database, identity: &Identity, client: &Client) -> ActionResult<Started> {
    let mut change = database.change(&Actor::Unknown).await?;
    db::people::lock_changes(&mut change).await?;
    let person = match known(&mut change, identity).await? {
        Some(person) => person,
        None => new(&mut change, identity).await?,
    };
    if person.disabled_at.is_some() {
        return Err(no_way_in("is disabled here; ask an admin").into());
    }
    let person = with_role_of_groups(&mut change, person, identity.role).await?;
    if person.role == Role::None && person.projects.is_empty() {
        return Err(no_way_in("has no role here; ask an admin for one").into());
    }
    let started = sessions::start(&mut change, person, client, "oidc").await?;
    change.commit().await?;
    Ok(started)
}

/// By what the provider calls the person first, then by an address that the provider has checked.
async fn known(change: &mut Change, identity: &Identity) -> ActionResult<Option<Person>> {
    let person = db::people::find_by_subject(change, &identity.issuer, &identity.subject).await?;
    let email = identity.email.as_deref().filter(|_| identity.email_verified && person.is_none());
    let Some(email) = email else { return Ok(person) };
    let person = db::people::find_by_email(change, &people::email(email)?).await?.filter(|person| !person.oidc);
    if let Some(person) = &person {
        db::people::set_subject(change, person.id, &identity.issuer, &identity.subject).await?;
        change.made_by(Actor::Person(person.id));
        let data = json!({"person_id": person.id, "email": person.email, "changed": ["signs in with a provider"]});
        change.record(NewEvent::new(EventKind::PersonChanged).with(data));
    }
    Ok(person)
}

async fn new(change: &mut Change, identity: &Identity) -> ActionResult<Person> {
    let email =
        identity.email.as_deref().ok_or_else(|| no_way_in("says no email address; let it send the claim email"))?;
    let email = people::email(email)?;
    if db::people::find_by_email(change, &email).await?.is_some() {
        return Err(db::errors::email_taken().into());
    }
    let invitations = db::people::links::invitations(change).await?;
    let invited = invitations.into_iter().find(|invited| invited.email.as_ref() == Some(&email));
    let (role, project) = match (identity.role.filter(|role| *role != Role::None), invited) {
        (Some(role), _) => (role, None),
        (None, Some(invited)) if identity.email_verified => {
            db::people::links::use_up(change, invited.id).await?;
            (invited.role, invited.project_id.map(ProjectId))
        }
        (None, _) => return Err(no_way_in("has no role here; ask an admin for an invitation").into()),
    };
    let name = people::name(identity.name.as_deref(), &email)?;
    let person = add_person(change, &email, &name, role, project).await?;
    db::people::set_subject(change, person.id, &identity.issuer, &identity.subject).await?;
    Ok(person)
}

/// Groups decide again at each sign-in, but never leave no admin.
async fn with_role_of_groups(change: &mut Change, person: Person, role: Option<Role>) -> ActionResult<Person> {
    let Some(role) = role.filter(|role| *role != person.role) else { return Ok(person) };
    let is_last_admin = person.role == Role::Admin && db::people::admins(change).await? <= 1;
    // Who was invited to a project, and is in no group, keeps that.
    if is_last_admin || (role == Role::None && !person.projects.is_empty() && person.role == Role::None) {
        return Ok(person);
    }
    db::people::update(change, person.id, &person.name, role, false).await?;
    change.made_by(Actor::Person(person.id));
    let changed = format!("role from {} to {} by groups", person.role.as_str(), role.as_str());
    let data = json!({"person_id": person.id, "email": person.email, "changed": [changed]});
    change.record(NewEvent::new(EventKind::PersonChanged).with(data));
    Ok(Person { role, ..person })
}

fn no_way_in(why: &str) -> Refusal {
    Refusal::new(ErrorCode::NotAllowed, format!("Your account at the provider {why}."))
}
