//! Adds documents to a project's memory, and deletes them.

use super::require_project;
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::projects::memory::check_docs;
use serde_json::json;
use terarchitect_worker_api::ProjectId;

/// Adds documents, and returns how many were new. The same document is stored once, however often it is sent.
///
/// # Errors
/// When a document is not valid, or the project does not exist.
pub async fn add_documents(
    database: &Database,
    actor: &Actor,
    project: ProjectId,
    docs: Vec<String>,
) -> ActionResult<u64> {
    let docs = check_docs(docs)?;
    let mut change = database.change(actor).await?;
    require_project(&mut change, project).await?;
    let added = db::projects::memory::insert(&mut change, project, &docs).await?;
    if added > 0 {
        change.record(NewEvent::of_project(EventKind::MemoryChanged, project).with(json!({"added": added})));
    }
    change.commit().await?;
    Ok(added)
}

/// Deletes documents by their text, and returns how many were deleted.
///
/// # Errors
/// When a document is not valid, or the project does not exist.
pub async fn delete_documents(
    database: &Database,
    actor: &Actor,
    project: ProjectId,
    docs: Vec<String>,
) -> ActionResult<u64> {
    let docs = check_docs(docs)?;
    let mut change = database.change(actor).await?;
    require_project(&mut change, project).await?;
    let deleted = db::projects::memory::delete(&mut change, project, &docs).await?;
    if deleted > 0 {
        change.record(NewEvent::of_project(EventKind::MemoryChanged, project).with(json!({"deleted": deleted})));
    }
    change.commit().await?;
    Ok(deleted)
}
