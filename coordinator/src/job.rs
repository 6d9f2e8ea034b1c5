//! One job from its claim, or from what an earlier coordinator left of it, to its acknowledged report: the part that
//! acts. What to do when is the machine's, in `machine.rs`.

use crate::config::Config;
use crate::engine::{ContainerEngine, Created, EngineError, Found, State};
use crate::images::Images;
pub use crate::machine::Ended;
use crate::machine::{Action, Event, Machine, Wish};
use crate::metrics::Metrics;
use crate::outcome::{StoppedFor, Verdict, could_not_run, verdict};
use crate::spec::{Attempt, ContainerSpec, time_left};
use crate::state_dir::{Pending, StateDir};
use futures::FutureExt;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use terarchitect_outbound::{Mask, Retry, Waits, chain, is_secret_name};
use terarchitect_worker_api::Reason;
use terarchitect_worker_api::client::{ClientError, WorkerClient};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The most of a container's output that goes into a report, in bytes.
const TAIL_BYTES: usize = 16 * 1024;
/// How long a container that was killed may take to be gone.
const KILL_AGAIN: Duration = Duration::from_secs(10);
/// How long a container is waited for before it is looked at: a connection to an engine far away may be dead in silence.
const LOOK_AFTER: Duration = Duration::from_secs(60);
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
    Claimed(Box<Claim>),
    /// A container that was found.
    Adopted(Box<Found>),
    /// Nothing but what there is to say.
    Report(Box<Verdict>),
}

/// What a claim gave.
#[derive(Debug)]
pub struct Claim {
    /// What to run.
    pub spec: ContainerSpec,
    /// For how long at most.
    pub timeout: Option<Duration>,
    /// The claim's request id.
    pub request: Uuid,
}

/// Sees a job to its end: does what the [`Machine`] says, and tells it what happened.
pub async fn supervise(shared: &Shared, attempt: Attempt, origin: Origin, controls: &Controls) -> Ended {
    let (mut machine, mut run) = match origin {
        Origin::Claimed(claim) => {
            (Machine::claimed(attempt), Run { claim: Some(claim), ..Run::new(shared, attempt, controls) })
        }
        Origin::Adopted(found) => {
            let kept = shared.state.kept(attempt).map(|pending| pending.verdict);
            let since = if let State::Running { since } = found.state { since } else { None };
            let deadline = time_left(&found.labels, since).map(|left| Instant::now() + left);
            let machine = Machine::recovered(attempt, found.id, kept);
            (machine, Run { deadline, ..Run::new(shared, attempt, controls) })
        }
        Origin::Report(verdict) => (Machine::to_report(attempt, *verdict), Run::new(shared, attempt, controls)),
    };
    loop {
        let event = match machine.action() {
            Action::End(ended) => return ended,
            action => run.perform(action).await,
        };
        machine.on(event);
    }
}

/// What is done for one job.
struct Run<'a> {
    shared: &'a Shared,
    attempt: Attempt,
    controls: &'a Controls,
    /// Nothing is known of what was claimed by an earlier coordinator.
    claim: Option<Box<Claim>>,
    deadline: Option<Instant>,
    /// When the making of its container began.
    begun: Instant,
}

impl<'a> Run<'a> {
    fn new(shared: &'a Shared, attempt: Attempt, controls: &'a Controls) -> Self {
        Self { shared, attempt, controls, claim: None, deadline: None, begun: Instant::now() }
    }

    async fn perform(&mut self, action: Action<'_>) -> Event {
        let (shared, controls) = (self.shared, self.controls);
        match action {
            Action::PrepareImage => {
                tokio::select! {
                    ready = self.image() => self.or_could_not(ready.map(|()| Event::ImageReady)),
                    wish = asked(controls, None) => Event::Asked(wish),
                }
            }
            Action::Create => {
                let created = self.create().await;
                self.or_could_not(created)
            }
            Action::Start(id) => match asked(controls, None).now_or_never() {
                Some(wish) => Event::Asked(wish),
                None => {
                    let started = self.start(id).await;
                    self.or_could_not(started)
                }
            },
            Action::Watch(id) => {
                let event = tokio::select! {
                    () = wait(shared, id) => return Event::Ended,
                    wish = asked(controls, self.deadline) => Event::Asked(wish),
                };
                tracing::info!(container = id, ?event, "a container is to end");
                event
            }
            Action::Signal(id, signal) => {
                if let Err(error) = shared.engine.signal(id, signal).await {
                    tracing::warn!(container = id, error = %chain(&error), "could not signal a container");
                }
                Event::Signalled
            }
            Action::WatchGrace(id) => tokio::select! {
                () = wait(shared, id) => Event::Ended,
                wish = lost_or_detached(controls) => Event::Asked(wish),
                () = tokio::time::sleep(shared.config.stop_grace) => {
                    tracing::warn!(container = id, "the container did not stop in time; killing it");
                    Event::GraceOver
                }
            },
            Action::WatchEnd(id) => tokio::select! {
                () = wait(shared, id) => Event::Ended,
                wish = lost_or_detached(controls) => Event::Asked(wish),
                // The engine may not have taken the signal: once more.
                () = tokio::time::sleep(shared.config.stop_grace.max(KILL_AGAIN)) => Event::GraceOver,
            },
            Action::Examine(id, stopped_for) => {
                Event::Examined(examine(shared, id, self.attempt.number(), stopped_for).await)
            }
            Action::Keep(verdict) => {
                let pending = self.pending(verdict);
                if let Err(error) = shared.state.keep(&pending) {
                    // The exited container still has what the report was made of.
                    tracing::error!(job.id = %self.attempt.job_id, error = %chain(&error), "could not keep a report; sending it all the same");
                }
                self.end_claim();
                Event::Kept
            }
            Action::Report(verdict) => {
                report_until_acknowledged(shared, &self.pending(verdict)).await;
                Event::Acknowledged
            }
            Action::Remove(id) => {
                if controls.lost.is_cancelled() {
                    tracing::warn!(container = id, "the attempt is no longer ours; its container is removed");
                }
                remove(shared, id).await;
                Event::Removed
            }
            Action::Forget => {
                self.end_claim();
                shared.state.forget(self.attempt);
                Event::Forgotten
            }
            Action::End(_) => unreachable!("the end is nothing to do"),
        }
    }

    fn pending(&self, verdict: &Verdict) -> Pending {
        Pending { job_id: self.attempt.job_id, attempt: self.attempt.attempt, verdict: verdict.clone() }
    }

    fn or_could_not(&self, done: Result<Event, EngineError>) -> Event {
        done.unwrap_or_else(|error| {
            tracing::error!(job.id = %self.attempt.job_id, attempt = self.attempt.number(), error = %chain(&error), "the job could not be started");
            Event::CouldNot(error.reason(), chain(&error))
        })
    }

    async fn image(&self) -> Result<(), EngineError> {
        let spec = &self.claim()?.spec;
        if spec.local_path.is_some() {
            return Ok(());
        }
        self.shared.images.require(self.shared.engine.as_ref(), &spec.image).await
    }

    fn claim(&self) -> Result<&Claim, EngineError> {
        self.claim.as_deref().ok_or(EngineError::NoClaim)
    }

    fn end_claim(&self) {
        if let Some(claim) = &self.claim {
            self.shared.state.end_claim(claim.request);
        }
    }

    async fn create(&mut self) -> Result<Event, EngineError> {
        self.begun = Instant::now();
        let _permit = self.shared.starts.acquire().await;
        self.deadline = self.claim()?.timeout.map(|timeout| Instant::now() + timeout);
        match self.shared.engine.create(&self.claim()?.spec).await? {
            Created::New(id) => Ok(Event::Created(id)),
            Created::Existing(id) => {
                let state = self.shared.engine.inspect(&id).await?.state;
                Ok(Event::Existing(id, state))
            }
        }
    }

    async fn start(&self, id: &str) -> Result<Event, EngineError> {
        let spec = &self.claim()?.spec;
        let _permit = self.shared.starts.acquire().await;
        let started = self.shared.engine.start(id, spec).await;
        // Also a start that went wrong may have been one: from here on the container shows what became of the claim.
        self.end_claim();
        started?;
        self.shared.metrics.launched(self.begun.elapsed());
        tracing::info!(container = spec.name, "started a container");
        Ok(Event::Started)
    }
}

/// Waits for anything that wants the job to end before its time.
async fn asked(controls: &Controls, deadline: Option<Instant>) -> Wish {
    let timed_out = async {
        match deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        wish = lost_or_detached(controls) => wish,
        () = controls.cancel.cancelled() => Wish::Stop(StoppedFor::Cancel),
        () = timed_out => Wish::Stop(StoppedFor::Timeout),
        () = lease_over(controls) => Wish::Stop(StoppedFor::LeaseOver),
    }
}

async fn lost_or_detached(controls: &Controls) -> Wish {
    tokio::select! {
        () = controls.lost.cancelled() => Wish::Lost,
        () = controls.detach.cancelled() => Wish::Detach,
    }
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
        let waited = tokio::time::timeout(LOOK_AFTER, shared.engine.wait(id)).await;
        let problem = match &waited {
            Ok(Err(error)) => chain(error),
            Ok(Ok(())) | Err(_) => match shared.engine.inspect(id).await {
                Ok(Found { state: State::Running { .. }, .. }) if waited.is_err() => continue,
                Ok(Found { state: State::Running { .. }, .. }) => "it still runs".to_owned(),
                Ok(_) => return,
                Err(error) => chain(&error),
            },
        };
        tracing::warn!(container = id, problem, "lost sight of a container; looking again");
        tokio::time::sleep(waits.next_wait().unwrap_or(REFUSED_PAUSE)).await;
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
        State::Created | State::Gone | State::Running { .. } => {
            let detail = "the container was removed by somebody else".to_owned();
            could_not_run(attempt, Reason::ContainerLost, detail)
        }
    }
}

/// The runner masks its secrets; this is for what was said before it could. The tail is masked as a whole, so that no
/// secret escapes by lying across two pieces of the output, and the engine cuts it off between lines.
fn masked(shared: &Shared, text: &str) -> String {
    let passed_on = shared.config.container.env.iter().filter(|(name, _)| is_secret_name(name));
    let passed_on: Vec<SecretString> = passed_on.map(|(_, value)| value.clone().into()).collect();
    Mask::new(passed_on.iter().chain(&shared.config.worker_key)).apply(text)
}

/// Sends a kept report until the API has an answer that settles it.
async fn report_until_acknowledged(shared: &Shared, pending: &Pending) {
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
            Err(error) if settles(&error, pending.attempt == 0) => {
                tracing::warn!(job.id = %job, attempt = pending.attempt, error = error.chain(), "the API has no use for this report");
                return;
            }
            Err(error) => {
                tracing::error!(job.id = %job, error = error.chain(), "the API refuses a report; it is kept and sent again; check TERARCHITECT_API_URL and TERARCHITECT_WORKER_API_KEY");
                tokio::time::sleep(REFUSED_PAUSE).await;
            }
        }
    }
}

/// The attempt is over without us, or the job is gone: nothing is left to say. A 404 that is not the API's own may be a
/// proxy's, or a wrong address: the report waits. An API that does not count attempts, one of the plain contract, says
/// 404 in its own words, and its answer to a report need not have a shape.
fn settles(error: &ClientError, api_is_plain: bool) -> bool {
    match error {
        ClientError::InvalidResponse { .. } => api_is_plain,
        error => match error.status().map(|status| status.as_u16()) {
            Some(404) => api_is_plain || error.code() == Some("not_found"),
            status => matches!(status, Some(409 | 410)),
        },
    }
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
