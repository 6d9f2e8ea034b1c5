//! Cards: a ticket with its state, what its runner said last, and what came of it.

use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::live::surroundings::ProjectRow;
use crate::db::tickets::cards::CardRow;
use crate::domain::refusal::Refusal;
use crate::domain::tickets::Priority;
use crate::domain::tickets::state::{State, Surroundings, last_sign_of_life, needs_person, state};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use std::collections::HashSet;
use std::time::Duration;
use terarchitect_worker_api::{JobId, JobStatus, ProjectId, TicketId};
use utoipa::ToSchema;

/// The last sentence of a ticket's log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LastLine {
    /// The sentence.
    pub text: String,
    /// When it was stored.
    pub at: DateTime<Utc>,
}

/// How much a ticket's branch changes.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Diffstat {
    /// How many files.
    pub files: i32,
    /// How many lines it adds.
    pub added: i32,
    /// How many lines it removes.
    pub removed: i32,
}

/// A ticket as the board shows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Card {
    /// The ticket.
    pub id: TicketId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its title.
    pub title: String,
    /// How urgent it is.
    pub priority: Priority,
    /// Its column.
    pub column_id: String,
    /// Sorts the cards of a column, as text.
    pub position_key: String,
    /// What happens with it.
    pub state: State,
    /// Its job that waits or runs, or else its newest one.
    pub job_id: Option<JobId>,
    /// That job's latest attempt.
    pub attempt: Option<i32>,
    /// The worker that holds the job, while it runs.
    pub worker_id: Option<String>,
    /// That worker's name, if it told one.
    pub worker_name: Option<String>,
    /// What its runner said last.
    pub last_line: Option<LastLine>,
    /// While a job runs: when its worker last showed that it is alive.
    pub last_sign_of_life_at: Option<DateTime<Utc>>,
    /// While a job runs: how much of its lease is left, in milliseconds.
    pub lease_remaining_ms: Option<i64>,
    /// How much its branch changes.
    pub diffstat: Option<Diffstat>,
    /// Its pull request.
    pub pr_url: Option<String>,
    /// The pull request's number at its forge.
    pub pr_number: Option<i64>,
    /// Whether it waits for a person.
    pub needs_person: bool,
    /// When the ticket was last changed.
    pub updated_at: DateTime<Utc>,
}

/// The card of a ticket.
pub(super) fn card(row: CardRow, project: &ProjectRow, around: &Surroundings) -> Card {
    let state = state(&row.facts(), row.job.as_ref(), row.activity.as_ref(), &project.facts, around);
    let running = row.job.as_ref().filter(|job| job.status == JobStatus::Running);
    let at = row.activity.as_ref().map(|activity| activity.last_at);
    let lease_remaining_ms =
        running.and_then(|job| job.lease_expires_at).map(|expires| (expires - around.now).num_milliseconds().max(0));
    Card {
        last_sign_of_life_at: running.map(|job| last_sign_of_life(job, row.activity.as_ref(), around)),
        lease_remaining_ms,
        worker_name: running
            .and_then(|job| job.worker_id.as_deref())
            .and_then(|id| around.name_of(id))
            .map(str::to_owned),
        worker_id: running.and_then(|job| job.worker_id.clone()),
        job_id: row.job.as_ref().map(|job| job.id),
        attempt: row.job.as_ref().map(|job| job.attempt).filter(|attempt| *attempt > 0),
        position_key: format!("{:016x}-{}", row.created_at.timestamp_micros().max(0), row.id),
        needs_person: needs_person(state.word),
        last_line: row.last_line.zip(at).map(|(text, at)| LastLine { text, at }),
        diffstat: row.diffstat.map(|(files, added, removed)| Diffstat { files, added, removed }),
        state,
        id: row.id,
        project_id: row.project_id,
        title: row.title,
        priority: row.priority,
        column_id: row.column_id,
        pr_url: row.pr_url,
        pr_number: row.pr_number,
        updated_at: row.updated_at,
    }
}

/// The card of one ticket.
///
/// # Errors
/// When the ticket does not exist.
pub async fn ticket_card(
    database: &Database,
    lease: Duration,
    project: ProjectId,
    ticket: TicketId,
) -> ActionResult<Card> {
    one(database, &mut *database.read().await?, lease, project, ticket).await
}

pub(super) async fn one(
    database: &Database,
    conn: &mut PgConnection,
    lease: Duration,
    project: ProjectId,
    ticket: TicketId,
) -> ActionResult<Card> {
    let missing = || Refusal::not_found("ticket", ticket);
    let row = db::tickets::cards::find(conn, project, ticket).await?.ok_or_else(missing)?;
    let around = db::live::surroundings::surroundings(conn, lease).await?;
    let projects = db::live::surroundings::projects(conn, Some(&[project.0])).await?;
    let project = projects.get(&project.0).ok_or_else(missing)?;
    let card = card(row, project, &around);
    database.hub().cards().told().read_beside([(card.id, &card.state)]);
    Ok(card)
}

/// How many tickets of each kind are looked at again and again.
const LOOKED_AT: i64 = 200;

/// Tickets whose state changes though nothing happens to them: they wait in the queue, or a worker holds them. Of very many,
/// some.
///
/// # Errors
/// When the database is not available.
pub async fn live_tickets(database: &Database) -> sqlx::Result<HashSet<TicketId>> {
    let mut conn = database.read().await?;
    let tickets = db::tickets::cards::of_live_jobs(&mut conn, LOOKED_AT).await?;
    Ok(tickets.into_iter().map(TicketId).collect())
}

/// The cards of these tickets, as far as they exist.
///
/// # Errors
/// When the database is not available.
pub async fn cards_of(
    database: &Database,
    lease: Duration,
    tickets: impl IntoIterator<Item = TicketId>,
) -> sqlx::Result<Vec<Card>> {
    let ids: Vec<_> = tickets.into_iter().map(|id| id.0).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut conn = database.read().await?;
    let around = db::live::surroundings::surroundings(&mut conn, lease).await?;
    let rows = db::tickets::cards::of_tickets(&mut conn, &ids).await?;
    let mut projects: Vec<_> = rows.iter().map(|row| row.project_id.0).collect();
    projects.sort_unstable();
    projects.dedup();
    let projects = db::live::surroundings::projects(&mut conn, Some(&projects)).await?;
    // A project that was deleted in between has no cards any more.
    let cards = rows.into_iter().filter_map(|row| {
        let project = projects.get(&row.project_id.0)?;
        Some(card(row, project, &around))
    });
    Ok(cards.collect())
}
