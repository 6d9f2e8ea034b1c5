//! Heartbeats: one call renews the leases of all held jobs and brings back what the API wants.

use crate::job::spec::Attempt;
use crate::job::{Controls, Shared};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use terarchitect_outbound::Retry;
use terarchitect_worker_api::client::{ClientError, WorkerClient};
use terarchitect_worker_api::{Directive, HeartbeatRequest, HeartbeatResponse, HeldJob, HeldState};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Between two heartbeats where the API does not say how long leases hold.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(15);

/// Between two tries of a heartbeat that does not arrive.
const RETRY_HEARTBEAT: Duration = Duration::from_secs(2);

/// How long one heartbeat may take, where leases are long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks whether an API that did not know heartbeats does by now.
const PLAIN_INTERVAL: Duration = Duration::from_secs(60);

/// Why a heartbeat did not count.
enum Missed {
    /// The API, or something in front of it, refused it or could not be reached.
    Refused(ClientError),
    /// No answer came in time.
    Silent,
    /// The answer was that there is no such address, though there was.
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
                tracing::warn!(error = error.chain(), "the API is down; what runs goes on");
            }
            Self::Refused(error) if error.status().is_some_and(|status| status.is_client_error()) => tracing::error!(
                error = error.chain(),
                lease_sec,
                "the API refuses heartbeats; check TERARCHITECT_API_URL and TERARCHITECT_WORKER_API_KEY; containers are stopped when their leases are over"
            ),
            Self::Refused(error) => tracing::warn!(
                error = error.chain(),
                lease_sec,
                "a heartbeat did not arrive; trying on, containers are stopped when their leases are over"
            ),
            Self::Silent => tracing::warn!(
                lease_sec,
                "a heartbeat was not answered; trying on, containers are stopped when their leases are over"
            ),
            Self::Unknown => tracing::warn!(
                lease_sec,
                "a heartbeat was answered with 404, perhaps by a proxy; trying on, containers are stopped when their leases are over"
            ),
        }
    }
}

/// Everything that is held, with its controls.
pub type Held = Arc<Mutex<HashMap<Attempt, Controls>>>;

/// What the API wants of this coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instructions {
    /// How many jobs to run at once, where the API's settings say so.
    pub slots: Option<u32>,
    /// Whether to claim at all.
    pub claims: bool,
    /// How long leases hold.
    pub lease: Duration,
    /// When to send the next heartbeat: a third of the lease, so that two may be lost.
    pub interval: Duration,
}

/// Sends one heartbeat and passes on what it says about each job. None when the API does not know heartbeats.
///
/// # Errors
/// When the API does not answer; leases run on meanwhile.
async fn beat(
    client: &WorkerClient,
    coordinator: Uuid,
    slots: u32,
    held: &HashMap<Attempt, Controls>,
) -> Result<Option<Instructions>, ClientError> {
    let request = HeartbeatRequest {
        worker_id: coordinator.to_string(),
        name: hostname(),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        slots: Some(slots),
        jobs: held.keys().map(|attempt| HeldJob { job_id: attempt.job_id, attempt: attempt.attempt }).collect(),
    };
    let asked = Instant::now();
    match client.heartbeat(&request, Retry::Never).await {
        Ok(answer) => {
            pass_on(&answer, held, asked);
            Ok(Some(instructions(&answer)))
        }
        Err(error) if error.status().is_some_and(|status| matches!(status.as_u16(), 404 | 405)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn pass_on(answer: &HeartbeatResponse, held: &HashMap<Attempt, Controls>, asked: Instant) {
    // Counted from before the heartbeat was sent: the API's own count began later.
    let until = asked + Duration::from_millis(answer.lease_ms);
    for job in &answer.jobs {
        let Some(controls) = held.get(&Attempt { job_id: job.job_id, attempt: job.attempt }) else { continue };
        match job.state {
            HeldState::Held => controls.renew(until),
            HeldState::Cancel => {
                controls.renew(until);
                controls.cancel.cancel();
            }
            // An API that did not count attempts when it was claimed can't know it by one.
            HeldState::Lost if job.attempt == 0 => {}
            HeldState::Lost => controls.lost.cancel(),
        }
    }
}

fn instructions(answer: &HeartbeatResponse) -> Instructions {
    let third = Duration::from_millis(answer.lease_ms / 3);
    Instructions {
        slots: answer.max_concurrent_agents,
        claims: answer.directive == Directive::Run,
        lease: Duration::from_millis(answer.lease_ms),
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
        let beating = beat(&shared.client, shared.state.coordinator(), slots, &now);
        // One that is swallowed must not take the time of the next, which may arrive.
        let patience = lease.map_or(PATIENCE, |lease| (lease / 4).min(PATIENCE));
        let beaten = tokio::select! {
            () = stop.cancelled() => return,
            beaten = tokio::time::timeout(patience, beating) => beaten,
        };
        let beaten = match beaten {
            // What knew heartbeats once does not forget them: something in front of it says so.
            Ok(Ok(None)) if lease.is_some() => Err(Missed::Unknown),
            Ok(beaten) => beaten.map_err(Missed::Refused),
            Err(_) => Err(Missed::Silent),
        };
        shared.metrics.heartbeat(beaten.is_ok());
        let interval = match beaten {
            Ok(answer) => {
                failing = false;
                lease = answer.map(|instructions| instructions.lease);
                if answer.is_none() && !plain {
                    tracing::info!("the API does not know heartbeats: working by the plain contract");
                }
                plain = answer.is_none();
                instructions.send_replace(answer);
                answer.map_or(PLAIN_INTERVAL, |instructions| instructions.interval)
            }
            Err(missed) => {
                if !failing {
                    missed.log(lease);
                    failing = true;
                }
                // Where no API runs nobody ends leases, and not in the first lease period after its start either. Where
                // there is only silence, somebody else may have the job once the lease is over.
                if let Some(lease) = lease.filter(|_| missed.api_is_down()) {
                    now.values().for_each(|controls| controls.renew(Instant::now() + lease));
                }
                // Several tries before the lease is over, also where leases are short.
                lease.map_or(RETRY_HEARTBEAT, |lease| (lease / 4).min(RETRY_HEARTBEAT))
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
    }
}
