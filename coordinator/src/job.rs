//! One job from its claim, or from the container that an earlier coordinator left, to its acknowledged report.
//!
//! Claimed → Created → Running → Exited → Reported → Removed. After each step everything needed to go on is in the
//! engine or in the outbox.

use crate::config::Config;
use crate::engine::{ContainerEngine, Created, EngineError, Exited, Found, Signal, State};
use crate::images::Images;
use crate::metrics::Metrics;
use crate::outcome::{StoppedFor, Verdict, could_not_run, verdict};
use crate::spec::{Attempt, ContainerSpec, LABEL_PREFIX, is_secret};
use crate::state_dir::{Pending, StateDir};
use chrono::Utc;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use terarchitect_worker_api::client::{ClientError, Retry, Waits, WorkerClient};
use terarchitect_worker_api::mask::Mask;
use terarchitect_worker_api::{Reason, chain};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The most of a container's output that goes into a report, in bytes.
const TAIL_BYTES: usize = 16 * 1024;
/// Between two tries of a report that is refused for a reason that a person can mend, such as a wrong key.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);

/// What all jobs share.
pub struct Shared {
    /// The engine.
    pub engine: Arc<dyn ContainerEngine>,
    /// The API.
    pub client: WorkerClient,
    /// What outlives this process.
    pub state: StateDir,
    /// The configuration.
    pub config: Config,
    /// Caps simultaneous starts at the processors: more of them at once only make each slower.
    pub starts: Semaphore,
    /// Which images are there, and which could not be had a short while ago.
    pub images: Images,
    /// What the process counts.
    pub metrics: Metrics,
}

/// What can be asked of a job while it runs, and until when its lease holds.
#[derive(Clone, Debug, Default)]
pub struct Controls {
    /// Until when the lease holds for certain; none where that is not known, as with a container that was adopted and
    /// an API that has not been reached since.
    pub lease: Arc<watch::Sender<Option<Instant>>>,
    /// Stop the container and report that.
    pub cancel: CancellationToken,
    /// The attempt is no longer ours: stop the container and report nothing.
    pub lost: CancellationToken,
    /// Leave the container running and end.
    pub detach: CancellationToken,
}

impl Controls {
    /// The lease holds until then.
    pub fn renew(&self, until: Instant) {
        self.lease.send_replace(Some(until));
    }
}

/// Where a job comes from.
#[derive(Debug)]
pub enum Origin {
    /// A claim.
    Claimed(Box<ContainerSpec>, Option<Duration>),
    /// A container that was found.
    Adopted(Box<Found>),
}

/// Why supervision ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The report was acknowledged and the container removed.
    Reported,
    /// The container runs on for the next coordinator.
    Detached,
    /// The attempt was somebody else's; the container is gone.
    Lost,
}

/// Sees a job to its end.
pub async fn supervise(shared: &Shared, attempt: Attempt, origin: Origin, controls: &Controls) -> Ended {
    let number = (attempt.attempt > 0).then_some(attempt.attempt);
    let (id, deadline) = match origin {
        Origin::Claimed(spec, timeout) => match launch(shared, &spec, controls).await {
            Ok(id) => (id, timeout.map(|timeout| Instant::now() + timeout)),
            Err(error) => {
                tracing::error!(job.id = %attempt.job_id, attempt = number, error = %chain(&error), "the job could not be started");
                let reason = error.reason();
                let report = could_not_run(number, reason, chain(&error));
                return settle(shared, attempt, Some(&spec.name), report).await;
            }
        },
        Origin::Adopted(found) => {
            let deadline = remaining(&found).map(|left| Instant::now() + left);
            (found.id, deadline)
        }
    };
    let stopped_for = match see_through(shared, &id, deadline, controls).await {
        Watched::Ended(stopped_for) => stopped_for,
        Watched::Detached => return Ended::Detached,
        Watched::Lost => {
            tracing::warn!(job.id = %attempt.job_id, attempt = number, "the attempt is no longer ours; its container is removed");
            remove(shared, &id).await;
            shared.state.forget(attempt);
            return Ended::Lost;
        }
    };
    let report = match shared.state.kept(attempt) {
        Some(kept) => kept.verdict,
        None => examine(shared, &id, number, stopped_for).await,
    };
    settle(shared, attempt, Some(&id), report).await
}

async fn launch(shared: &Shared, spec: &ContainerSpec, controls: &Controls) -> Result<String, EngineError> {
    let begun = Instant::now();
    if spec.local_path.is_none() {
        shared.images.require(shared.engine.as_ref(), &spec.image).await?;
    }
    let _permit = shared.starts.acquire().await;
    let id = match shared.engine.create(spec).await? {
        Created::New(id) => id,
        Created::Existing(id) => match shared.engine.inspect(&id).await?.state {
            State::Created => id,
            _ => return Ok(id),
        },
    };
    if controls.cancel.is_cancelled() || controls.lost.is_cancelled() {
        return Ok(id);
    }
    shared.engine.start(&id, spec).await?;
    shared.metrics.launched(begun.elapsed());
    tracing::info!(container = spec.name, "started a container");
    Ok(id)
}

/// How long an adopted container may still run, by its label and the engine's clock.
fn remaining(found: &Found) -> Option<Duration> {
    let timeout: u64 = found.labels.get(&format!("{LABEL_PREFIX}timeout-sec"))?.parse().ok()?;
    let State::Running { since: Some(since) } = found.state else { return None };
    let ran = (Utc::now() - since).to_std().unwrap_or_default();
    Some(Duration::from_secs(timeout).saturating_sub(ran))
}

enum Watched {
    Ended(Option<StoppedFor>),
    Detached,
    Lost,
}

/// Waits for the container's end, and stops it when it must be stopped.
async fn see_through(shared: &Shared, id: &str, deadline: Option<Instant>, controls: &Controls) -> Watched {
    let timed_out = async {
        match deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    let stopped_for = tokio::select! {
        () = lease_over(controls) => StoppedFor::LeaseOver,
        () = wait(shared, id) => return Watched::Ended(None),
        () = controls.detach.cancelled() => return Watched::Detached,
        () = controls.lost.cancelled() => return Watched::Lost,
        () = controls.cancel.cancelled() => StoppedFor::Cancel,
        () = timed_out => StoppedFor::Timeout,
    };
    tracing::info!(container = id, ?stopped_for, "asking a container to stop");
    signal(shared, id, Signal::Term).await;
    let grace = tokio::time::timeout(shared.config.stop_grace, wait(shared, id));
    tokio::select! {
        ended = grace => if ended.is_err() {
            tracing::warn!(container = id, "the container did not stop in time; killing it");
            signal(shared, id, Signal::Kill).await;
            wait(shared, id).await;
        },
        () = controls.detach.cancelled() => return Watched::Detached,
    }
    Watched::Ended(Some(stopped_for))
}

/// Waits until the lease can't hold any more. By this machine's steady clock, which no change of the time moves.
async fn lease_over(controls: &Controls) {
    let mut lease = controls.lease.subscribe();
    loop {
        let until = *lease.borrow_and_update();
        let passed = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = passed => return,
            // The sender lives as long as the controls.
            _ = lease.changed() => {}
        }
    }
}

/// Waits for the container's end through restarts of the engine.
async fn wait(shared: &Shared, id: &str) {
    let mut waits = Waits::new(Retry::Forever);
    loop {
        let problem = match shared.engine.wait(id).await {
            Ok(()) => match shared.engine.inspect(id).await {
                Ok(Found { state: State::Running { .. }, .. }) => "it still runs".to_owned(),
                Ok(_) => return,
                Err(error) => chain(&error),
            },
            Err(error) => chain(&error),
        };
        tracing::warn!(container = id, problem, "lost sight of a container; looking again");
        tokio::time::sleep(waits.next_wait().unwrap_or(REFUSED_PAUSE)).await;
    }
}

async fn signal(shared: &Shared, id: &str, signal: Signal) {
    if let Err(error) = shared.engine.signal(id, signal).await {
        tracing::warn!(container = id, error = %chain(&error), "could not signal a container");
    }
}

/// What the ended container says about its job.
async fn examine(shared: &Shared, id: &str, attempt: Option<i32>, stopped_for: Option<StoppedFor>) -> Verdict {
    let mut waits = Waits::new(Retry::Forever);
    let state = loop {
        match shared.engine.inspect(id).await {
            Ok(found) => break found.state,
            Err(error) => {
                tracing::warn!(container = id, error = %chain(&error), "could not inspect a container; trying again");
                tokio::time::sleep(waits.next_wait().unwrap_or(REFUSED_PAUSE)).await;
            }
        }
    };
    match state {
        State::Exited(exited) => {
            let tail = shared.engine.log_tail(id, TAIL_BYTES).await.unwrap_or_else(|error| chain(&error));
            verdict(attempt, &exited, stopped_for, masked(shared, &tail))
        }
        State::Created if stopped_for.is_some() => {
            verdict(attempt, &Exited { code: 130, ..Exited::default() }, stopped_for, String::new())
        }
        State::Created | State::Gone | State::Running { .. } => {
            let detail = "the container was removed by somebody else".to_owned();
            could_not_run(attempt, Reason::ContainerLost, detail)
        }
    }
}

/// The runner masks its secrets; this is for what was said before it could. The tail is masked as a whole, so that no
/// secret escapes by lying across two pieces of the output.
fn masked(shared: &Shared, text: &str) -> String {
    let passed_on = shared.config.container.env.iter().filter(|(name, _)| is_secret(name));
    let passed_on: Vec<SecretString> = passed_on.map(|(_, value)| value.clone().into()).collect();
    Mask::new(passed_on.iter().chain(&shared.config.worker_key)).apply(text)
}

/// Reports until the API has acknowledged, and only then removes the container.
async fn settle(shared: &Shared, attempt: Attempt, container: Option<&str>, report: Verdict) -> Ended {
    let pending = Pending { job_id: attempt.job_id, attempt: attempt.attempt, verdict: report };
    if let Err(error) = shared.state.keep(&pending) {
        // The exited container still has what the report was made of.
        tracing::error!(job.id = %attempt.job_id, error = %chain(&error), "could not keep a report; sending it all the same");
    }
    report_until_acknowledged(shared, &pending).await;
    if let Some(id) = container {
        remove(shared, id).await;
    }
    shared.state.forget(attempt);
    Ended::Reported
}

/// Sends a kept report until the API has an answer that settles it.
pub async fn report_until_acknowledged(shared: &Shared, pending: &Pending) {
    let (job, verdict) = (pending.job_id, &pending.verdict);
    loop {
        let sent = if verdict.success {
            shared.client.complete_job(job, &verdict.report, Retry::Forever).await
        } else {
            shared.client.fail_job(job, &verdict.report, Retry::Forever).await
        };
        match sent {
            Ok(answer) => {
                let reason = verdict.report.reason.as_ref().map(Reason::as_str);
                shared.metrics.ended(verdict.report.reason.as_ref());
                tracing::info!(job.id = %job, attempt = pending.attempt, status = answer.status.as_str(), reason, "a job ended");
                return;
            }
            Err(error) if settles(&error) => {
                tracing::warn!(job.id = %job, attempt = pending.attempt, error = error.chain(), "the API has no use for this report");
                return;
            }
            Err(error) => {
                tracing::error!(job.id = %job, error = error.chain(), "the API refuses a report; trying on, check TERARCHITECT_WORKER_API_KEY");
                tokio::time::sleep(REFUSED_PAUSE).await;
            }
        }
    }
}

/// The attempt is over without us, or the job is gone: nothing is left to say.
fn settles(error: &ClientError) -> bool {
    error.status().is_some_and(|status| matches!(status.as_u16(), 404 | 409 | 410))
}

async fn remove(shared: &Shared, id: &str) {
    let mut waits = Waits::new(Retry::For(Duration::from_secs(120)));
    while let Err(error) = shared.engine.remove(id).await {
        let Some(wait) = waits.next_wait() else {
            tracing::error!(container = id, error = %chain(&error), "could not remove a container; the next start tries again");
            return;
        };
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests;
