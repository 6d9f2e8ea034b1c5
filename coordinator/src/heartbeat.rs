//! Heartbeats: one call renews the leases of all held jobs and returns the API's instructions.

use crate::attempt::Attempt;
use crate::deadline::Moment;
use crate::job::{Controls, Shared};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use terarchitect_outbound::Retry;
use terarchitect_worker_api::client::ClientError;
use terarchitect_worker_api::{Directive, HeartbeatRequest, HeartbeatResponse, HeldJob, HeldState};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The longest time between two heartbeats.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(15);

/// The pause before a failed heartbeat is retried.
const RETRY_HEARTBEAT: Duration = Duration::from_secs(2);

/// The timeout of one heartbeat; it is shorter if leases are short.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often to retry heartbeats on an API that did not support them: it may have been updated since.
const PLAIN_INTERVAL: Duration = Duration::from_secs(60);

/// Why a heartbeat renewed no lease.
enum Missed {
    /// The API, or a proxy in front of it, refused it or could not be reached.
    Refused(ClientError),
    /// No response arrived in time.
    Silent,
    /// A 404 or 405, though this API is known to have the endpoint.
    Unknown,
}

impl Missed {
    fn api_is_down(&self) -> bool {
        matches!(self, Self::Refused(error) if error.api_is_down())
    }

    fn log(&self, lease: Option<Duration>) {
        let lease_sec = lease.map(|lease| lease.as_secs());
        match self {
            Self::Refused(error) if error.api_is_down() => {
                tracing::warn!(
                    error = error.chain(),
                    "the API is not reachable; running jobs continue, and heartbeats are retried"
                );
            }
            Self::Refused(error) if error.status().is_some_and(|status| status.is_client_error()) => tracing::error!(
                error = error.chain(),
                lease_sec,
                "the API refuses heartbeats; check TERARCHITECT_API_URL and TERARCHITECT_WORKER_API_KEY; containers are stopped when their leases expire"
            ),
            Self::Refused(error) => tracing::warn!(
                error = error.chain(),
                lease_sec,
                "a heartbeat failed; retrying; containers are stopped when their leases expire"
            ),
            Self::Silent => tracing::warn!(
                lease_sec,
                "a heartbeat got no response; retrying; containers are stopped when their leases expire"
            ),
            Self::Unknown => tracing::warn!(
                lease_sec,
                "a heartbeat got 404 or 405, perhaps from a proxy; check TERARCHITECT_API_URL; retrying; containers are stopped when their leases expire"
            ),
        }
    }
}

/// Every held attempt, with its controls.
pub type Held = Arc<Mutex<HashMap<Attempt, Controls>>>;

/// The API's instructions to this coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instructions {
    /// How many jobs to run at once, where the API's settings say so.
    pub slots: Option<u32>,
    /// How many jobs to run at most, even with more slots.
    pub limit: Option<u32>,
    /// Whether to claim jobs.
    pub claims: bool,
    /// How long leases last.
    pub lease: Duration,
    /// How long to wait before the next heartbeat: a third of the lease, so that two may be lost.
    pub interval: Duration,
}

/// Sends one heartbeat and passes on what it says about each job. None when the API does not support heartbeats.
///
/// # Errors
/// When the API refuses or does not respond; no lease was renewed then.
async fn beat(
    shared: &Shared,
    slots: u32,
    held: &HashMap<Attempt, Controls>,
) -> Result<Option<Instructions>, ClientError> {
    let host = shared.host.get();
    let request = HeartbeatRequest {
        worker_id: shared.state.coordinator().to_string(),
        name: hostname(),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        slots: Some(slots),
        jobs: held.keys().map(|attempt| HeldJob { job_id: attempt.job_id, attempt: attempt.attempt }).collect(),
        projects: shared.config.projects.clone(),
        disk_free_bytes: host.disk.map(|(free, _)| free),
        disk_total_bytes: host.disk.map(|(_, total)| total),
        engine: host.engine,
        adopted: Some(host.adopted),
        findings: host.findings,
    };
    let asked = Moment::now();
    match shared.client.heartbeat(&request, Retry::Never).await {
        Ok(response) => {
            pass_on(&response, held, asked);
            Ok(Some(instructions(&response)))
        }
        Err(error) if error.status().is_some_and(|status| matches!(status.as_u16(), 404 | 405)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn pass_on(response: &HeartbeatResponse, held: &HashMap<Attempt, Controls>, asked: Moment) {
    // Counted from before the heartbeat was sent, so that a lease here never outlasts the API's.
    let until = asked + Duration::from_millis(response.lease_ms);
    for job in &response.jobs {
        let Some(controls) = held.get(&Attempt { job_id: job.job_id, attempt: job.attempt }) else { continue };
        match job.state {
            HeldState::Held => controls.renew(until),
            HeldState::Cancel => {
                controls.renew(until);
                controls.cancel.cancel();
            }
            // Claimed while the API did not count attempts yet: it can't recognise this one.
            HeldState::Lost if job.attempt == 0 => {}
            HeldState::Lost => controls.lost.cancel(),
        }
    }
}

fn instructions(response: &HeartbeatResponse) -> Instructions {
    let third = Duration::from_millis(response.lease_ms / 3);
    Instructions {
        slots: response.max_concurrent_agents,
        limit: response.slot_limit,
        claims: response.directive == Directive::Run,
        lease: Duration::from_millis(response.lease_ms),
        interval: third.clamp(Duration::from_secs(1), DEFAULT_INTERVAL),
    }
}

fn hostname() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// Renews leases until `stop`, independently of claims and of everything that jobs do.
pub async fn send_heartbeats(
    shared: Arc<Shared>,
    held: Held,
    instructions: watch::Sender<Option<Instructions>>,
    stop: CancellationToken,
) {
    let (mut failing, mut plain) = (false, false);
    let mut lease: Option<Duration> = None;
    loop {
        let now = held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let slots = shared
            .config
            .slots
            .or_else(|| instructions.borrow().and_then(|instructions| instructions.slots))
            .unwrap_or(1);
        let beating = beat(&shared, slots, &now);
        // A heartbeat without a response must not use up the time of the next one, which may succeed.
        let patience = lease.map_or(PATIENCE, |lease| (lease / 4).min(PATIENCE));
        let beaten = tokio::select! {
            () = stop.cancelled() => return,
            beaten = tokio::time::timeout(patience, beating) => beaten,
        };
        let beaten = match beaten {
            // An API that supported heartbeats before still does: this response is from a proxy.
            Ok(Ok(None)) if lease.is_some() => Err(Missed::Unknown),
            Ok(beaten) => beaten.map_err(Missed::Refused),
            Err(_) => Err(Missed::Silent),
        };
        shared.metrics.heartbeat(beaten.is_ok());
        let interval = match beaten {
            Ok(received) => {
                failing = false;
                lease = received.map(|instructions| instructions.lease);
                if received.is_none() && !plain {
                    tracing::info!("the API has no heartbeat endpoint; continuing without leases");
                }
                plain = received.is_none();
                instructions.send_replace(received);
                received.map_or(PLAIN_INTERVAL, |instructions| instructions.interval)
            }
            Err(missed) => {
                if !failing {
                    missed.log(lease);
                    failing = true;
                }
                // An API that is down does not expire leases. One that has just started waits a lease period first.
                // Without any response, another coordinator may hold the job once the lease has expired.
                if let Some(lease) = lease.filter(|_| missed.api_is_down()) {
                    now.values().for_each(|controls| controls.renew(Moment::after(lease)));
                }
                // Several retries within one lease, even if leases are short.
                lease.map_or(RETRY_HEARTBEAT, |lease| (lease / 4).min(RETRY_HEARTBEAT))
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            // Right after a sleep of this machine: the API knows which jobs are still held here.
            () = Moment::after(interval).reached() => {}
        }
    }
}
