//! One job from its claim, or from what an earlier coordinator left of it, to its acknowledged report. This is the part
//! that acts; what to do when is decided in [`machine`](super::machine).

use super::machine::{Action, EndRequest, Event, Machine};
use super::outcome::{StoppedFor, could_not_run, verdict};
use super::report::report_until_acknowledged;
use super::spec::time_left;
use super::watch::{end_requested, lost_or_detached, wait_for_end};
use super::{Claim, Controls, Ended, Origin, Shared};
use crate::attempt::{Attempt, Verdict};
use crate::deadline::Moment;
use crate::engine::{Created, EngineError, Input, State, write_input};
use crate::state_dir::{Assigned, Pending};
use crate::warm::{Ready, job_line};
use chrono::Utc;
use futures::FutureExt;
use secrecy::SecretString;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use terarchitect_outbound::{Mask, Retry, Waits, chain, has_credentials, is_secret_name};
use terarchitect_worker_api::Reason;
use tokio::time::Instant;

/// The most of a container's output that goes into a report, in bytes.
const TAIL_BYTES: usize = 16 * 1024;
/// How long a killed container may take to end before it is killed again.
const KILL_AGAIN: Duration = Duration::from_secs(10);
/// The pause between retries once the retry schedule has no more waits.
const RETRY_PAUSE: Duration = Duration::from_secs(30);

/// Supervises a job to its end: does what the [`Machine`] says, and feeds it what happened.
pub async fn supervise(shared: &Shared, attempt: Attempt, origin: Origin, controls: &Controls) -> Ended {
    let (mut machine, mut supervision) = match origin {
        Origin::Claimed(claim) => (
            Machine::claimed(attempt),
            Supervision { claim: Some(claim), ..Supervision::new(shared, attempt, controls) },
        ),
        Origin::Adopted(found) => {
            let kept = shared.state.kept(attempt).map(|pending| pending.verdict);
            let since = if let State::Running { since } = found.state { since } else { None };
            let deadline = time_left(&found.labels, since).map(Moment::after);
            let machine = Machine::recovered(attempt, found.id, kept);
            (machine, Supervision { deadline, ..Supervision::new(shared, attempt, controls) })
        }
        Origin::Report(verdict) => (Machine::to_report(attempt, *verdict), Supervision::new(shared, attempt, controls)),
    };
    loop {
        let event = match machine.action() {
            Action::End(ended) => return ended,
            action => supervision.perform(action).await,
        };
        machine.on(event);
    }
}

/// What the supervision of one job knows besides its state machine.
struct Supervision<'a> {
    shared: &'a Shared,
    attempt: Attempt,
    controls: &'a Controls,
    /// None for a job that an earlier coordinator claimed.
    claim: Option<Box<Claim>>,
    deadline: Option<Moment>,
    /// When the creation of the container began.
    begun: Instant,
    /// The standard input of a container that was started before, and waits for this job.
    waiting: Mutex<Option<Input>>,
}

impl<'a> Supervision<'a> {
    fn new(shared: &'a Shared, attempt: Attempt, controls: &'a Controls) -> Self {
        Self {
            shared,
            attempt,
            controls,
            claim: None,
            deadline: None,
            begun: Instant::now(),
            waiting: Mutex::default(),
        }
    }

    async fn perform(&mut self, action: Action<'_>) -> Event {
        let (shared, controls) = (self.shared, self.controls);
        match action {
            Action::PrepareImage => {
                tokio::select! {
                    ready = self.image() => self.or_could_not(ready.map(|()| Event::ImageReady)),
                    request = end_requested(controls, None) => Event::EndRequested(request),
                }
            }
            Action::Create => {
                let created = self.create().await;
                self.or_could_not(created)
            }
            Action::Start(id) => match end_requested(controls, None).now_or_never() {
                Some(request) => Event::EndRequested(request),
                None => match self.start(id).await {
                    Err(error) if error.leaves_start_unknown() => self.after_unknown_start(id, error).await,
                    started => self.or_could_not(started),
                },
            },
            Action::Watch(id) => {
                let event = tokio::select! {
                    () = wait_for_end(shared, id) => return Event::Ended,
                    request = end_requested(controls, self.deadline) => Event::EndRequested(request),
                };
                // Detaching stops nothing: the container is left to the next coordinator, which is logged where that is done.
                if event != Event::EndRequested(EndRequest::Detach) {
                    tracing::info!(container = id, ?event, "stopping a container early");
                }
                event
            }
            Action::Signal(id, signal) => {
                if let Err(error) = shared.engine.signal(id, signal).await {
                    tracing::warn!(container = id, error = %chain(&error), "could not send a signal to a container");
                }
                Event::Signalled
            }
            Action::WatchGrace(id) => tokio::select! {
                () = wait_for_end(shared, id) => Event::Ended,
                request = lost_or_detached(controls) => Event::EndRequested(request),
                () = tokio::time::sleep(shared.config.stop_grace) => {
                    tracing::warn!(container = id, "the container did not stop within AGENT_STOP_GRACE_SEC; killing it");
                    Event::GraceOver
                }
            },
            Action::WatchEnd(id) => tokio::select! {
                () = wait_for_end(shared, id) => Event::Ended,
                request = lost_or_detached(controls) => Event::EndRequested(request),
                // The engine may have ignored the signal: it is sent again.
                () = tokio::time::sleep(shared.config.stop_grace.max(KILL_AGAIN)) => Event::GraceOver,
            },
            Action::Examine(id, stopped_for) => {
                Event::Examined(examine(shared, id, self.attempt.number(), stopped_for).await)
            }
            Action::Keep(verdict) => {
                let pending = self.pending(verdict);
                if let Err(error) = shared.state.keep(&pending) {
                    // Nothing is lost by that: the exited container still holds everything that the report says.
                    tracing::error!(job.id = %self.attempt.job_id, error = %chain(&error), "could not write a report to the outbox; sending it anyway");
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
                    tracing::warn!(
                        container = id,
                        "another attempt of this job has replaced this one; removing its container"
                    );
                }
                remove(shared, id).await;
                shared.state.end_assignment(self.attempt);
                Event::Removed
            }
            Action::Forget => {
                self.end_claim();
                shared.state.forget(self.attempt);
                Event::Forgotten
            }
            Action::End(_) => unreachable!("the caller returns on this action"),
        }
    }

    fn pending(&self, verdict: &Verdict) -> Pending {
        Pending { job_id: self.attempt.job_id, attempt: self.attempt.attempt, verdict: verdict.clone() }
    }

    fn or_could_not(&self, done: Result<Event, EngineError>) -> Event {
        done.unwrap_or_else(|error| {
            tracing::error!(job.id = %self.attempt.job_id, attempt = self.attempt.number(), error = %chain(&error), "could not start a job");
            match error {
                EngineError::NameTaken { .. } => Event::NameTaken(chain(&error)),
                _ => Event::CouldNotStart(error.reason(), chain(&error)),
            }
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
        self.deadline = self.claim()?.timeout.map(Moment::after);
        if let Some(ready) = self.shared.warm.take(&self.claim()?.spec)
            && let Some(id) = self.assign(ready).await
        {
            return Ok(Event::Created(id));
        }
        match self.shared.engine.create(&self.claim()?.spec).await? {
            Created::New(id) => Ok(Event::Created(id)),
            Created::Existing(id) => {
                let state = self.shared.engine.inspect(&id).await?.state;
                Ok(Event::Existing(id, state))
            }
        }
    }

    /// Makes a container that waits this job's. None where that failed: then there is no such container any more.
    async fn assign(&mut self, ready: Ready) -> Option<String> {
        let shared = self.shared;
        let spec = &self.claim().ok()?.spec;
        let assigned = Assigned { labels: spec.labels.clone(), at: Utc::now() };
        let named = match shared.state.assign(self.attempt, &assigned) {
            Ok(()) => shared.engine.rename(&ready.id, &spec.name).await.map_err(|error| chain(&error)),
            Err(error) => Err(chain(&error)),
        };
        if let Err(problem) = &named {
            tracing::warn!(
                container = ready.name,
                problem,
                "could not use a container that was ready; starting another one"
            );
            remove(shared, &ready.id).await;
            shared.state.end_assignment(self.attempt);
        }
        shared.warm.forget(&ready.name);
        named.ok()?;
        self.waiting = Mutex::new(Some(ready.input));
        Some(ready.id)
    }

    async fn start(&mut self, id: &str) -> Result<Event, EngineError> {
        let waiting = self.waiting.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let was_ready = waiting.is_some();
        let spec = &self.claim()?.spec;
        let _permit = self.shared.starts.acquire().await;
        let started = match (waiting, job_line(spec)) {
            (Some(input), Some(line)) => write_input(input, &line, self.shared.config.container.call_limit).await,
            _ => self.shared.engine.start(id, spec).await,
        };
        // Even a failed start may have started it. From here on, recovery finds the container without the claim.
        self.end_claim();
        started?;
        self.shared.metrics.launched(self.begun.elapsed());
        match was_ready {
            true => tracing::info!(container = spec.name, "gave the job to a container that was ready"),
            false => tracing::info!(container = spec.name, "started a container"),
        }
        Ok(Event::Started)
    }

    /// Handles a start whose result the engine did not report. If the container has ended, its exit is the better
    /// explanation: the engine may have been restarted, or the program may have failed at once.
    async fn after_unknown_start(&self, id: &str, error: EngineError) -> Event {
        let state = tokio::select! {
            state = state(self.shared, id) => state,
            request = lost_or_detached(self.controls) => return Event::EndRequested(request),
        };
        match state {
            State::Exited(_) => {
                tracing::warn!(container = id, error = %chain(&error), "the container ended while it was being started");
                Event::Ended
            }
            State::Created | State::Running { .. } | State::Gone => self.or_could_not(Err(error)),
        }
    }
}

/// The container's state; retried until the engine reports it.
async fn state(shared: &Shared, id: &str) -> State {
    let mut waits = Waits::new(Retry::Forever);
    loop {
        match shared.engine.inspect(id).await {
            Ok(found) => return found.state,
            Err(error) => {
                tracing::warn!(container = id, error = %chain(&error), "could not inspect a container; retrying");
                tokio::time::sleep(waits.next_wait().unwrap_or(RETRY_PAUSE)).await;
            }
        }
    }
}

/// What the ended container says about its job.
async fn examine(shared: &Shared, id: &str, attempt: Option<i32>, stopped_for: Option<StoppedFor>) -> Verdict {
    match state(shared, id).await {
        State::Exited(exited) => {
            let tail = shared.engine.log_tail(id, TAIL_BYTES).await.unwrap_or_else(|error| chain(&error));
            verdict(attempt, &exited, stopped_for, masked(shared, &tail))
        }
        State::Created | State::Gone | State::Running { .. } => {
            let detail = "the container was removed by a person or another program".to_owned();
            could_not_run(attempt, Reason::ContainerLost, detail)
        }
    }
}

/// Masks the coordinator's own secrets. The runner masks what it prints; this is for what was printed before it could.
/// The tail is masked as a whole, so that a secret across two pieces of output is found, and is cut between lines.
fn masked(shared: &Shared, text: &str) -> String {
    let container = &shared.config.container;
    let passed_on = container.env.iter().filter(|(name, value)| is_secret_name(name) || has_credentials(value));
    let mut secrets: Vec<SecretString> = passed_on.map(|(_, value)| value.clone().into()).collect();
    secrets.extend(container.proxies.secrets());
    Mask::new(secrets.iter().chain(&shared.config.worker_key)).apply(text)
}

async fn remove(shared: &Shared, id: &str) {
    let mut waits = Waits::new(Retry::For(Duration::from_secs(120)));
    while let Err(error) = shared.engine.remove(id).await {
        let Some(wait) = waits.next_wait() else {
            tracing::error!(container = id, error = %chain(&error), "could not remove a container; its removal is retried at the next start of the coordinator");
            return;
        };
        tokio::time::sleep(wait).await;
    }
}
