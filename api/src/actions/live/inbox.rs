//! The inbox: everything that waits for a person, and putting one of them off.

use super::cards::{Card, Diffstat, card};
use crate::actions::ActionResult;
use crate::actions::checkpoints::view::CheckpointView;
use crate::actions::forges::review::standing::PullStanding;
use crate::changes::Database;
use crate::db;
use crate::db::live::surroundings::ProjectRow;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::Refusal;
use crate::domain::tickets::state::StateWord;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
use std::collections::HashMap;
use std::time::Duration;
use terarchitect_worker_api::{JobId, ProjectId, TicketId};
use utoipa::ToSchema;
use uuid::Uuid;

/// The most items that the inbox shows.
const MAX_ITEMS: i64 = 1_000;
/// The longest time for which a ticket can be put off: a year.
const MAX_SNOOZE_SEC: f64 = 365.0 * 86_400.0;

/// Why an item waits for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InboxKind {
    /// The ticket's job failed for good.
    Failed,
    /// The ticket's pull request, or its work without one, is ready.
    PullRequest,
    /// The ticket's job waits for a decision.
    Checkpoint,
}

/// Something that waits for a person.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InboxItem {
    /// The ticket.
    pub ticket_id: TicketId,
    /// Its project.
    pub project_id: ProjectId,
    /// What people call the project.
    pub project_name: String,
    /// The ticket's title.
    pub title: String,
    /// Why it waits for a person.
    pub kind: InboxKind,
    /// Since when.
    pub since: DateTime<Utc>,
    /// What happened, in a sentence.
    pub sentence: String,
    /// More about it: what the failure's report said.
    pub detail: Option<String>,
    /// The job; retry it to try again.
    pub job_id: Option<JobId>,
    /// The pull request.
    pub pr_url: Option<String>,
    /// The pull request's number at its forge.
    pub pr_number: Option<i64>,
    /// How the pull request stands, where it is known.
    pub review: Option<PullStanding>,
    /// How much the ticket's branch changes.
    pub diffstat: Option<Diffstat>,
    /// What to decide about.
    pub checkpoint: Option<CheckpointView>,
}

/// Everything that waits for a person.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Inbox {
    /// What waits, the longest first; at most 1000.
    pub items: Vec<InboxItem>,
    /// How many more are put off.
    pub snoozed: i64,
}

/// What waits for a person in the visible projects; `None`: all.
///
/// # Errors
/// When the database is not available.
pub async fn inbox(database: &Database, lease: Duration, visible: Option<&[Uuid]>) -> ActionResult<Inbox> {
    let mut tx = database.transaction().await?;
    db::prefer_indexes(&mut tx).await?;
    let around = db::live::surroundings::surroundings(&mut tx, lease).await?;
    let projects = db::live::surroundings::projects(&mut tx, visible).await?;
    let rows = db::tickets::cards::for_a_person(&mut tx, visible, MAX_ITEMS).await?;
    let waiting = checkpoints(&mut tx, &projects, visible).await?;
    let counts = db::live::surroundings::counts(&mut tx, visible).await?;
    let with_pull: Vec<Uuid> = rows.iter().filter(|row| row.pr_number.is_some()).map(|row| row.id.0).collect();
    let standings = db::forges::reviews::standings(&mut tx, &with_pull).await?;
    tx.commit().await?;
    let mut standings: HashMap<(Uuid, i64), PullStanding> =
        standings.into_iter().map(|row| ((row.ticket_id, row.number), row.into())).collect();
    let items = rows.into_iter().filter_map(|row| {
        let project = projects.get(&row.project_id.0)?;
        let detail = row.job.as_ref().and_then(|job| job.last_detail.clone());
        let review = row.pr_number.and_then(|number| standings.remove(&(row.id.0, number)));
        Some(InboxItem { review, ..item(card(row, project, &around), &project.name, detail)? })
    });
    let mut items: Vec<_> = items.chain(waiting).collect();
    items.sort_by_key(|item| item.since);
    Ok(Inbox { items, snoozed: counts.snoozed })
}

/// What jobs wait for, with their tickets' titles.
async fn checkpoints(
    conn: &mut PgConnection,
    projects: &HashMap<Uuid, ProjectRow>,
    visible: Option<&[Uuid]>,
) -> ActionResult<Vec<InboxItem>> {
    let waiting = db::checkpoints::list::for_a_person(conn, visible, MAX_ITEMS).await?;
    let tickets: Vec<Uuid> = waiting.iter().map(|checkpoint| checkpoint.ticket_id.0).collect();
    let titles = db::tickets::inbox::titles(conn, &tickets).await?;
    let items = waiting.into_iter().filter_map(|checkpoint| {
        Some(InboxItem {
            ticket_id: checkpoint.ticket_id,
            project_id: checkpoint.project_id,
            project_name: projects.get(&checkpoint.project_id.0)?.name.clone(),
            title: titles.get(&checkpoint.ticket_id.0)?.clone(),
            kind: InboxKind::Checkpoint,
            since: checkpoint.created_at,
            sentence: checkpoint.message.clone(),
            detail: None,
            job_id: Some(checkpoint.job_id),
            pr_url: None,
            pr_number: None,
            review: None,
            diffstat: None,
            checkpoint: Some(checkpoint.into()),
        })
    });
    Ok(items.collect())
}

fn item(card: Card, project_name: &str, detail: Option<String>) -> Option<InboxItem> {
    let kind = match card.state.word {
        StateWord::Failed => InboxKind::Failed,
        StateWord::InReview => InboxKind::PullRequest,
        _ => return None,
    };
    Some(InboxItem {
        ticket_id: card.id,
        project_id: card.project_id,
        project_name: project_name.to_owned(),
        title: card.title,
        kind,
        since: card.state.since,
        sentence: card.state.sentence,
        detail: detail.filter(|_| kind == InboxKind::Failed),
        job_id: card.job_id,
        pr_url: card.pr_url,
        pr_number: card.pr_number,
        review: None,
        diffstat: card.diffstat,
        checkpoint: None,
    })
}

/// Puts a ticket off: the inbox does not show it for this long. Zero shows it again. `sees` says whether the caller may
/// see a project.
///
/// # Errors
/// When the time is not valid, or there is no such ticket for this caller.
pub async fn snooze(
    database: &Database,
    actor: &Actor,
    ticket: TicketId,
    for_sec: f64,
    sees: impl Fn(ProjectId) -> bool,
) -> ActionResult<Option<DateTime<Utc>>> {
    if !(0.0..=MAX_SNOOZE_SEC).contains(&for_sec) {
        return Err(Refusal::invalid("'for_sec' must be from 0 to 31536000 seconds, which is a year.").into());
    }
    let mut change = database.change(actor).await?;
    let missing = || Refusal::not_found("ticket", ticket);
    let project = db::tickets::inbox::project_of(&mut change, ticket).await?.filter(|id| sees(*id));
    let project = project.ok_or_else(missing)?;
    let until = db::tickets::inbox::snooze(&mut change, ticket, for_sec, &actor.to_string()).await?;
    change.record(NewEvent::of_ticket(EventKind::InboxSnoozed, project, ticket).with(json!({"until": until})));
    change.commit().await?;
    Ok(until)
}
