//! What admins do with people: change roles, disable, remove; and from a shell, make an admin.

use crate::actions::ActionResult;
use crate::changes::{Change, Database};
use crate::db;
use crate::db::people::{Person, RoleInProject};
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::people::{self, Role};
use crate::domain::refusal::{ErrorCode, Refusal};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;
use utoipa::ToSchema;
use uuid::Uuid;

/// What an admin changes about a person. What is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct PersonChanges {
    /// What others call the person.
    pub name: Option<String>,
    /// What the person may do everywhere.
    pub role: Option<Role>,
    /// Whether the person may no longer sign in.
    pub disabled: Option<bool>,
    /// All roles in single projects.
    pub projects: Option<Vec<RoleInProject>>,
}

/// Changes a person. It holds at once, also for sessions that are open.
///
/// # Errors
/// When a field is not valid, the person or a project does not exist, or no admin would be left.
pub async fn update_person(
    database: &Database,
    actor: &Actor,
    id: Uuid,
    changes: PersonChanges,
) -> ActionResult<Person> {
    let projects = changes.projects.as_deref().unwrap_or_default();
    if projects.iter().map(|project| project.project_id).collect::<BTreeSet<_>>().len() < projects.len() {
        return Err(Refusal::invalid("'projects' names a project twice.").into());
    }
    let mut change = database.change(actor).await?;
    db::people::lock_changes(&mut change).await?;
    let now = db::people::find(&mut change, id).await?.ok_or_else(|| Refusal::not_found("person", id))?;
    let name = match &changes.name {
        Some(name) => people::name(Some(name), &now.email)?,
        None => now.name.clone(),
    };
    let (role, disabled) = (changes.role.unwrap_or(now.role), changes.disabled.unwrap_or(now.disabled_at.is_some()));
    db::people::update(&mut change, id, &name, role, disabled).await?;
    if let Some(projects) = &changes.projects {
        db::people::set_projects(&mut change, id, projects).await?;
    }
    if disabled && now.disabled_at.is_none() {
        db::people::sessions::delete_of(&mut change, id, None).await?;
        db::people::links::void_of(&mut change, id).await?;
    }
    require_an_admin(&mut change, &now).await?;
    let person = db::people::find(&mut change, id).await?.ok_or(sqlx::Error::RowNotFound)?;
    let changed = what_changed(&now, &person);
    if !changed.is_empty() {
        let data = json!({"person_id": id, "email": person.email, "changed": changed});
        change.record(NewEvent::new(EventKind::PersonChanged).with(data));
    }
    change.commit().await?;
    Ok(person)
}

/// In words, with the new values.
fn what_changed(before: &Person, after: &Person) -> Vec<String> {
    let mut changed = Vec::new();
    if before.name != after.name {
        changed.push(format!("name to {}", after.name));
    }
    if before.role != after.role {
        changed.push(format!("role from {} to {}", before.role.as_str(), after.role.as_str()));
    }
    if before.disabled_at.is_some() != after.disabled_at.is_some() {
        changed.push(if after.disabled_at.is_some() { "disabled" } else { "enabled" }.to_owned());
    }
    if before.projects != after.projects {
        let roles: Vec<_> =
            after.projects.iter().map(|project| format!("{} {}", project.project_id, project.role.as_str())).collect();
        changed.push(format!("roles in projects to [{}]", roles.join(", ")));
    }
    changed
}

/// Removes a person, with sessions, links and tokens.
///
/// # Errors
/// When the person does not exist, or no admin would be left.
pub async fn delete_person(database: &Database, actor: &Actor, id: Uuid) -> ActionResult<()> {
    let mut change = database.change(actor).await?;
    db::people::lock_changes(&mut change).await?;
    let person = db::people::find(&mut change, id).await?.ok_or_else(|| Refusal::not_found("person", id))?;
    db::people::delete(&mut change, id).await?;
    require_an_admin(&mut change, &person).await?;
    change.record(NewEvent::new(EventKind::PersonDeleted).with(json!({"person_id": id, "email": person.email})));
    Ok(change.commit().await?)
}

/// Makes someone an admin who can sign in: a new person, or one who is here already.
///
/// # Errors
/// When the address or the name is not valid.
pub async fn make_admin(database: &Database, email: &str, name: Option<&str>) -> ActionResult<Person> {
    let email = people::email(email)?;
    let new_name = people::name(name, &email)?;
    let mut change = database.change(&Actor::Local).await?;
    db::people::lock_changes(&mut change).await?;
    let id = match db::people::find_by_email(&mut change, &email).await? {
        Some(person) => {
            let name = if name.is_some() { &new_name } else { &person.name };
            db::people::update(&mut change, person.id, name, Role::Admin, false).await?;
            let data = json!({"person_id": person.id, "email": email, "changed": ["role to admin"]});
            change.record(NewEvent::new(EventKind::PersonChanged).with(data));
            person.id
        }
        None => {
            let id = db::people::insert(&mut change, &email, &new_name, Role::Admin).await?;
            let data = json!({"person_id": id, "email": email, "role": Role::Admin});
            change.record(NewEvent::new(EventKind::PersonCreated).with(data));
            id
        }
    };
    let person = db::people::find(&mut change, id).await?.ok_or(sqlx::Error::RowNotFound)?;
    change.commit().await?;
    Ok(person)
}

/// Refuses a change after which no admin is left.
async fn require_an_admin(change: &mut Change, before: &Person) -> ActionResult<()> {
    let was_one = before.role == Role::Admin && before.disabled_at.is_none();
    if was_one && db::people::admins(change).await? == 0 {
        let sentence = "This is the last admin; make another person an admin first.";
        return Err(Refusal::new(ErrorCode::LastAdmin, sentence).into());
    }
    Ok(())
}
