//! Creates a job by an agent's name: its ticket, what it has beside that, and its job in the queue, in one transaction.

use crate::actions::ActionResult;
use crate::actions::jobs::enqueue::put_into_queue;
use crate::actions::projects::create::without_repository;
use crate::actions::tickets::create::insert;
use crate::changes::Database;
use crate::db;
use crate::domain::actor::Actor;
use crate::domain::agent_tasks::NewTask;
use crate::domain::jobs::terms::NewJob;
use crate::domain::projects::board;
use crate::domain::refusal::Refusal;
use crate::domain::tickets::{STATUS_IN_PROGRESS, TicketFields};
use terarchitect_worker_api::{JobKind, ProjectId, TicketId};

/// Creates a job. `may_in` says whether the caller may do so in a project.
///
/// # Errors
/// When there is no such agent, or no such project for this caller.
pub async fn create(
    database: &Database,
    actor: &Actor,
    new: &NewTask,
    may_in: impl Fn(ProjectId) -> Result<(), Refusal>,
) -> ActionResult<TicketId> {
    let mut change = database.change(actor).await?;
    let project = match new.project {
        Some(project) => {
            may_in(project)?;
            if !db::projects::exists(&mut change, project).await? {
                return Err(Refusal::not_found("project", project).into());
            }
            project
        }
        None => {
            let project = without_repository(&mut change).await?;
            may_in(project)?;
            project
        }
    };
    let agent = db::agent_tasks::agent(&mut change, &new.job_type).await?.map_err(|known| {
        let known = known.join(", ");
        Refusal::invalid(format!("'jobType' is {:?}, and there is no such agent; there are: {known}.", new.job_type))
    })?;
    let fields = TicketFields {
        description: Some(new.description.clone()),
        status: STATUS_IN_PROGRESS.to_owned(),
        ..TicketFields::new(new.title(), board::IN_PROGRESS)
    };
    let ticket = insert(&mut change, project, &fields).await?;
    db::agent_tasks::insert(&mut change, ticket.id, project, agent, new, &actor.to_string()).await?;
    let job = NewJob {
        priority: new.priority,
        start_data: new.start_data(),
        ..NewJob::of_ticket(project, ticket.id, JobKind::Ticket)
    };
    put_into_queue(&mut change, &job).await?;
    change.commit().await?;
    Ok(ticket.id)
}
