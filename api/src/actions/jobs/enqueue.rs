//! Puts a job into the queue.

use crate::actions::checkpoints::open::open_in;
use crate::actions::{ActionError, ActionResult};
use crate::changes::{Change, Database};
use crate::db;
use crate::db::jobs::list::JobEntry;
use crate::domain::actor::Actor;
use crate::domain::checkpoints::{at_start, waits_at_start};
use crate::domain::jobs::terms::{JobTerms, NewJob};
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::projects::{board, require_something_to_work_on};
use crate::domain::refusal::Refusal;
use crate::domain::tickets::STATUS_IN_PROGRESS;
use crate::domain::tickets::TicketFields;
use chrono::Utc;
use serde_json::json;
use sqlx::PgConnection;
use terarchitect_worker_api::{JobId, JobKind, ProjectId, TicketId};

/// The result of a request to enqueue a job.
#[derive(Debug)]
pub enum Enqueued {
    /// It was put into the queue.
    New(JobEntry),
    /// A job with this idempotency key was enqueued before.
    Before(JobEntry),
}

/// Enqueues a job for a ticket on its own terms. A job of kind `ticket` moves its ticket to In Progress.
///
/// # Errors
/// When a term is not valid, the ticket does not exist or has a live job, or its project has nothing to work on.
pub async fn enqueue_job(
    database: &Database,
    actor: &Actor,
    project: ProjectId,
    ticket: TicketId,
    terms: JobTerms,
) -> ActionResult<Enqueued> {
    let mut change = database.change(actor).await?;
    db::tickets::lock_moves(&mut change, ticket).await?;
    let found = db::tickets::find(&mut change, project, ticket).await?;
    let found = found.ok_or_else(|| Refusal::not_found("ticket", ticket))?;
    let new = terms.into_job(project, ticket, found.pr_number, Utc::now())?;
    if let Some(key) = &new.idempotency_key
        && let Some(before) = db::jobs::list::find_by_key(&mut change, project, key).await?
    {
        return Ok(Enqueued::Before(before));
    }
    let job = enqueue_and_start_ticket(&mut change, found.into(), &new).await?;
    change.commit().await?;
    Ok(Enqueued::New(job))
}

/// Enqueues a job and moves its ticket to In Progress, if it is the ticket's own.
pub(in crate::actions) async fn enqueue_and_start_ticket(
    change: &mut Change,
    ticket: TicketFields,
    new: &NewJob,
) -> ActionResult<JobEntry> {
    require_work(change, new.project_id).await?;
    let id = put_into_queue(change, new).await?.ok_or_else(db::errors::job_exists)?;
    if new.kind == JobKind::Ticket {
        let from = ticket.column_id.clone();
        let fields =
            TicketFields { column_id: board::IN_PROGRESS.to_owned(), status: STATUS_IN_PROGRESS.to_owned(), ..ticket };
        db::tickets::update(change, new.project_id, new.ticket_id, &fields).await?;
        if from != board::IN_PROGRESS {
            let moved = NewEvent::of_ticket(EventKind::TicketMoved, new.project_id, new.ticket_id);
            change.record(moved.with(json!({"from": from, "to": fields.column_id, "status": fields.status})));
        }
    }
    db::jobs::list::find(change, id).await?.ok_or_else(|| Refusal::not_found("job", id).into())
}

/// The only place that enqueues a job: a ticket's move, a request with terms, a retry, and a ticket that returned to In
/// Progress while its job was being stopped. Returns none if the ticket has a live job of this kind.
pub(in crate::actions) async fn put_into_queue(change: &mut Change, new: &NewJob) -> ActionResult<Option<JobId>> {
    // A retry brings along where the first one stopped; the agent's present policy counts.
    let checkpoints = match new.kind {
        JobKind::Ticket => db::agent_tasks::stops_of(change, new.ticket_id).await?,
        JobKind::Review => Vec::new(),
    };
    let new = &NewJob { checkpoints, ..new.clone() };
    let Some(id) = db::jobs::enqueue(change, new).await? else { return Ok(None) };
    let held = waits_at_start(&new.checkpoints);
    if new.kind == JobKind::Ticket {
        // A stop request was for an earlier attempt.
        db::tickets::set_cancel_requested(change, new.ticket_id, false).await?;
    }
    let event = NewEvent::of_job(EventKind::JobEnqueued, new.project_id, new.ticket_id, id);
    let delay_ms = new.delay.map(|delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
    change.record(event.with(json!({
        "job_kind": new.kind, "job_status": if held { "running" } else { "pending" }, "priority": new.priority, "retry_of": new.retry_of,
        "run_at": new.run_at, "delay_ms": delay_ms,
    })));
    tracing::info!(ticket.id = %new.ticket_id, job.id = %id, held, "enqueued a job");
    if let Some(first) = at_start(new, id) {
        open_in(change, &first).await?;
    }
    Ok(Some(id))
}

/// Refuses a project that has nothing to work on.
pub(in crate::actions) async fn require_work(conn: &mut PgConnection, id: ProjectId) -> ActionResult<()> {
    let project = db::projects::find(conn, id).await?.ok_or_else(|| Refusal::not_found("project", id))?;
    let (url, path) = (project.github_url.as_deref(), project.project_path.as_deref());
    require_something_to_work_on(project.execution_mode, url, path).map_err(ActionError::from)
}
