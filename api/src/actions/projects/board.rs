//! Changes a project's board.

use super::record_changed;
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::projects::boards::Board;
use crate::domain::actor::Actor;
use crate::domain::projects::board::{Column, check_columns};
use crate::domain::refusal::{ErrorCode, Refusal};
use terarchitect_worker_api::ProjectId;

/// Replaces the columns.
///
/// # Errors
/// When a column is not valid, one that is needed or that holds tickets is missing, or the project does not exist.
pub async fn update_board(
    database: &Database,
    actor: &Actor,
    project: ProjectId,
    columns: Vec<Column>,
) -> ActionResult<Board> {
    check_columns(&columns)?;
    let mut change = database.change(actor).await?;
    let board = db::projects::boards::find_for_update(&mut change, project).await?;
    let board = board.ok_or_else(|| Refusal::not_found("project", project))?;
    let ids: Vec<String> = columns.iter().map(|column| column.id.clone()).collect();
    let orphaned = db::tickets::occupied_columns_other_than(&mut change, project, &ids).await?;
    if let Some(column) = orphaned.first() {
        let sentence = format!("The column '{column}' holds tickets; move them before you remove it.");
        return Err(Refusal::new(ErrorCode::ColumnInUse, sentence).into());
    }
    db::projects::boards::update(&mut change, project, &columns).await?;
    record_changed(&mut change, project, "board");
    change.commit().await?;
    Ok(Board { columns, ..board })
}
