//! Sets budgets, says what is left of them, and grants more once a person has approved that.

use super::record_changed;
use crate::actions::ActionResult;
use crate::changes::{Change, Database};
use crate::db;
use crate::db::checkpoints::Checkpoint;
use crate::db::projects::budgets::Granting;
use crate::domain::actor::Actor;
use crate::domain::projects::budgets::{Budgets, Grant, UsedOfLevel, ended, left, limits};
use crate::domain::refusal::Refusal;
use crate::domain::system::settings::MODEL_PRICES;
use crate::domain::tickets::activity::AttemptOf;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use std::collections::BTreeSet;
use terarchitect_worker_api::{
    BudgetLeft, BudgetLevel, BudgetLimit, BudgetUnit, CheckpointStage, Prices, ProjectId, TicketId, needs_tokens,
};
use utoipa::ToSchema;

/// The settings that name the models of agent and Director.
const MODELS: [&str; 2] = ["WORKER_MODEL", "AGENT_MODEL"];

/// The budgets of a project or of a ticket, and what is left.
#[derive(Debug, Serialize, ToSchema)]
pub struct BudgetView {
    /// What is set here.
    pub set: Budgets,
    /// Every limit that counts here, with what people granted beside it, and what is left of it: of a ticket also those of its
    /// project.
    pub limits: Vec<BudgetLimit>,
    /// What to know about them, a sentence each.
    pub notes: Vec<String>,
}

/// The budgets of a project, or of a ticket of it.
///
/// # Errors
/// When the database is not available.
pub async fn view(conn: &mut PgConnection, project: ProjectId, ticket: Option<TicketId>) -> ActionResult<BudgetView> {
    let set = db::projects::budgets::find(conn, project, ticket).await?;
    let Counted { budgets, limits, used, prices, .. } = count(conn, project, ticket, None).await?;
    let mut unknown = BTreeSet::new();
    if budgets.has_usd() {
        for name in MODELS {
            let model = db::system::settings::find(conn, name).await?.and_then(|stored| stored.value);
            unknown.extend(model.filter(|model| prices.find(model).is_none()));
        }
        let used = used.iter().flat_map(|(_, used)| &used.0);
        unknown.extend(used.filter(|usage| prices.cost(usage).is_none()).map(|usage| usage.model.clone()));
    }
    let unknown: Vec<_> = unknown.into_iter().collect();
    let notes = if unknown.is_empty() { Vec::new() } else { vec![format!("{}.", needs_tokens(&unknown))] };
    Ok(BudgetView { set, limits, notes })
}

/// Sets the budgets of a project. They count at once, also for attempts that run.
///
/// # Errors
/// When an amount is not valid, or the project does not exist.
pub async fn set_of_project(
    database: &Database,
    actor: &Actor,
    project: ProjectId,
    budgets: Budgets,
) -> ActionResult<BudgetView> {
    budgets.check(false)?;
    let mut change = database.change(actor).await?;
    super::require_project(&mut change, project).await?;
    set(&mut change, project, None, &budgets).await?;
    let view = view(&mut change, project, None).await?;
    change.commit().await?;
    Ok(view)
}

/// Sets the budgets of a ticket, in place of what its project says for each ticket.
///
/// # Errors
/// When an amount is not valid, or the ticket does not exist.
pub async fn set_of_ticket(
    database: &Database,
    actor: &Actor,
    (project, ticket): (ProjectId, TicketId),
    budgets: Budgets,
) -> ActionResult<BudgetView> {
    budgets.check(true)?;
    let mut change = database.change(actor).await?;
    let found = db::tickets::find(&mut change, project, ticket).await?;
    found.ok_or_else(|| Refusal::not_found("ticket", ticket))?;
    set(&mut change, project, Some(ticket), &budgets).await?;
    let view = view(&mut change, project, Some(ticket)).await?;
    change.commit().await?;
    Ok(view)
}

async fn set(change: &mut Change, project: ProjectId, ticket: Option<TicketId>, budgets: &Budgets) -> ActionResult<()> {
    db::projects::budgets::set(change, project, ticket, budgets).await?;
    record_changed(change, project, "budget");
    Ok(())
}

/// What an attempt may use in all, by what all others have used.
///
/// # Errors
/// When the database is not available.
pub(in crate::actions) async fn left_for(
    conn: &mut PgConnection,
    (project, ticket): (ProjectId, TicketId),
    attempt: AttemptOf,
) -> ActionResult<BudgetLeft> {
    let counted = count(conn, project, Some(ticket), Some(attempt)).await?;
    let left = left(&counted.limits, &counted.prices);
    Ok(BudgetLeft { attempt: attempt.attempt, day: counted.day.format("%F").to_string(), ..left })
}

/// That nothing may be used in a project, or for a ticket of it, in a sentence; none if something may.
///
/// # Errors
/// When the database is not available.
pub(in crate::actions) async fn used_up(
    conn: &mut PgConnection,
    project: ProjectId,
    ticket: Option<TicketId>,
) -> ActionResult<Option<String>> {
    let counted = count(conn, project, ticket, None).await?;
    Ok(ended(&counted.limits).map(|limit| format!("{}.", limit.used_up())))
}

/// Grants the budget once more whose end a checkpoint was about, as it is set now. What is not limited any more needs no grant.
///
/// # Errors
/// When the database is not available.
pub(in crate::actions) async fn grant_more(change: &mut Change, checkpoint: &Checkpoint) -> ActionResult<()> {
    if checkpoint.stage.map(|stage| stage.0) != Some(CheckpointStage::Budget) {
        return Ok(());
    }
    let word = |name: &str| checkpoint.data["budget"][name].as_str().unwrap_or_default();
    let (Ok(level), Ok(unit)) = (BudgetLevel::parse(word("level")), BudgetUnit::parse(word("unit"))) else {
        return Ok(());
    };
    let of = (checkpoint.project_id, checkpoint.ticket_id);
    let budgets = effective(change, of.0, Some(of.1)).await?;
    let Some(amount) = budgets.of(level).of(unit) else { return Ok(()) };
    let by = AttemptOf { job: Some(checkpoint.job_id), attempt: checkpoint.attempt };
    let day = db::projects::budgets::day_of(change, Some(of.1), Some(by)).await?;
    let grant = Grant { level, unit, amount };
    let granting = Granting { checkpoint: checkpoint.id, of, by, day, grant };
    Ok(db::projects::budgets::grant(change, &granting).await?)
}

/// What holds for a ticket: its own budgets, and its project's for the rest.
async fn effective(conn: &mut PgConnection, project: ProjectId, ticket: Option<TicketId>) -> ActionResult<Budgets> {
    let of_project = db::projects::budgets::find(conn, project, None).await?;
    let Some(ticket) = ticket else { return Ok(of_project) };
    let of_ticket = db::projects::budgets::find(conn, project, Some(ticket)).await?;
    Ok(of_ticket.or_of_project(of_project))
}

/// What counts for a project or a ticket.
struct Counted {
    budgets: Budgets,
    limits: Vec<BudgetLimit>,
    used: Vec<(BudgetLevel, UsedOfLevel)>,
    prices: Prices,
    /// The start of the day that counts.
    day: DateTime<Utc>,
}

/// Adds up what was used of each level that has a limit, without what this attempt used. Only an attempt has a budget of its own.
async fn count(
    conn: &mut PgConnection,
    project: ProjectId,
    ticket: Option<TicketId>,
    attempt: Option<AttemptOf>,
) -> ActionResult<Counted> {
    let budgets = effective(conn, project, ticket).await?;
    if budgets.is_empty() {
        let (prices, day) = (Prices::default(), Utc::now());
        return Ok(Counted { budgets, limits: Vec::new(), used: Vec::new(), prices, day });
    }
    let day = db::projects::budgets::day_of(conn, ticket, attempt).await?;
    let ever = (DateTime::<Utc>::UNIX_EPOCH, Utc::now() + TimeDelta::days(1));
    let of = (project, ticket);
    let mut used = Vec::new();
    for &level in BudgetLevel::ALL {
        if budgets.of(level).is_empty() {
            continue;
        }
        let of_level = match (level, ticket, attempt) {
            (BudgetLevel::Attempt, _, Some(_)) => Vec::new(),
            (BudgetLevel::Ticket, Some(ticket), _) => {
                db::projects::budgets::used_by_ticket(conn, ticket, attempt).await?
            }
            (BudgetLevel::Attempt, _, None) | (BudgetLevel::Ticket, None, _) => continue,
            (BudgetLevel::Project, _, _) => db::projects::budgets::used_by_project(conn, of, attempt, ever).await?,
            (BudgetLevel::Day, _, _) => {
                let that_day = (day, day + TimeDelta::days(1));
                db::projects::budgets::used_by_project(conn, of, attempt, that_day).await?
            }
        };
        used.push((level, UsedOfLevel(of_level)));
    }
    let grants = db::projects::budgets::granted(conn, of, attempt, day).await?;
    let prices = prices(conn).await?;
    let limits = limits(&budgets, &grants, &used, &prices);
    Ok(Counted { budgets, limits, used, prices, day })
}

/// What models cost. It was checked when it was stored.
async fn prices(conn: &mut PgConnection) -> ActionResult<Prices> {
    let stored = db::system::settings::find(conn, MODEL_PRICES).await?.and_then(|stored| stored.value);
    Ok(stored.and_then(|text| Prices::parse(&text).ok()).unwrap_or_default())
}
