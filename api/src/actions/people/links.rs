//! Links that work once: makes them, looks at them, uses them.

use super::{Client, Started, sessions};
use crate::actions::ActionResult;
use crate::changes::{Change, Database};
use crate::db;
use crate::db::people::links::{Link, NewLink};
use crate::db::people::{Person, RoleInProject};
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::people::link::{LinkKind, gone};
use crate::domain::people::{self, ProjectRole, Role};
use crate::domain::refusal::Refusal;
use crate::passwords::Passwords;
use crate::random_token::{RandomToken, hash};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use terarchitect_worker_api::ProjectId;
use utoipa::ToSchema;
use uuid::Uuid;

/// What is sent with a link that is used.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct UseLink {
    /// The link's secret: what stands behind its #.
    #[schema(value_type = String)]
    pub token: SecretString,
    /// The new person's address, unless the invitation says it.
    pub email: Option<String>,
    /// What others call the new person.
    pub name: Option<String>,
    /// A password of at least 12 characters, to join or to replace one.
    #[schema(value_type = Option<String>)]
    pub password: Option<SecretString>,
}

/// What a link's new person is called, and how it will sign in.
struct Joining {
    email: String,
    name: String,
}

/// The link with which the first admin is made; none if someone exists. One that was made before is void.
///
/// # Errors
/// When the database is not available.
pub async fn make_first_admin_link(database: &Database) -> ActionResult<Option<RandomToken>> {
    let mut change = database.change(&Actor::System).await?;
    db::people::lock_changes(&mut change).await?;
    if db::people::any(&mut change).await? {
        return Ok(None);
    }
    db::people::links::void(&mut change, LinkKind::FirstAdmin).await?;
    let (secret, kind) = (RandomToken::new(), LinkKind::FirstAdmin);
    let link = NewLink {
        kind,
        person: None,
        email: None,
        role: Some(Role::Admin),
        project: None,
        created_by: "system",
        holds: kind.holds(),
    };
    db::people::links::insert(&mut change, &secret.hash(), &link).await?;
    change.commit().await?;
    Ok(Some(secret))
}

/// A link that signs this person in, or sets a new password. One that was made before is void.
///
/// # Errors
/// When the person does not exist.
pub async fn make_link_for(
    database: &Database,
    actor: &Actor,
    person: Uuid,
    kind: LinkKind,
) -> ActionResult<(RandomToken, DateTime<Utc>)> {
    let mut change = database.change(actor).await?;
    let found = db::people::find(&mut change, person).await?.ok_or_else(|| Refusal::not_found("person", person))?;
    db::people::links::void_of(&mut change, person).await?;
    let (secret, created_by) = (RandomToken::new(), actor.to_string());
    let link = NewLink {
        kind,
        person: Some(person),
        email: None,
        role: None,
        project: None,
        created_by: &created_by,
        holds: kind.holds(),
    };
    let (_, expires_at) = db::people::links::insert(&mut change, &secret.hash(), &link).await?;
    let data = json!({"person_id": person, "email": found.email, "link": kind});
    change.record(NewEvent::new(EventKind::LinkCreated).with(data));
    change.commit().await?;
    Ok((secret, expires_at))
}

/// What a link is for.
///
/// # Errors
/// When it works no more.
pub async fn look(database: &Database, secret: &SecretString) -> ActionResult<Link> {
    let mut conn = database.read().await?;
    let link = db::people::links::find(&mut conn, &hash(secret.expose_secret())).await?;
    Ok(link.ok_or_else(gone)?)
}

/// Uses a link, and signs in who did.
///
/// # Errors
/// When it works no more, or something that it needs is missing or not valid.
pub async fn use_link(
    database: &Database,
    passwords: &Passwords,
    sent: UseLink,
    client: &Client,
) -> ActionResult<Started> {
    // Looked at first, so that no one without a link makes the API hash passwords.
    let link = look(database, &sent.token).await?;
    let joining = match link.kind {
        LinkKind::FirstAdmin | LinkKind::Invitation => Some(joining(&link, &sent)?),
        LinkKind::SignIn | LinkKind::Reset => None,
    };
    let password_hash = match link.kind {
        LinkKind::SignIn => None,
        _ => {
            let missing = || Refusal::invalid("'password' is needed: at least 12 characters.");
            let password = sent.password.ok_or_else(missing)?;
            let email = joining.as_ref().map(|joining| joining.email.as_str()).or(link.email.as_deref());
            people::new_password(password.expose_secret(), email.unwrap_or_default())?;
            Some(passwords.hash(password).await?)
        }
    };
    let mut change = database.change(&Actor::Unknown).await?;
    db::people::lock_changes(&mut change).await?;
    let link = db::people::links::find_for_update(&mut change, &hash(sent.token.expose_secret())).await?;
    let link = link.ok_or_else(gone)?;
    if link.kind == LinkKind::FirstAdmin && db::people::any(&mut change).await? {
        return Err(gone().into());
    }
    let person = match (&joining, link.person_id) {
        (Some(joining), _) => join(&mut change, joining, &link).await?,
        (None, Some(person)) => db::people::find(&mut change, person).await?.ok_or_else(gone)?,
        (None, None) => return Err(gone().into()),
    };
    if let Some(hash) = &password_hash {
        set_password(&mut change, &person, hash, joining.is_none()).await?;
    }
    db::people::links::use_up(&mut change, link.id).await?;
    let started = sessions::start(&mut change, person, client, "link").await?;
    change.commit().await?;
    Ok(started)
}

fn joining(link: &Link, sent: &UseLink) -> Result<Joining, Refusal> {
    let given = link.email.as_deref().or(sent.email.as_deref());
    let email = people::email(given.ok_or_else(|| Refusal::invalid("'email' is needed."))?)?;
    let name = people::name(sent.name.as_deref(), &email)?;
    Ok(Joining { email, name })
}

async fn join(change: &mut Change, joining: &Joining, link: &Link) -> ActionResult<Person> {
    let role = link.role.unwrap_or(Role::None);
    add_person(change, &joining.email, &joining.name, role, link.project_id.map(ProjectId)).await
}

/// Adds a person with a role everywhere, or in one project. The change is that person's own from here on.
pub(super) async fn add_person(
    change: &mut Change,
    email: &str,
    name: &str,
    role: Role,
    project: Option<ProjectId>,
) -> ActionResult<Person> {
    let global = if project.is_some() { Role::None } else { role };
    let id = db::people::insert(change, email, name, global).await?;
    if let Some(project_id) = project {
        let role = if role.includes(Role::Member) { ProjectRole::Member } else { ProjectRole::Viewer };
        db::people::set_projects(change, id, &[RoleInProject { project_id, role }]).await?;
    }
    change.made_by(Actor::Person(id));
    let data = json!({"person_id": id, "email": email, "role": role, "in_project": project});
    change.record(NewEvent::new(EventKind::PersonCreated).with(data));
    Ok(db::people::find(change, id).await?.ok_or(sqlx::Error::RowNotFound)?)
}

/// A password that is replaced ends what the old one opened.
async fn set_password(change: &mut Change, person: &Person, hash: &str, replaces: bool) -> ActionResult<()> {
    db::people::set_password(change, person.id, hash).await?;
    if replaces {
        db::people::sessions::delete_of(change, person.id, None).await?;
        let data = json!({"person_id": person.id, "email": person.email, "changed": ["password"]});
        change.record(NewEvent::new(EventKind::PersonChanged).with(data));
    }
    Ok(())
}
