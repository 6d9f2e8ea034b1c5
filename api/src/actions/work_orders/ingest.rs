//! Stores what hooks report, and says what their agents are to be told.

use super::end;
use super::knowledge::context_of;
use crate::actions::{ActionError, ActionResult};
use crate::changes::{Change, Database};
use crate::db;
use crate::db::jobs::Live;
use crate::db::tickets::logs::NewLogEntry;
use crate::db::work_orders::WorkOrder;
use crate::domain::actor::Actor;
use crate::domain::agents::AgentStatus;
use crate::domain::hooks::end::{Known, Means, means};
use crate::domain::hooks::read::{Ended, Entry, How, read};
use crate::domain::hooks::reply::Told;
use crate::domain::hooks::{EventType, Sent};
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::people::Role;
use crate::domain::people::rights::Rights;
use crate::domain::refusal::Refusal;
use crate::domain::tickets::activity::{Activity, AttemptOf};
use crate::domain::work_orders::{OrderStatus, Source};
use serde_json::json;
use std::collections::BTreeMap;
use terarchitect_worker_api::{ProjectId, TicketId};

/// What became of the events of a request.
#[derive(Clone, Debug, Default)]
pub struct Ingested {
    /// How many were stored now.
    pub stored: usize,
    /// How many were stored before.
    pub repeated: usize,
    /// Why others were not stored, in the order in which they came.
    pub refused: Vec<Refusal>,
    /// How many belong to no work order that is known.
    pub without_order: usize,
    /// What the agent of the last event is to be told.
    pub told: Told,
}

/// Stores events, each once. Those of one work order in one transaction, in the order in which they came. `ahead`: also says what an
/// agent that stops after them would be told.
///
/// # Errors
/// When the database is not available. An event that can't be stored is counted, and the others are stored.
pub async fn ingest(
    database: &Database,
    actor: &Actor,
    rights: &Rights,
    sent: Vec<Sent>,
    ahead: bool,
) -> ActionResult<Ingested> {
    let mut done = Ingested::default();
    let mut by_order: BTreeMap<TicketId, Vec<(Sent, Entry)>> = BTreeMap::new();
    let mut conversations: BTreeMap<String, Option<TicketId>> = BTreeMap::new();
    for one in sent {
        let entry = match read(&one) {
            Ok(entry) => entry,
            Err(refusal) => {
                done.refused.push(refusal);
                continue;
            }
        };
        let order = match one.order() {
            Some(order) => Some(TicketId(order)),
            None if one.names_order() => {
                done.refused.push(Refusal::invalid("'work_order_id' must be the id of a work order: a UUID."));
                continue;
            }
            None => of_conversation(database, one.conversation(), &mut conversations).await?,
        };
        match order {
            Some(order) => by_order.entry(order).or_default().push((one, entry)),
            None => done.without_order += 1,
        }
    }
    for (order, events) in by_order {
        match of_order(database, actor, rights, order, (events, ahead)).await {
            Ok(of_one) => {
                done.stored += of_one.stored;
                done.repeated += of_one.repeated;
                done.told = of_one.told;
            }
            Err(ActionError::Refused(refusal)) => done.refused.push(refusal),
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// The order whose agent in a cloud has this conversation.
async fn of_conversation(
    database: &Database,
    conversation: Option<&str>,
    known: &mut BTreeMap<String, Option<TicketId>>,
) -> ActionResult<Option<TicketId>> {
    let Some(conversation) = conversation else { return Ok(None) };
    if let Some(found) = known.get(conversation) {
        return Ok(*found);
    }
    let found = db::work_orders::find_by_cursor_agent(&mut *database.read().await?, conversation).await?;
    known.insert(conversation.to_owned(), found);
    Ok(found)
}

async fn of_order(
    database: &Database,
    actor: &Actor,
    rights: &Rights,
    id: TicketId,
    (events, ahead): (Vec<(Sent, Entry)>, bool),
) -> ActionResult<Ingested> {
    let missing = || Refusal::not_found("work order", id);
    let mut change = database.change(actor).await?;
    let project = db::work_orders::project_of(&mut change, id).await?.ok_or_else(missing)?;
    rights.require_in(project, Role::Member).map_err(|_| missing())?;
    let ends = events.iter().any(|(_, entry)| entry.end.is_some());
    // In the order of locks: an end may end the order, and its job.
    let live = if ends {
        db::tickets::lock_moves(&mut change, id).await?;
        db::jobs::live_for_update(&mut change, id).await?
    } else {
        Vec::new()
    };
    if !db::tickets::hold(&mut change, project, id).await? {
        return Err(missing().into());
    }
    let mut done = Ingested::default();
    let entries: Vec<NewLogEntry> = events.iter().map(|(_, entry)| as_log(project, id, entry)).collect();
    let new = store_all(&mut change, &entries, &mut done).await?;
    let order = match ends {
        true => db::work_orders::list::find_for_update(&mut change, id).await?,
        false => db::work_orders::list::find(&mut change, id).await?,
    };
    let order = order.ok_or_else(missing)?;
    note_agent(&mut change, &order, &events).await?;
    if order.source == Source::Local
        && order.status == OrderStatus::Pending
        && db::work_orders::start(&mut change, id).await?
    {
        super::record_changed(&mut change, &order, OrderStatus::Running, &order.lines.0);
    }
    if let Some((_, last)) = events.last() {
        if let Some(ended) = last.end {
            let followups = db::work_orders::followups(&mut change, id).await?;
            let known = Known { status: order.status, is_held: order.is_held, lines: &order.lines.0, followups };
            let is_new = new.last().copied().unwrap_or(false);
            done.told.followup = apply(&mut change, &order, &live, means(ended, known), is_new).await?;
        } else if last.kind == EventType::SessionStart {
            done.told.context = Some(context_of(&mut change, &order).await?);
        }
    }
    if ahead {
        done.told.ahead = if_it_stopped(&mut change, id).await?;
    }
    change.commit().await?;
    Ok(done)
}

/// What an agent would be told if it stopped now. Nothing is counted: its end is an event, too.
async fn if_it_stopped(change: &mut Change, id: TicketId) -> ActionResult<Option<String>> {
    let Some(order) = db::work_orders::list::find(change, id).await? else { return Ok(None) };
    let followups = db::work_orders::followups(change, id).await?;
    let known = Known { status: order.status, is_held: order.is_held, lines: &order.lines.0, followups };
    Ok(match means(Ended { how: How::Well, can_go_on: true }, known) {
        Means::GoOn(text) => Some(text),
        Means::Nothing | Means::Done | Means::Failed(_) => None,
    })
}

/// What a session's end means, done. The same end again is answered as before, and counts once.
async fn apply(
    change: &mut Change,
    order: &WorkOrder,
    live: &[Live],
    means: Means,
    is_new: bool,
) -> ActionResult<Option<String>> {
    match means {
        Means::Nothing => Ok(None),
        Means::GoOn(text) => {
            if is_new {
                db::work_orders::count_followup(change, order.id).await?;
            }
            Ok(Some(text))
        }
        Means::Done => end(change, order, live, OrderStatus::Completed).await.map(|()| None),
        Means::Failed(why) => {
            db::work_orders::set_error(change, order.id, &why).await?;
            end(change, order, live, OrderStatus::Failed).await.map(|()| None)
        }
    }
}

fn as_log(project: ProjectId, ticket: TicketId, entry: &Entry) -> NewLogEntry {
    NewLogEntry {
        project_id: project,
        ticket_id: ticket,
        session_id: entry.session.clone(),
        step: entry.kind.as_str().to_owned(),
        summary: entry.summary.clone(),
        raw_output: entry.output.clone(),
        success: entry.success,
        entry_key: entry.key,
        by: AttemptOf::default(),
        data: Some(json!({"kind": "hook", "payload": entry.payload})),
    }
}

/// Stores entries, and records those that are new. Returns which are.
async fn store_all(change: &mut Change, entries: &[NewLogEntry], done: &mut Ingested) -> ActionResult<Vec<bool>> {
    let Some(last) = entries.last() else { return Ok(Vec::new()) };
    let activity = Activity::after(&last.step, &last.summary, None);
    // In this order: the entries take their numbers while the ticket's activity is locked.
    db::tickets::activity::note(change, last, &activity).await?;
    let stored = db::tickets::logs::insert_many(change, last.project_id, last.ticket_id, entries).await?;
    for (entry, stored) in entries.iter().zip(&stored) {
        let Some(stored) = stored else {
            done.repeated += 1;
            continue;
        };
        done.stored += 1;
        let event = NewEvent::of_ticket(EventKind::LogAppended, entry.project_id, entry.ticket_id);
        change.record(event.with(json!({
            "log_id": stored.id, "seq": stored.seq, "step": entry.step, "success": entry.success, "summary": entry.summary,
            "kind": "hook",
        })));
    }
    Ok(stored.iter().map(Option::is_some).collect())
}

/// Notes that the agent is there: the one that the events name, else the order's.
async fn note_agent(change: &mut Change, order: &WorkOrder, events: &[(Sent, Entry)]) -> ActionResult<()> {
    let Some((sent, last)) = events.last() else { return Ok(()) };
    let named = sent.agent_id.as_deref().map(str::trim).filter(|name| !name.is_empty());
    let agent = match named {
        Some(name) => match name.parse() {
            Ok(id) => Some(id),
            Err(_) => db::agents::find_by_slug(change, name).await?.map(|agent| agent.id),
        },
        None => order.agent_id,
    };
    let status = match last.end.map(|ended| ended.how) {
        None => AgentStatus::Active,
        Some(How::Badly) => AgentStatus::Error,
        Some(How::Well | How::Stopped) => AgentStatus::Idle,
    };
    if let Some(agent) = agent {
        db::agents::seen(change, agent, status).await?;
    }
    Ok(())
}
