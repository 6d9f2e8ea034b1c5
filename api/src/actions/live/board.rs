//! The board of a project with the true state of every ticket, and the line at the top of every page.

use super::cards::{Card, card};
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::domain::live::position::Position;
use crate::domain::projects::board::Column;
use crate::domain::refusal::Refusal;
use serde::Serialize;
use sqlx::PgConnection;
use std::time::Duration;
use terarchitect_worker_api::ProjectId;
use utoipa::ToSchema;
use uuid::Uuid;

/// How much goes on.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Summary {
    /// Tickets that wait for a person.
    pub need_person: i64,
    /// Jobs that run.
    pub running: i64,
    /// Jobs that wait.
    pub waiting: i64,
    /// Coordinators that have sent a heartbeat lately.
    pub hosts: i64,
    /// Whether everything is stopped.
    pub stopped: bool,
}

/// A project's board with its cards.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LiveBoard {
    /// The project.
    pub project_id: ProjectId,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its tickets.
    pub cards: Vec<Card>,
    /// Where in the event log to follow from: the cards are at least as new.
    pub position: String,
    /// How much goes on in this project.
    pub summary: Summary,
}

/// The board of a project.
///
/// # Errors
/// When the project does not exist.
pub async fn board(database: &Database, lease: Duration, project: ProjectId) -> ActionResult<LiveBoard> {
    let mut conn = database.transaction().await?;
    let missing = || Refusal::not_found("project", project);
    // Before the rows: what is committed in between is in the rows and comes once more as an event.
    let position = position(&mut conn).await?;
    let columns = db::projects::boards::find(&mut conn, project).await?.ok_or_else(missing)?.columns;
    let around = db::live::surroundings::surroundings(&mut conn, lease).await?;
    let projects = db::live::surroundings::projects(&mut conn, Some(&[project.0])).await?;
    let facts = projects.get(&project.0).ok_or_else(missing)?;
    let rows = db::tickets::cards::of_project(&mut conn, project).await?;
    let summary = summary_of(&mut conn, Some(&[project.0])).await?;
    conn.commit().await?;
    let cards: Vec<_> = rows.into_iter().map(|row| card(row, facts, &around)).collect();
    database.hub().cards().told().read_beside(cards.iter().map(|card| (card.id, &card.state)));
    Ok(LiveBoard { project_id: project, columns, cards, position, summary })
}

/// Where a reader of the event log that reads rows from now on begins.
pub(super) async fn position(conn: &mut PgConnection) -> ActionResult<String> {
    Ok(Position::after(db::live::events::snapshot(conn).await?).to_string())
}

/// How much goes on in the visible projects; `None`: all.
///
/// # Errors
/// When the database is not available.
pub async fn summary(database: &Database, visible: Option<&[Uuid]>) -> ActionResult<Summary> {
    let mut tx = database.transaction().await?;
    let summary = summary_of(&mut tx, visible).await?;
    tx.commit().await?;
    Ok(summary)
}

/// Last in its transaction.
async fn summary_of(conn: &mut PgConnection, visible: Option<&[Uuid]>) -> ActionResult<Summary> {
    // Open tickets are few among those that are done, and the index finds them.
    db::prefer_indexes(conn).await?;
    let counts = db::live::surroundings::counts(conn, visible).await?;
    let around = db::live::surroundings::surroundings(conn, Duration::ZERO).await?;
    Ok(Summary {
        need_person: counts.need_person,
        running: counts.running,
        waiting: counts.waiting,
        hosts: i64::try_from(around.hosts.len()).unwrap_or(i64::MAX),
        stopped: around.stopped_at.is_some(),
    })
}
