//! The board: its columns.

use crate::domain::refusal::Refusal;
use crate::domain::text;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use utoipa::ToSchema;

/// Where new tickets wait.
pub const BACKLOG: &str = "backlog";
/// A ticket here is worked on: moving one in enqueues a job, moving it out cancels.
pub const IN_PROGRESS: &str = "in_progress";
/// Where a ticket goes when its pull request is open.
pub const IN_REVIEW: &str = "in_review";
/// Where finished tickets are.
pub const DONE: &str = "done";

/// A column of the board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Column {
    /// A stable word; tickets refer to it.
    pub id: String,
    /// What people read.
    pub title: String,
    /// The place from the left.
    pub order: i32,
}

/// The columns of a new project.
#[must_use]
pub fn default_columns() -> Vec<Column> {
    [(BACKLOG, "Backlog"), (IN_PROGRESS, "In Progress"), (IN_REVIEW, "In Review"), (DONE, "Done")]
        .into_iter()
        .zip(0..)
        .map(|((id, title), order)| Column { id: id.to_owned(), title: title.to_owned(), order })
        .collect()
}

/// The most columns of a board.
const MAX_COLUMNS: usize = 100;

/// Checks the columns of a board: not too many, no id twice, and the columns that agents need.
///
/// # Errors
/// When a column is not valid, or one that is needed is missing.
pub fn check_columns(columns: &[Column]) -> Result<(), Refusal> {
    if columns.len() > MAX_COLUMNS {
        return Err(Refusal::invalid(format!("A board has at most {MAX_COLUMNS} columns.")));
    }
    let mut ids = HashSet::new();
    for column in columns {
        text::title("id", &column.id)?;
        text::title("title", &column.title)?;
        if !ids.insert(column.id.as_str()) {
            return Err(Refusal::invalid(format!("The column '{}' is listed twice.", column.id)));
        }
    }
    if [IN_PROGRESS, IN_REVIEW].into_iter().all(|id| ids.contains(id)) {
        return Ok(());
    }
    Err(Refusal::invalid(
        "A board needs the columns 'in_progress' and 'in_review': agents work on the tickets in them.",
    ))
}

/// Checks that the board has this column.
///
/// # Errors
/// When it does not; the sentence lists the columns that it has.
pub fn require_column(columns: &[Column], id: &str) -> Result<(), Refusal> {
    if columns.iter().any(|column| column.id == id) {
        return Ok(());
    }
    let known: Vec<_> = columns.iter().map(|column| column.id.as_str()).collect();
    let shown: String = id.chars().take(80).collect();
    Err(Refusal::invalid(format!("The board has no column '{shown}'; it has: {}.", known.join(", "))))
}
