//! Jobs that run in a cloud: they are claimed here, launched there, and end when the cloud says so.
//!
//! The launch of an attempt is a row before it is a call. A process that ends at any moment leaves a row that the next one goes
//! on with: the same launch is looked for before it is repeated. So an attempt has one agent.

mod end;
pub mod receive;
pub mod work;

use crate::actions::ActionResult;
use crate::changes::{Change, Database};
use crate::db;
use crate::db::tickets::logs::NewLogEntry;
use crate::domain::actor::Actor;
use crate::domain::cloud::{WORKER, branch};
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::tickets::activity::AttemptOf;
use secrecy::SecretString;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use terarchitect_cursor::{Cursor, Notify};
use terarchitect_worker_api::{JobId, ProjectId, TicketId};
use url::Url;
use uuid::Uuid;

/// Cursor's cloud, as this process uses it.
#[derive(Clone, Debug)]
pub struct Cloud {
    /// The client.
    pub cursor: Arc<Cursor>,
    /// Where Cursor says that an agent has ended, if it can reach this API.
    pub notify: Option<Notify>,
    /// The shortest pause between two looks at an agent.
    pub look: Duration,
}

impl Cloud {
    /// The cloud for an API at this public address.
    #[must_use]
    pub fn new(cursor: Cursor, public: Option<&Url>, secret: &SecretString, look: Duration) -> Self {
        let notify = public.map(|public| Notify {
            url: format!("{}/api/v1/webhook/cursor", public.as_str().trim_end_matches('/')),
            secret: secret.clone(),
        });
        Self { cursor: Arc::new(cursor), notify, look }
    }
}

/// The actor of what happens in the cloud.
fn actor() -> Actor {
    Actor::Worker(Some(WORKER.to_owned()))
}

/// Claims the next job for the cloud, and notes the launch that is to happen. False: there is none, or none may run.
///
/// # Errors
/// When the database is not available.
pub async fn claim_next(database: &Database, lease: Duration) -> ActionResult<bool> {
    if !db::cloud::any_waiting(&mut *database.read().await?).await? {
        return Ok(false);
    }
    let mut change = database.change(&actor()).await?;
    // As all claims do, so that limits of projects and a stop of everything hold exactly.
    db::live::fleet::lock_claims(&mut change).await?;
    let Some(claimed) = db::cloud::claim_next(&mut change, lease).await? else { return Ok(false) };
    let launch = Uuid::now_v7();
    db::cloud::insert(&mut change, launch, &claimed, &branch(claimed.ticket_id, launch)).await?;
    let event = NewEvent::of_job(EventKind::JobClaimed, claimed.project_id, claimed.ticket_id, claimed.job_id);
    let event = event.with(json!({"worker_id": WORKER, "job_status": "running"}));
    change.record(NewEvent { attempt: Some(claimed.attempt), ..event });
    change.commit().await?;
    tracing::info!(job.id = %claimed.job_id, attempt = claimed.attempt, "claimed a job for Cursor's cloud");
    Ok(true)
}

/// Renews the leases of the jobs in the cloud.
///
/// # Errors
/// When the database is not available.
pub async fn renew(database: &Database, lease: Duration) -> ActionResult<()> {
    Ok(db::cloud::renew_leases(&mut *database.read().await?, lease).await?)
}

/// Lets the agents be looked at now whose jobs are to be stopped.
///
/// # Errors
/// When the database is not available.
pub async fn notice_stops(database: &Database) -> ActionResult<()> {
    Ok(db::cloud::wake_stopping(&mut *database.read().await?).await?)
}

/// An entry of the ticket's log about an agent in the cloud.
async fn log(
    change: &mut Change,
    agent: &db::cloud::CloudAgent,
    step: &str,
    text: String,
    ok: bool,
) -> ActionResult<()> {
    let (project, ticket) = (ProjectId(agent.project_id), TicketId(agent.ticket_id));
    if !db::tickets::hold(change, project, ticket).await? {
        return Ok(());
    }
    let by = AttemptOf { job: Some(JobId(agent.job_id)), attempt: Some(agent.attempt) };
    let entry = NewLogEntry { by, success: ok, ..NewLogEntry::outcome(project, ticket, step, text) };
    crate::actions::tickets::append_log::store(change, &entry).await?;
    Ok(())
}
