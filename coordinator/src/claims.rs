//! A claim: one job at a time, with a long poll where the API holds claims.

use crate::config::Config;
use crate::deadline::Moment;
use std::time::Duration;
use terarchitect_outbound::Retry;
use terarchitect_worker_api::client::{ClientError, WorkerClient};
use terarchitect_worker_api::{Job, StartJobRequest};
use uuid::Uuid;

/// The longest time that the API is asked to hold a claim, in milliseconds.
const WAIT_MS: u32 = 20_000;
/// A response without a job that came sooner than this was not held: the API is one of the plain contract.
const HELD_AT_LEAST: Duration = Duration::from_secs(1);

/// The result of a claim.
#[derive(Debug)]
pub enum Claimed {
    /// A job, and when the claim was sent.
    Job(Box<Job>, Moment),
    /// No job, and the API held the claim: claim again at once.
    NoneHeld,
    /// No job, at once: wait for the poll interval.
    None,
}

/// How long to ask the API to hold a claim, in milliseconds: at most a quarter of the lease, since the lease of a job
/// counts from before its claim was sent.
#[must_use]
pub fn wait_ms(lease: Option<Duration>) -> u32 {
    lease.map_or(WAIT_MS, |lease| u32::try_from((lease / 4).as_millis()).unwrap_or(WAIT_MS).min(WAIT_MS))
}

/// Claims the next job. `heartbeats` says whether the claim may name this coordinator: one that is named must send
/// heartbeats, which an API of the plain contract does not take.
///
/// # Errors
/// When the API refuses or does not respond.
pub async fn claim(
    client: &WorkerClient,
    config: &Config,
    coordinator: Uuid,
    heartbeats: bool,
    request_id: Uuid,
    wait_ms: u32,
) -> Result<Claimed, ClientError> {
    let one = (config.projects.len() == 1).then(|| config.projects[0]);
    let request = StartJobRequest {
        project_id: one,
        project_ids: if one.is_some() { Vec::new() } else { config.projects.clone() },
        worker_id: heartbeats.then(|| coordinator.to_string()),
        request_id: heartbeats.then_some(request_id),
        wait_ms: Some(wait_ms).filter(|&wait| wait > 0),
    };
    let asked = Moment::now();
    Ok(match client.start_job(&request, Retry::Never).await? {
        Some(job) => Claimed::Job(Box::new(job), asked),
        None if asked.elapsed() >= HELD_AT_LEAST => Claimed::NoneHeld,
        None => Claimed::None,
    })
}
