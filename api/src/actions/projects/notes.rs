//! Creates, changes and deletes notes.

use super::{record_changed, require_project};
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::projects::notes::Note;
use crate::domain::actor::Actor;
use crate::domain::projects::notes::NoteChanges;
use crate::domain::refusal::Refusal;
use terarchitect_worker_api::{NoteId, ProjectId};

const PART: &str = "notes";

/// Creates a note with a title, a text, or both.
///
/// # Errors
/// When a field is not valid, or the project does not exist.
pub async fn create_note(
    database: &Database,
    actor: &Actor,
    project: ProjectId,
    new: NoteChanges,
) -> ActionResult<Note> {
    let fields = new.into_new()?;
    let mut change = database.change(actor).await?;
    require_project(&mut change, project).await?;
    let note = db::projects::notes::insert(&mut change, project, &fields).await?;
    record_changed(&mut change, project, PART);
    change.commit().await?;
    Ok(note)
}

/// Changes a note.
///
/// # Errors
/// When a field is not valid, or the note does not exist.
pub async fn update_note(
    database: &Database,
    actor: &Actor,
    project: ProjectId,
    id: NoteId,
    changes: NoteChanges,
) -> ActionResult<Note> {
    let mut change = database.change(actor).await?;
    let now = db::projects::notes::find_for_update(&mut change, project, id).await?;
    let now = now.ok_or_else(|| Refusal::not_found("note", id))?;
    let note = db::projects::notes::update(&mut change, id, &changes.over(now.into())?).await?;
    record_changed(&mut change, project, PART);
    change.commit().await?;
    Ok(note)
}

/// Deletes a note.
///
/// # Errors
/// When the note does not exist.
pub async fn delete_note(database: &Database, actor: &Actor, project: ProjectId, id: NoteId) -> ActionResult<()> {
    let mut change = database.change(actor).await?;
    if !db::projects::notes::delete(&mut change, project, id).await? {
        return Err(Refusal::not_found("note", id).into());
    }
    record_changed(&mut change, project, PART);
    Ok(change.commit().await?)
}
