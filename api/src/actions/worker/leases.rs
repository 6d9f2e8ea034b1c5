//! Renews leases, and ends the attempts whose leases have expired.

use crate::actions::ActionResult;
use crate::actions::jobs::end_attempt::end_attempt;
use crate::changes::Database;
use crate::db;
use crate::domain::actor::Actor;
use crate::domain::jobs::outcome::Ending;
use std::collections::HashMap;
use std::time::Duration;
use terarchitect_worker_api::{HeldJob, HeldJobStatus, HeldState, JobReport, Reason, WorkerId};

/// How many times a renewal that lost a deadlock is tried.
const TRIES: u32 = 4;

/// How long the container of an attempt that handed its job over to a person may take to end by itself, before its worker is told
/// to remove it.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// Renews every lease that a heartbeat names, as far as its worker still holds it, and returns the state of each job.
/// No event: nothing changes but the time of the lease.
///
/// # Errors
/// When the database is not available.
pub async fn renew(
    database: &Database,
    worker: &WorkerId,
    held: &[HeldJob],
    lease: Duration,
) -> ActionResult<Vec<HeldJobStatus>> {
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let mut conn = database.read().await?;
    let mut tries = 0;
    let renewed = loop {
        tries += 1;
        match db::worker::leases::renew(&mut conn, worker, held, lease).await {
            // It lost a deadlock against another statement that locks several jobs.
            Err(error) if db::errors::is_deadlock(&error) && tries < TRIES => {}
            renewed => break renewed?,
        }
    };
    let renewed: HashMap<_, _> = renewed.into_iter().map(|(job, cancel)| (job.job_id, (job.attempt, cancel))).collect();
    let is_renewed = |job: &&HeldJob| renewed.get(&job.job_id).is_some_and(|(attempt, _)| *attempt == job.attempt);
    let others: Vec<HeldJob> = held.iter().filter(|job| !is_renewed(job)).cloned().collect();
    let ending = match others.as_slice() {
        [] => Vec::new(),
        // Its runner tidies up and exits; without this it would be killed whenever a heartbeat comes in between.
        others => db::worker::leases::handed_over(&mut conn, worker, others, ENDS_WITHIN).await?,
    };
    let state = |job: &HeldJob| match renewed.get(&job.job_id) {
        Some((attempt, true)) if *attempt == job.attempt => HeldState::Cancel,
        Some((attempt, false)) if *attempt == job.attempt => HeldState::Held,
        _ if ending.contains(job) => HeldState::Held,
        _ => HeldState::Lost,
    };
    let status = |job: &HeldJob| HeldJobStatus { job_id: job.job_id, attempt: job.attempt, state: state(job) };
    Ok(held.iter().map(status).collect())
}

/// Ends every attempt whose lease has expired: its job is retried or fails, like after any other infrastructure
/// failure. Returns how many.
///
/// # Errors
/// When the database is not available.
pub async fn end_expired(database: &Database) -> ActionResult<usize> {
    if !db::worker::leases::any_expired(&mut *database.read().await?).await? {
        return Ok(0);
    }
    let mut change = database.change(&Actor::System).await?;
    let expired = db::worker::leases::expired(&mut change).await?;
    for (id, job) in &expired {
        tracing::warn!(
            job.id = %id,
            attempt = job.attempt,
            worker.id = job.worker_id,
            "a lease expired: no heartbeat arrived in time; check that the worker runs and can reach the API"
        );
        let detail = Some("its worker sent no heartbeat in time".to_owned());
        let report = JobReport { detail, ..JobReport::default() };
        end_attempt(&mut change, *id, job, Ending::Failed(Reason::LeaseLost), None, &report).await?;
    }
    change.commit().await?;
    Ok(expired.len())
}
