//! Adds documents to a project's memory, and deletes them.

use super::require_project;
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::projects::memory::digest;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::meaning::{MAX_COMPARED, SAME, near};
use crate::domain::projects::memory::check_docs;
use crate::embeddings::{Embedding, EmbeddingService, MAX_BYTES};
use serde_json::json;
use sqlx::PgConnection;
use std::collections::BTreeSet;
use terarchitect_worker_api::ProjectId;

/// A document that is to be remembered.
#[derive(Clone, Copy, Debug)]
pub struct NewDocument<'a> {
    /// The document.
    pub content: &'a str,
    /// What it means.
    pub meaning: Option<&'a Embedding>,
}

/// Adds documents, and returns how many were new. The same document is stored once, however often it is sent, and so is what means
/// the same, as far as there is a service that says so.
///
/// # Errors
/// When a document is not valid, or the project does not exist.
pub async fn add_documents(
    database: &Database,
    actor: &Actor,
    service: Option<&EmbeddingService>,
    project: ProjectId,
    docs: Vec<String>,
) -> ActionResult<usize> {
    let docs = check_docs(docs)?;
    let meanings = match service {
        Some(service) => {
            require_project(&mut *database.read().await?, project).await?;
            service.embed_all(&docs).await
        }
        None => Vec::new(),
    };
    let meanings = meanings.iter().map(Option::as_ref).chain(std::iter::repeat(None));
    let docs: Vec<_> = docs.iter().zip(meanings).map(|(content, meaning)| NewDocument { content, meaning }).collect();
    let mut change = database.change(actor).await?;
    require_project(&mut change, project).await?;
    let added = remember(&mut change, project, &docs).await?;
    if added > 0 {
        change.record(NewEvent::of_project(EventKind::MemoryChanged, project).with(json!({"added": added})));
    }
    change.commit().await?;
    Ok(added)
}

/// Stores documents, and returns how many were new. What was said before, in the same words or in others that mean the same, is counted
/// once more, however often it is among them.
///
/// # Errors
/// When the database is not available.
pub async fn remember(conn: &mut PgConnection, project: ProjectId, docs: &[NewDocument<'_>]) -> ActionResult<usize> {
    let mut known = match docs.iter().find_map(|doc| doc.meaning) {
        Some(meaning) => db::projects::memory::embeddings(conn, project, &meaning.model, MAX_COMPARED).await?,
        None => Vec::new(),
    }
    .into_iter()
    // Of a longer text, only the beginning has a meaning: what begins in the same way may go on in another.
    .filter(|known| usize::try_from(known.bytes).is_ok_and(|bytes| bytes <= MAX_BYTES))
    .map(|known| (known.digest, known.values))
    .collect::<Vec<_>>();
    let mut again = BTreeSet::new();
    let mut others = Vec::new();
    for doc in docs {
        if let Some(meaning) = doc.meaning.filter(|_| doc.content.len() <= MAX_BYTES) {
            // A thousand documents are compared with thousands: others' requests go on in between.
            tokio::task::yield_now().await;
            let all = known.iter().map(|(digest, values)| (digest, values));
            if let Some((same, _)) = near(&meaning.values, all, SAME).into_iter().next() {
                again.insert(same.clone());
                continue;
            }
            known.push((digest(doc.content), meaning.values.clone()));
        }
        others.push(doc);
    }
    let contents: Vec<&str> = others.iter().map(|doc| doc.content).collect();
    let added = db::projects::memory::insert(conn, project, &contents).await?;
    again.extend(contents.iter().map(|content| digest(content)).filter(|digest| !added.contains(digest)));
    let meant: Vec<_> = others.iter().filter_map(|doc| Some((digest(doc.content), doc.meaning?))).collect();
    let again: Vec<_> = again.into_iter().collect();
    let all: Vec<_> = again.iter().chain(meant.iter().map(|(digest, _)| digest)).cloned().collect();
    if !all.is_empty() {
        db::projects::memory::lock(conn, project, &all).await?;
        db::projects::memory::count_again(conn, project, &again).await?;
    }
    for (digest, meaning) in meant {
        db::projects::memory::set_meaning(conn, project, &digest, meaning).await?;
    }
    Ok(added.len())
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
