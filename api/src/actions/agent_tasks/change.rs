//! Cancels and retries such a job, and stores what came of one.

use crate::actions::ActionResult;
use crate::actions::jobs::cancel::cancel_job;
use crate::actions::jobs::enqueue::put_into_queue;
use crate::changes::Database;
use crate::db;
use crate::db::agent_tasks::AgentTask;
use crate::domain::actor::Actor;
use crate::domain::agent_tasks::check_output;
use crate::domain::projects::board;
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::domain::tickets::{STATUS_IN_PROGRESS, TicketFields};
use serde::Deserialize;
use serde_json::Value;
use terarchitect_worker_api::{JobStatus, ProjectId, TicketId};
use utoipa::ToSchema;

/// What to do with such a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TaskAction {
    /// Stop it.
    Cancel,
    /// Try it once more.
    Retry,
}

/// Cancels or retries such a job.
///
/// # Errors
/// When there is no such job, or its state does not allow that.
pub async fn change(database: &Database, actor: &Actor, id: TicketId, action: TaskAction) -> ActionResult<()> {
    let task = find(database, id).await?;
    match action {
        TaskAction::Cancel => cancel(database, actor, &task).await,
        TaskAction::Retry => retry(database, actor, &task).await,
    }
}

/// Such a job.
///
/// # Errors
/// When there is none.
pub async fn find(database: &Database, id: TicketId) -> ActionResult<AgentTask> {
    let found = db::agent_tasks::find(&mut *database.read().await?, id).await?;
    Ok(found.ok_or_else(|| missing(id))?)
}

async fn cancel(database: &Database, actor: &Actor, task: &AgentTask) -> ActionResult<()> {
    if !matches!(task.status, JobStatus::Pending | JobStatus::Running) {
        let sentence = format!("This job is {} already, so there is nothing to cancel.", task.status.as_str());
        return Err(Refusal::invalid(sentence).into());
    }
    cancel_job(database, actor, task.job_id).await.map(drop)
}

async fn retry(database: &Database, actor: &Actor, task: &AgentTask) -> ActionResult<()> {
    let mut change = database.change(actor).await?;
    db::tickets::lock_moves(&mut change, task.ticket_id).await?;
    let now = db::agent_tasks::find(&mut change, task.ticket_id).await?.ok_or_else(|| missing(task.ticket_id))?;
    if now.status != JobStatus::Failed {
        let sentence = format!("This job is {}; only one that failed can be retried.", now.status.as_str());
        return Err(Refusal::invalid(sentence).into());
    }
    let new = db::jobs::terms(&mut change, now.job_id).await?.ok_or_else(|| missing(task.ticket_id))?;
    let ticket = db::tickets::find(&mut change, task.project_id, task.ticket_id).await?;
    let ticket: TicketFields = ticket.ok_or_else(|| missing(task.ticket_id))?.into();
    put_into_queue(&mut change, &new).await?.ok_or_else(db::errors::job_exists)?;
    let fields =
        TicketFields { column_id: board::IN_PROGRESS.to_owned(), status: STATUS_IN_PROGRESS.to_owned(), ..ticket };
    db::tickets::update(&mut change, task.project_id, task.ticket_id, &fields).await?;
    Ok(change.commit().await?)
}

/// Stores what came of such a job, as its runner says.
///
/// # Errors
/// When it is too large, or the ticket is no such job.
pub async fn store_output(
    database: &Database,
    actor: &Actor,
    (project, ticket): (ProjectId, TicketId),
    output: &Value,
) -> ActionResult<()> {
    check_output(output)?;
    let mut change = database.change(actor).await?;
    let stored = db::tickets::hold(&mut change, project, ticket).await?
        && db::agent_tasks::store_output(&mut change, ticket, output).await?;
    if !stored {
        return Err(missing(ticket).into());
    }
    Ok(change.commit().await?)
}

fn missing(id: TicketId) -> Refusal {
    Refusal::new(ErrorCode::NotFound, format!("There is no ticket {id} that was made as an agent's job."))
}
