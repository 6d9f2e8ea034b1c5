//! Everything that a ticket's page shows at first; its log comes in pages of its own.

use super::board::position;
use super::cards::{Card, one};
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::tickets::Ticket;
use crate::db::tickets::page::TicketAttempt;
use crate::domain::refusal::Refusal;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;
use terarchitect_worker_api::{AcceptanceEntry, DiffInfo, PersonMessage, ProjectId, TicketId, TodoEntry};
use utoipa::ToSchema;

/// The agent's plan.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TicketPlan {
    /// Its text.
    pub text: String,
    /// When it was made.
    pub at: DateTime<Utc>,
}

/// What the Director said about each acceptance line when the work was last done.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TicketAcceptance {
    /// The lines, in their order.
    pub lines: Vec<AcceptanceEntry>,
    /// When it said so.
    pub at: DateTime<Utc>,
}

/// A ticket's page.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TicketPage {
    /// The ticket.
    pub ticket: Ticket,
    /// Its card.
    pub card: Card,
    /// Every try of each of its jobs, the oldest first.
    pub attempts: Vec<TicketAttempt>,
    /// The agent's to-do list: entries with `content` and `status`.
    #[schema(value_type = Option<Vec<TodoEntry>>)]
    pub todo: Option<Value>,
    /// The agent's newest plan.
    pub plan: Option<TicketPlan>,
    /// What the Director said about each acceptance line when the work was last done.
    pub acceptance: Option<TicketAcceptance>,
    /// Messages to the agent, the oldest first.
    pub messages: Vec<PersonMessage>,
    /// What each turn changed, and the whole branch, without the texts.
    pub diffs: Vec<DiffInfo>,
    /// Where in the event log to follow from.
    pub position: String,
}

/// A ticket's page.
///
/// # Errors
/// When the ticket does not exist.
pub async fn ticket_page(
    database: &Database,
    lease: Duration,
    project: ProjectId,
    id: TicketId,
) -> ActionResult<TicketPage> {
    let mut conn = database.read().await?;
    let position = position(&mut conn).await?;
    let ticket = db::tickets::find(&mut conn, project, id).await?;
    let ticket = ticket.ok_or_else(|| Refusal::not_found("ticket", id))?;
    Ok(TicketPage {
        card: one(database, &mut conn, lease, project, id).await?,
        attempts: db::tickets::page::attempts(&mut conn, id).await?,
        todo: db::tickets::page::todo(&mut conn, id).await?,
        plan: db::tickets::page::plan(&mut conn, id).await?.map(|(text, at)| TicketPlan { text, at }),
        acceptance: db::tickets::page::acceptance(&mut conn, id).await?.and_then(said),
        messages: db::tickets::page::messages(&mut conn, id).await?,
        diffs: db::tickets::page::diffs(&mut conn, id).await?,
        ticket,
        position,
    })
}

/// None where a runner sent something else under that name.
fn said((lines, at): (Option<Value>, DateTime<Utc>)) -> Option<TicketAcceptance> {
    Some(TicketAcceptance { lines: serde_json::from_value(lines?).ok()?, at })
}
