//! Repositories of the catalogue: each is a project.

use crate::actions::ActionResult;
use crate::actions::projects::create;
use crate::changes::Database;
use crate::db;
use crate::db::agents::repos::Repo;
use crate::domain::actor::Actor;
use crate::domain::agents::repos::{RepoChanges, RepoFields};
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::projects::{NewProject, ProjectChanges, repository};
use crate::domain::refusal::{ErrorCode, Refusal};
use serde_json::json;
use sqlx::PgConnection;
use terarchitect_worker_api::ProjectId;

/// Adds a repository: creates its project.
///
/// # Errors
/// When a field is not valid, or there is a project with this repository already.
pub async fn create_repo(database: &Database, actor: &Actor, new: RepoChanges) -> ActionResult<Repo> {
    let fields = new.over(RepoFields::default())?;
    let url = new.repo_url.as_deref().map(str::trim).unwrap_or_default();
    if url.is_empty() {
        let sentence = "A repository needs its address as 'repo_url', such as https://github.com/owner/repo.";
        return Err(Refusal::invalid(sentence).into());
    }
    let project = NewProject::existing(new.name.as_deref().unwrap_or_else(|| name_of(url)), url).into_fields()?;
    let mut change = database.change(actor).await?;
    require_free(&mut change, url, None).await?;
    let project = create::insert_project(&mut change, &project).await?.id;
    db::agents::repos::set(&mut change, project, &fields).await?;
    let repo = find(&mut change, project).await?;
    change.commit().await?;
    Ok(repo)
}

/// Changes a repository.
///
/// # Errors
/// When a field is not valid, there is no such repository, or another project has this one.
pub async fn update_repo(
    database: &Database,
    actor: &Actor,
    id: ProjectId,
    changes: RepoChanges,
) -> ActionResult<Repo> {
    let missing = || Refusal::not_found("repository", id);
    let mut change = database.change(actor).await?;
    let project = db::projects::find_for_update(&mut change, id).await?.ok_or_else(missing)?;
    let now = find(&mut change, id).await?;
    let fields = changes.over((&now).into())?;
    if changes.repo_url.is_some() || changes.name.is_some() {
        if let Some(url) = &changes.repo_url {
            require_free(&mut change, url, Some(id)).await?;
        }
        let wanted = ProjectChanges::to(changes.name, changes.repo_url).over(project.into())?;
        db::projects::update(&mut change, id, &wanted).await?.ok_or_else(missing)?;
    }
    db::agents::repos::set(&mut change, id, &fields).await?;
    let repo = find(&mut change, id).await?;
    change.record(NewEvent::of_project(EventKind::ProjectChanged, id).with(json!({"part": "repository"})));
    change.commit().await?;
    Ok(repo)
}

async fn find(conn: &mut PgConnection, id: ProjectId) -> ActionResult<Repo> {
    let found = db::agents::repos::find(conn, id).await?;
    Ok(found.ok_or_else(|| Refusal::not_found("repository", id))?)
}

/// Refuses a repository that another project has.
async fn require_free(conn: &mut PgConnection, url: &str, own: Option<ProjectId>) -> ActionResult<()> {
    let Some(place) = repository::place(url) else { return Ok(()) };
    let all = db::agents::repos::addresses(conn).await?;
    let there =
        all.into_iter().find(|(id, other)| Some(*id) != own && repository::place(other).as_ref() == Some(&place));
    match there {
        None => Ok(()),
        Some((id, _)) => {
            let sentence = format!("This repository is there already, as {id}; use that one.");
            Err(Refusal::new(ErrorCode::NameTaken, sentence).into())
        }
    }
}

/// A project's name, made of its repository's address: the end of it.
fn name_of(url: &str) -> &str {
    let path = url.trim_end_matches('/').trim_end_matches(".git");
    path.rsplit(['/', ':']).next().filter(|name| !name.is_empty()).unwrap_or(url)
}
