//! The fleet: hosts with what they hold, the queue of each project, and the stop of everything.

use super::cards::card;
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::live::surroundings::QueueState;
use crate::db::worker::coordinators::Coordinator;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::tickets::state::State;
use crate::domain::worker::fleet::is_lost;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
use std::collections::HashMap;
use std::time::Duration;
use terarchitect_worker_api::{JobId, JobStatus, ProjectId, TicketId};
use utoipa::ToSchema;
use uuid::Uuid;

/// A job that a coordinator holds.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FleetJob {
    /// The job.
    pub job_id: JobId,
    /// Its attempt.
    pub attempt: i32,
    /// Its ticket.
    pub ticket_id: TicketId,
    /// Its project.
    pub project_id: ProjectId,
    /// The ticket's title.
    pub title: String,
    /// When it was claimed.
    pub claimed_at: Option<DateTime<Utc>>,
    /// How much of its lease is left, in milliseconds.
    pub lease_remaining_ms: i64,
    /// What happens with the ticket.
    pub state: State,
}

/// A coordinator with what it holds.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FleetCoordinator {
    #[serde(flatten)]
    coordinator: Coordinator,
    /// How long ago its last heartbeat was, in milliseconds; up to ten seconds too much.
    seen_ms_ago: i64,
    /// Whether it has sent no heartbeat for a while.
    lost: bool,
    /// The jobs that it holds, according to the queue, as far as the caller may see them.
    jobs: Vec<FleetJob>,
}

/// The queue of one project.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProjectQueue {
    /// The project.
    project_id: ProjectId,
    /// What people call it.
    project_name: String,
    /// Jobs that run.
    running: i64,
    /// Jobs that could be claimed.
    due: i64,
    /// Jobs that wait for a time.
    delayed: i64,
    /// How long the oldest job that could be claimed has waited, in milliseconds.
    oldest_due_ms: Option<i64>,
    /// How many of its jobs may run at once.
    limit: Option<i32>,
    /// Whether its jobs are not claimed.
    paused: bool,
}

/// All hosts, and what waits for them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Fleet {
    /// The coordinators, the one with the latest heartbeat first.
    coordinators: Vec<FleetCoordinator>,
    /// The projects that have jobs in the queue, or are paused.
    queue: Vec<ProjectQueue>,
    /// Whether everything is stopped: nothing is claimed.
    stopped: bool,
    /// Since when.
    stopped_at: Option<DateTime<Utc>>,
    /// Who stopped it.
    stopped_by: Option<String>,
}

/// The fleet, with the jobs and projects that are visible; `None`: all.
///
/// # Errors
/// When the database is not available.
pub async fn fleet(database: &Database, lease: Duration, visible: Option<&[Uuid]>) -> ActionResult<Fleet> {
    let mut conn = database.read().await?;
    let mut jobs = jobs_by_worker(&mut conn, lease, visible).await?;
    let coordinators = db::worker::coordinators::list(&mut conn).await?.into_iter().map(|coordinator| {
        let seen_ms_ago = (coordinator.last_heartbeat_sec * 1000.0).max(0.0) as i64;
        let jobs = jobs.remove(&coordinator.worker_id).unwrap_or_default();
        FleetCoordinator { seen_ms_ago, lost: is_lost(seen_ms_ago), jobs, coordinator }
    });
    let coordinators = coordinators.collect();
    let queue = queue(&mut conn, visible).await?;
    let QueueState { stopped_at, stopped_by, .. } = db::live::surroundings::queue_state(&mut conn).await?;
    Ok(Fleet { coordinators, queue, stopped: stopped_at.is_some(), stopped_at, stopped_by })
}

async fn jobs_by_worker(
    conn: &mut PgConnection,
    lease: Duration,
    visible: Option<&[Uuid]>,
) -> ActionResult<HashMap<String, Vec<FleetJob>>> {
    let running = db::live::fleet::running(conn, visible).await?;
    let tickets: Vec<Uuid> = running.iter().map(|job| job.ticket_id).collect();
    let around = db::live::surroundings::surroundings(conn, lease).await?;
    let projects = db::live::surroundings::projects(conn, visible).await?;
    let rows = db::tickets::cards::of_tickets(conn, &tickets).await?;
    let cards = rows.into_iter().filter_map(|row| {
        let project = projects.get(&row.project_id.0)?;
        Some((row.id.0, card(row, project, &around)))
    });
    let cards: HashMap<_, _> = cards.collect();
    let mut by_worker: HashMap<String, Vec<FleetJob>> = HashMap::new();
    for job in running {
        // A ticket that was deleted between the two queries has no running job any more.
        let Some(card) = cards.get(&job.ticket_id) else { continue };
        let held = FleetJob {
            job_id: job.id.into(),
            attempt: job.attempt,
            ticket_id: card.id,
            project_id: card.project_id,
            title: card.title.clone(),
            claimed_at: job.claimed_at,
            lease_remaining_ms: job.lease_remaining_ms,
            state: card.state.clone(),
        };
        by_worker.entry(job.worker_id).or_default().push(held);
    }
    Ok(by_worker)
}

async fn queue(conn: &mut PgConnection, visible: Option<&[Uuid]>) -> ActionResult<Vec<ProjectQueue>> {
    let depths = db::jobs::depth::list(conn).await?;
    let mut depths: HashMap<Uuid, _> = depths.into_iter().map(|depth| (depth.project_id.0, depth)).collect();
    let projects = db::live::surroundings::projects(conn, visible).await?;
    let queues = projects.into_iter().filter_map(|(id, project)| {
        let depth = depths.remove(&id);
        if depth.is_none() && !project.facts.paused {
            return None;
        }
        Some(ProjectQueue {
            project_id: id.into(),
            project_name: project.name,
            running: depth.map_or(0, |depth| depth.running),
            due: depth.map_or(0, |depth| depth.pending),
            delayed: depth.map_or(0, |depth| depth.delayed),
            oldest_due_ms: depth.and_then(|depth| depth.oldest_pending_sec).map(|sec| (sec * 1000.0) as i64),
            limit: project.facts.max_running,
            paused: project.facts.paused,
        })
    });
    let mut queues: Vec<_> = queues.collect();
    queues.sort_by(|a, b| (&a.project_name, a.project_id.0).cmp(&(&b.project_name, b.project_id.0)));
    Ok(queues)
}

/// Stops everything: nothing is claimed any more by any process, every running job is asked to stop, pending ones stay
/// pending. Returns how many were asked now.
///
/// # Errors
/// When the database is not available.
pub async fn stop_everything(database: &Database, actor: &Actor) -> ActionResult<usize> {
    let mut change = database.change(actor).await?;
    // First: a claim that has begun is waited for, and its job is asked to stop like the others.
    db::live::fleet::lock_claims(&mut change).await?;
    let newly = db::live::fleet::stop(&mut change, &actor.to_string()).await?;
    db::prefer_indexes(&mut change).await?;
    let asked = db::live::fleet::request_stop_of_all(&mut change).await?;
    for job in &asked {
        let event = NewEvent::of_job(EventKind::JobCancelRequested, job.project_id, job.ticket_id, job.id);
        change.record(event.with(json!({"job_status": JobStatus::Running})));
    }
    if newly || !asked.is_empty() {
        change.record(NewEvent::new(EventKind::FleetStopped).with(json!({"cancelled": asked.len()})));
    }
    change.commit().await?;
    tracing::warn!(cancelled = asked.len(), actor = %actor, "everything is stopped; no job is claimed until it is resumed");
    Ok(asked.len())
}

/// Lets nothing be claimed any more by any process; what runs goes on to its end.
///
/// # Errors
/// When the database is not available.
pub async fn drain_everything(database: &Database, actor: &Actor) -> ActionResult<()> {
    let mut change = database.change(actor).await?;
    db::live::fleet::lock_claims(&mut change).await?;
    if db::live::fleet::stop(&mut change, &actor.to_string()).await? {
        change.record(NewEvent::new(EventKind::FleetStopped).with(json!({"cancelled": 0})));
        tracing::info!(actor = %actor, "everything drains; no job is claimed until it is resumed");
    }
    Ok(change.commit().await?)
}

/// Allows claims again.
///
/// # Errors
/// When the database is not available.
pub async fn resume(database: &Database, actor: &Actor) -> ActionResult<()> {
    let mut change = database.change(actor).await?;
    if db::live::fleet::resume(&mut change).await? {
        change.record(NewEvent::new(EventKind::FleetResumed));
        tracing::info!(actor = %actor, "claims are allowed again");
    }
    Ok(change.commit().await?)
}
