//! One step with one agent: launch it, look at it, stop it, or end its attempt. No lock is held while the cloud is asked.

use super::end::{end_attempt_of, finish, forget};
use super::{Cloud, log};
use crate::actions::ActionResult;
use crate::actions::forges::ask::AskForge;
use crate::actions::work_orders::prompt::prompt_of;
use crate::changes::Database;
use crate::db;
use crate::db::cloud::CloudAgent;
use crate::domain::cloud::{CloudState, look_pause, retry_pause};
use crate::domain::jobs::outcome::Ending;
use crate::embeddings::EmbeddingService;
use std::time::Duration;
use terarchitect_cursor::{Agent, CursorError, Launch, Notice, Status};
use terarchitect_worker_api::{Reason, TicketId};

/// For how long a process may work on one step before another one takes it over: longer than the calls of a step may take, so that
/// no launch of a process that ended is still on its way when the next one looks for it.
const HOLD: Duration = Duration::from_secs(180);

/// Does the next step; false if nothing is to be done now.
///
/// # Errors
/// When the database is not available.
pub async fn step_next(
    database: &Database,
    cloud: &Cloud,
    forge: &dyn AskForge,
    service: Option<&EmbeddingService>,
) -> ActionResult<bool> {
    let taken = db::cloud::take_next(&mut *database.read().await?, HOLD).await?;
    let Some(agent) = taken else { return Ok(false) };
    if !agent.is_running || agent.cancel_requested {
        stop(database, cloud, &agent).await?;
    } else if agent.state == CloudState::Launching {
        launch(database, cloud, service, &agent).await?;
    } else {
        look(database, cloud, (forge, service), &agent).await?;
    }
    Ok(true)
}

/// The launch of an agent; none where its order is gone.
async fn launch_of(
    database: &Database,
    cloud: &Cloud,
    service: Option<&EmbeddingService>,
    agent: &CloudAgent,
) -> ActionResult<Option<Launch>> {
    let order = db::work_orders::list::find(&mut *database.read().await?, TicketId(agent.ticket_id)).await?;
    let Some(order) = order else { return Ok(None) };
    let prompt = prompt_of(database, service, &order).await?;
    Ok(Some(Launch {
        key: agent.id,
        prompt,
        repository: order.repo_url.clone().unwrap_or_default(),
        start: order.branch_name.clone().unwrap_or_else(|| order.default_branch.clone()),
        branch: agent.branch.clone(),
        on_start: false,
        model: order.model.clone(),
        open_pull: true,
        notify: cloud.notify.clone(),
    }))
}

async fn launch(
    database: &Database,
    cloud: &Cloud,
    service: Option<&EmbeddingService>,
    agent: &CloudAgent,
) -> ActionResult<()> {
    let Some(launch) = launch_of(database, cloud, service, agent).await? else {
        let gone = "There is no work order for this job any more.";
        return end_attempt_of(database, agent, Ending::Failed(Reason::AgentMisconfigured), gone).await;
    };
    match cloud.cursor.launch(&launch).await {
        Ok(launched) => note_launch(database, cloud, agent, &launched.agent).await,
        Err(error) if error.may_pass() => wait(database, agent, &error).await,
        Err(error) => {
            let ending = Ending::Failed(Reason::AgentMisconfigured);
            end_attempt_of(database, agent, ending, &error.to_string()).await
        }
    }
}

async fn note_launch(database: &Database, cloud: &Cloud, agent: &CloudAgent, there: &Agent) -> ActionResult<()> {
    let mut change = database.change(&super::actor()).await?;
    let page = there.url.as_deref().map(|url| format!(": {url}")).unwrap_or_default();
    log(&mut change, agent, "cloud_launched", format!("Cursor's agent {} works on it{page}", there.id), true).await?;
    let ticket = TicketId(agent.ticket_id);
    db::cloud::set_orders_agent(&mut change, ticket, &there.id).await?;
    db::cloud::launched(&mut change, agent.id, &there.id, there.url.as_deref(), cloud.look).await?;
    change.commit().await?;
    tracing::info!(ticket.id = %ticket, attempt = agent.attempt, agent.id = there.id, "launched an agent in Cursor's cloud");
    Ok(())
}

/// Puts a step off, and says so once in the ticket's log.
async fn wait(database: &Database, agent: &CloudAgent, error: &CursorError) -> ActionResult<()> {
    let pause = error.retry_after().unwrap_or_default().max(retry_pause(agent.tries));
    tracing::warn!(ticket.id = %agent.ticket_id, %error, "Cursor's cloud did not respond as it should; retrying later");
    let mut change = database.change(&super::actor()).await?;
    if agent.tries == 1 && agent.state == CloudState::Launching {
        log(&mut change, agent, "cloud_waits", error.to_string(), false).await?;
    }
    db::cloud::put_off(&mut change, agent.id, pause, &error.to_string()).await?;
    Ok(change.commit().await?)
}

/// Asks how an agent stands, unless a webhook has said how it ended.
async fn look(
    database: &Database,
    cloud: &Cloud,
    (forge, service): (&dyn AskForge, Option<&EmbeddingService>),
    agent: &CloudAgent,
) -> ActionResult<()> {
    let Some(id) = agent.agent_id.as_deref() else { return Ok(()) };
    let there = match said(database, agent, id).await? {
        Some(said) => said,
        None => match cloud.cursor.agent(id).await {
            Ok(there) => there,
            Err(error) if error.may_pass() => return wait(database, agent, &error).await,
            Err(error @ CursorError::NotFound { .. }) => {
                let ending = Ending::Failed(Reason::AgentFailed);
                return end_attempt_of(database, agent, ending, &error.to_string()).await;
            }
            // A key that was replaced, for example: the agent goes on, and is looked at again.
            Err(error) => return wait(database, agent, &error).await,
        },
    };
    if !there.status.is_over() {
        let age = Duration::try_from_secs_f64(agent.age_sec).unwrap_or_default();
        let pause = look_pause(cloud.look, age);
        return Ok(db::cloud::look_again(&mut *database.read().await?, agent.id, pause).await?);
    }
    finish(database, cloud, (forge, service), agent, there).await
}

/// What webhooks have said about an agent that has ended: the first word counts. One that came before the launch was noted is
/// among them.
async fn said(database: &Database, agent: &CloudAgent, id: &str) -> ActionResult<Option<Agent>> {
    let at = |status, pull, branch, summary| Agent {
        id: id.to_owned(),
        status,
        url: None,
        branch,
        pull,
        summary,
        run: None,
    };
    if let Some(status) = &agent.said_status {
        let (pull, branch, summary) = (agent.said_pull.clone(), agent.said_branch.clone(), agent.said_summary.clone());
        return Ok(Some(at(Status::parse(status), pull, branch, summary)));
    }
    let bodies = db::cloud::notices::bodies(&mut *database.read().await?, id).await?;
    let mut notices = bodies.iter().filter_map(|body| Notice::read(body.as_bytes()).ok());
    Ok(notices.find_map(|notice| {
        let status = notice.status.filter(|status| status.is_over())?;
        Some(at(status, notice.pull, notice.branch, notice.summary))
    }))
}

/// Stops an agent whose job was cancelled, or is not this attempt's any more.
async fn stop(database: &Database, cloud: &Cloud, agent: &CloudAgent) -> ActionResult<()> {
    let found = match (&agent.agent_id, launch_of(database, cloud, None, agent).await?) {
        (Some(id), _) => Ok(Some(id.clone())),
        (None, Some(launch)) => cloud.cursor.find(&launch).await.map(|found| found.map(|agent| agent.id)),
        (None, None) => Ok(None),
    };
    let stopped = match found {
        Ok(Some(id)) => cloud.cursor.stop(&id).await,
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    match stopped {
        Ok(()) | Err(CursorError::NotFound { .. }) => {}
        Err(error) if error.may_pass() => return wait(database, agent, &error).await,
        Err(error) => {
            tracing::error!(ticket.id = %agent.ticket_id, %error, "could not stop an agent at Cursor; stop it there by hand");
        }
    }
    if agent.is_running {
        return end_attempt_of(database, agent, Ending::Failed(Reason::Cancelled), "A person cancelled it.").await;
    }
    forget(database, agent).await
}
