//! The end of an agent: what it has done becomes its ticket's, and its attempt ends.

use super::{Cloud, actor};
use crate::actions::ActionResult;
use crate::actions::forges::ask::{AskForge, ForgePlace};
use crate::actions::jobs::end_attempt::end_attempt;
use crate::actions::tickets::complete::complete_ticket;
use crate::changes::Database;
use crate::db;
use crate::db::cloud::CloudAgent;
use crate::domain::cloud::{WORKER, ending, pull_number, retry_pause};
use crate::domain::jobs::attempt::Reported;
use crate::domain::jobs::outcome::Ending;
use crate::embeddings::EmbeddingService;
use terarchitect_cursor::{Agent, Status};
use terarchitect_worker_api::{CompleteTicketRequest, JobId, JobReport, JobStatus, ProjectId, TicketId};

/// How many times a forge is asked for a pull request that the cloud does not name.
const MOST_QUESTIONS: i32 = 5;

/// Ends the attempt of an agent that is over.
pub(super) async fn finish(
    database: &Database,
    cloud: &Cloud,
    (forge, service): (&dyn AskForge, Option<&EmbeddingService>),
    agent: &CloudAgent,
    mut there: Agent,
) -> ActionResult<()> {
    let Some((ending, why)) = ending(there.status) else { return Ok(()) };
    if there.status != Status::Finished {
        let summary = there.summary.take().filter(|summary| !summary.is_empty());
        let detail = summary.map_or_else(|| why.to_owned(), |summary| format!("{why} {summary}"));
        return end_attempt_of(database, agent, ending, &detail).await;
    }
    if there.pull.is_none() {
        // A webhook may leave out what the agent itself has.
        if let Ok(now) = cloud.cursor.agent(&there.id).await {
            there.pull = now.pull;
            there.branch = there.branch.or(now.branch);
            there.summary = there.summary.or(now.summary);
        }
    }
    let branch = there.branch.clone().unwrap_or_else(|| agent.branch.clone());
    if there.pull.is_none() {
        match pull_of_branch(database, forge, agent, &branch).await? {
            Ok(found) => there.pull = found,
            Err(why) if agent.tries < MOST_QUESTIONS => {
                let pause = retry_pause(agent.tries);
                return Ok(db::cloud::put_off(&mut *database.read().await?, agent.id, pause, &why).await?);
            }
            Err(why) => tracing::warn!(ticket.id = %agent.ticket_id, why, "could not look for an agent's pull request"),
        }
    }
    let (project, ticket) = (ProjectId(agent.project_id), TicketId(agent.ticket_id));
    if still_runs(database, agent).await? {
        let pr_number = there.pull.as_deref().and_then(pull_number);
        let request = CompleteTicketRequest {
            pr_url: there.pull.clone().filter(|url| url.starts_with("http")),
            pr_number,
            summary: there.summary.clone(),
            ..CompleteTicketRequest::default()
        };
        complete_ticket(database, &actor(), None, service, (project, ticket), request).await?;
        db::cloud::set_orders_branch(&mut *database.read().await?, ticket, &branch).await?;
    }
    end_attempt_of(database, agent, ending, "").await
}

/// The pull request that is open for the branch; a sentence where the forge did not say.
async fn pull_of_branch(
    database: &Database,
    forge: &dyn AskForge,
    agent: &CloudAgent,
    branch: &str,
) -> ActionResult<Result<Option<String>, String>> {
    let project = ProjectId(agent.project_id);
    let found = db::projects::find(&mut *database.read().await?, project).await?;
    let Some(found) = found else { return Ok(Ok(None)) };
    let Some(address) = found.github_url else { return Ok(Ok(None)) };
    let place = ForgePlace { project, address, kind: found.forge_kind };
    Ok(forge.pull_of_branch(&place, branch).await.map_err(|none| none.sentence))
}

/// Whether the agent's attempt is still the one that runs.
async fn still_runs(database: &Database, agent: &CloudAgent) -> ActionResult<bool> {
    let (job, project, ticket) = (JobId(agent.job_id), ProjectId(agent.project_id), TicketId(agent.ticket_id));
    Ok(db::jobs::is_running_attempt(&mut *database.read().await?, job, agent.attempt, project, ticket).await?)
}

/// Ends an agent's attempt, if it still runs, and notes that nothing more is to be done about the agent.
pub(super) async fn end_attempt_of(
    database: &Database,
    agent: &CloudAgent,
    ending: Ending,
    detail: &str,
) -> ActionResult<()> {
    let mut change = database.change(&actor()).await?;
    let id = JobId(agent.job_id);
    if let Some(job) = db::jobs::find_for_report(&mut change, id).await?
        && job.status == JobStatus::Running
        && job.attempt == agent.attempt
    {
        let reported = if ending == Ending::Completed { Reported::Completed } else { Reported::Failed };
        let report = JobReport {
            attempt: Some(agent.attempt),
            worker_id: Some(WORKER.to_owned()),
            detail: Some(detail.to_owned()).filter(|detail| !detail.is_empty()),
            ..JobReport::default()
        };
        end_attempt(&mut change, id, &job, ending, Some(reported), &report).await?;
    }
    db::cloud::end(&mut change, agent.id).await?;
    Ok(change.commit().await?)
}

/// Notes that nothing more is to be done about an agent whose attempt has ended.
pub(super) async fn forget(database: &Database, agent: &CloudAgent) -> ActionResult<()> {
    Ok(db::cloud::end(&mut *database.read().await?, agent.id).await?)
}
