//! Creates a work order and launches it in the same transaction: never half of that.

use crate::actions::jobs::enqueue::require_work;
use crate::actions::projects::budgets::used_up;
use crate::actions::projects::create::without_repository;
use crate::actions::tickets::apply_move::apply_move;
use crate::actions::tickets::create::{insert, require_column};
use crate::actions::{ActionError, ActionResult};
use crate::changes::{Change, Database};
use crate::db;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::people::Role;
use crate::domain::people::rights::Rights;
use crate::domain::projects::{WITHOUT_REPOSITORY, board};
use crate::domain::refusal::Refusal;
use crate::domain::work_orders::{NewOrder, OrderStatus, Source};
use serde_json::json;
use sqlx::PgConnection;
use terarchitect_worker_api::{ProjectId, TicketId};
use uuid::Uuid;

/// A work order that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The order, and its ticket.
    pub id: TicketId,
    /// Its project.
    pub project_id: ProjectId,
    /// How it stands.
    pub status: OrderStatus,
    /// What Cursor calls the agent that works on it.
    pub cursor_agent_id: Option<String>,
    /// Why it was not launched, though it should have been.
    pub launch_error: Option<String>,
    /// Whether it is new; false if an order with this key was created before.
    pub is_new: bool,
}

/// Creates a work order and launches it, unless its source is local.
///
/// # Errors
/// When its repository or agent does not exist, or the caller may not work there. A launch that can't be is no error.
pub async fn create_work_order(
    database: &Database,
    actor: &Actor,
    rights: &Rights,
    new: NewOrder,
) -> ActionResult<Created> {
    let mut change = database.change(actor).await?;
    let project = place(&mut change, &new, Some(rights)).await?;
    rights.require_in(project, Role::Member)?;
    let created = create_in(&mut change, project, new).await?;
    change.commit().await?;
    Ok(created)
}

/// The same as part of a change: the order, its ticket and its job are there once the change is committed.
///
/// # Errors
/// When its repository or agent does not exist.
pub async fn create(change: &mut Change, new: NewOrder) -> ActionResult<Created> {
    let project = place(change, &new, None).await?;
    create_in(change, project, new).await
}

/// The project of an order: its repository, or the only one whose own agent it names, or the one for what names none.
async fn place(change: &mut Change, new: &NewOrder, rights: Option<&Rights>) -> ActionResult<ProjectId> {
    if let Some(repo) = new.repo {
        let there = db::projects::exists(change, repo).await?;
        return if there { Ok(repo) } else { Err(Refusal::not_found("repository", repo).into()) };
    }
    if let Some(agent) = new.agent {
        let visible = rights.and_then(Rights::visible).map(|all| all.into_iter().map(|id| id.0).collect::<Vec<_>>());
        if let Some(only) = db::agents::repos::only_one_of(change, agent, visible.as_deref()).await? {
            return Ok(only);
        }
    }
    if let Some(rights) = rights {
        rights.require(Role::Member)?;
    }
    without_repository(change).await
}

async fn create_in(change: &mut Change, project: ProjectId, new: NewOrder) -> ActionResult<Created> {
    if let Some(before) = created_before(change, project, &new).await? {
        return Ok(before);
    }
    let agent = agent_of(change, project, &new).await?;
    let launch_error = match new.source {
        Source::Local => None,
        Source::Cloud | Source::Job => why_not_launched(change, project, None).await?,
    };
    let launch = new.source != Source::Local && launch_error.is_none();
    let fields = new.content.ticket(NewOrder::column(launch));
    require_column(change, project, &fields.column_id).await?;
    let ticket = insert(change, project, &fields).await?;
    let id = ticket.id;
    // Before its job: where that runs depends on its agent.
    db::work_orders::insert(change, id, project, agent, &new, launch_error.as_deref()).await?;
    if launch {
        apply_move(change, board::BACKLOG, ticket, &[]).await?;
    }
    let status = OrderStatus::Pending;
    let event = NewEvent::of_ticket(EventKind::WorkOrderCreated, project, id);
    change.record(event.with(json!({
        "status": status, "source": new.source, "agent_id": agent, "launch_error": launch_error,
    })));
    Ok(Created { id, project_id: project, status, cursor_agent_id: None, launch_error, is_new: true })
}

/// The order that was created with the same key before.
async fn created_before(change: &mut Change, project: ProjectId, new: &NewOrder) -> ActionResult<Option<Created>> {
    let Some(key) = &new.idempotency_key else { return Ok(None) };
    db::work_orders::lock_key(change, project, key).await?;
    let Some(id) = db::work_orders::find_by_key(change, project, key).await? else { return Ok(None) };
    let found = db::work_orders::list::find(change, id).await?;
    Ok(found.map(|order| Created {
        id,
        project_id: project,
        status: order.status,
        cursor_agent_id: order.cursor_agent_id,
        launch_error: order.launch_error,
        is_new: false,
    }))
}

/// Who works on an order: whom it names, or the repository's own agent.
async fn agent_of(conn: &mut PgConnection, project: ProjectId, new: &NewOrder) -> ActionResult<Option<Uuid>> {
    let Some(named) = new.agent else {
        return Ok(db::agents::repos::find(conn, project).await?.and_then(|repo| repo.agent_id));
    };
    match db::agents::find(conn, named).await? {
        Some(agent) => Ok(Some(agent.id)),
        None => Err(Refusal::not_found("agent", named).into()),
    }
}

/// Why an order in this project can't be launched, if it can't. `ticket` is the order, if there is one already.
pub(super) async fn why_not_launched(
    conn: &mut PgConnection,
    project: ProjectId,
    ticket: Option<TicketId>,
) -> ActionResult<Option<String>> {
    match require_work(conn, project).await {
        Ok(()) => used_up(conn, project, ticket).await,
        Err(ActionError::Refused(_)) if project.0 == WITHOUT_REPOSITORY => {
            let sentence = "The order names no repository, so it was not launched; create one with 'repo_id'.";
            Ok(Some(sentence.to_owned()))
        }
        Err(ActionError::Refused(refusal)) => Ok(Some(refusal.message)),
        Err(error) => Err(error),
    }
}
