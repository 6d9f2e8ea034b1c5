//! Sets secrets of a project, deletes them, and opens them for its runners.

use super::require_project;
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::projects::secrets::{NewSecret, ProjectSecret};
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::projects::secrets::{self, SecretBody};
use crate::domain::refusal::Refusal;
use crate::sealing::Sealer;
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::PgConnection;
use terarchitect_worker_api::{JobSecret, ProjectId};

/// What a secret is sealed under: it can be moved neither to another project nor to another name. The check at the start of the
/// API makes the same of its row ([`db::forges::credentials::list_sealed`]).
fn sealed_under(project: ProjectId, name: &str) -> String {
    format!("secret {name} of the project {project}")
}

/// Sets a secret; one of this name is replaced. It counts for attempts that start from now on.
///
/// # Errors
/// When name or value are not valid, the project has too many, or does not exist.
pub async fn set_secret(
    database: &Database,
    sealer: &Sealer,
    actor: &Actor,
    (project, name): (ProjectId, &str),
    body: &SecretBody,
) -> ActionResult<ProjectSecret> {
    let (name, value) = (secrets::name(name)?, secrets::value(body)?);
    let set_by = actor.to_string();
    let row = NewSecret {
        project,
        name,
        sealed: &sealer.seal(&sealed_under(project, name), value),
        key_id: sealer.key_id(),
        given_to_agent: body.given_to_agent,
        set_by: &set_by,
    };
    let mut change = database.change(actor).await?;
    // Locks the project, so that two requests can't both take the last room.
    let found = db::projects::find_for_update(&mut change, project).await?;
    found.ok_or_else(|| Refusal::not_found("project", project))?;
    let stored = db::projects::secrets::set(&mut change, &row).await?;
    let all = db::projects::secrets::stored(&mut change, project).await?;
    secrets::room(all.count, all.bytes)?;
    let data = json!({"name": name, "given_to_agent": stored.given_to_agent});
    change.record(NewEvent::of_project(EventKind::SecretSet, project).with(data));
    change.commit().await?;
    Ok(stored)
}

/// The secrets of a project, without their values.
///
/// # Errors
/// When the project does not exist.
pub async fn list_secrets(database: &Database, project: ProjectId) -> ActionResult<Vec<ProjectSecret>> {
    let mut conn = database.read().await?;
    require_project(&mut conn, project).await?;
    Ok(db::projects::secrets::list(&mut conn, project).await?)
}

/// Deletes a secret. Attempts that run keep it to their end.
///
/// # Errors
/// When there is none.
pub async fn delete_secret(database: &Database, actor: &Actor, (project, name): (ProjectId, &str)) -> ActionResult<()> {
    let mut change = database.change(actor).await?;
    if !db::projects::secrets::delete(&mut change, project, name).await? {
        return Err(Refusal::not_found("secret", name).into());
    }
    change.record(NewEvent::of_project(EventKind::SecretDeleted, project).with(json!({"name": name})));
    Ok(change.commit().await?)
}

/// A project's secrets with their values, for the runner that holds a job's token.
///
/// # Errors
/// When one can't be opened.
pub(in crate::actions) async fn open_secrets(
    conn: &mut PgConnection,
    sealer: &Sealer,
    project: ProjectId,
) -> ActionResult<Vec<JobSecret>> {
    let mut opened = Vec::new();
    for secret in db::projects::secrets::list_sealed(conn, project).await? {
        let value = sealer.open(&sealed_under(project, &secret.name), &secret.key_id, &secret.sealed)?;
        opened.push(JobSecret {
            name: secret.name,
            value: value.expose_secret().to_owned(),
            given_to_agent: secret.given_to_agent,
        });
    }
    Ok(opened)
}
