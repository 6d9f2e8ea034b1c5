//! The life of one job as a pure state machine: what happened goes in, what to do next comes out.
//!
//! `Claimed → Prepared → Created → Running → Exited → Judged → Kept → Reported → Removed`. Everything in the machine
//! can be rebuilt from the API's lease, the engine's container and the outbox, which is what [`Machine::recovered`]
//! does. The part that acts is in `life.rs`.

use crate::attempt::Attempt;
use crate::attempt::Verdict;
use crate::engine::{Signal, State};
use crate::job::outcome::{StoppedFor, could_not_run};
use terarchitect_worker_api::Reason;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The image is available.
    ImageReady,
    /// The container was created.
    Created(String),
    /// The container's name was taken: this host has that attempt already, in this state.
    Existing(String, State),
    /// The container runs, and has its secrets.
    Started,
    /// A step towards the container's start failed, for this reason.
    CouldNotStart(Reason, String),
    /// Another container has the name: why no container could be created.
    NameTaken(String),
    /// The container no longer runs.
    Ended,
    /// The job was requested to end.
    EndRequested(EndRequest),
    /// The signal was sent, or sending it failed; the next step watches for its effect.
    Signalled,
    /// The container did not end within the time for that: the grace after TERM, or the wait after KILL.
    GraceOver,
    /// The container was examined.
    Examined(Verdict),
    /// The report is in the outbox.
    Kept,
    /// The API accepted the report, or refused it for good.
    Acknowledged,
    /// The container was removed.
    Removed,
    /// The report was removed from the outbox.
    Forgotten,
}

/// Why a job is to end early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndRequest {
    /// Stop the container and report why.
    Stop(StoppedFor),
    /// The attempt is no longer held here: stop the container, report nothing.
    Lost,
    /// Leave the container to the next coordinator.
    Detach,
}

/// What to do next. Each action ends in an event. All actions that do not wait are idempotent.
#[derive(Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Make sure that the image is available.
    PrepareImage,
    /// Create the container.
    Create,
    /// Start the container.
    Start(&'a str),
    /// Wait until the container ends or the job is requested to end.
    Watch(&'a str),
    /// Send a signal.
    Signal(&'a str, Signal),
    /// Wait until the container ends, for at most the grace period.
    WatchGrace(&'a str),
    /// Wait until the killed container has ended.
    WatchEnd(&'a str),
    /// Find out how the container ended.
    Examine(&'a str, Option<StoppedFor>),
    /// Put the report into the outbox.
    Keep(&'a Verdict),
    /// Send the report until it is acknowledged.
    Report(&'a Verdict),
    /// Remove the container.
    Remove(&'a str),
    /// Remove the report from the outbox.
    Forget,
    /// Nothing is left to do.
    End(Ended),
}

/// How the coordinator's part in an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The report was acknowledged and the container removed.
    Reported,
    /// The container was left for the next coordinator.
    Detached,
    /// The attempt was no longer held here; the container was removed.
    Lost,
}

#[derive(Clone, Debug)]
enum Phase {
    Claimed,
    Prepared,
    Created {
        id: String,
    },
    /// The start failed half-way. The container may run nevertheless, and must have ended when the failure is reported.
    NotStarted {
        id: String,
        verdict: Verdict,
        killed: bool,
    },
    Running {
        id: String,
    },
    Stopping {
        id: String,
        why: StoppedFor,
        step: Step,
    },
    Exited {
        id: String,
        stopped_for: Option<StoppedFor>,
    },
    Judged {
        container: Option<String>,
        verdict: Verdict,
    },
    Kept {
        container: Option<String>,
        verdict: Verdict,
    },
    Reported {
        container: Option<String>,
    },
    Lost {
        container: Option<String>,
    },
    Removed(Ended),
    Over(Ended),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Term,
    Grace,
    Kill,
    Killed,
}

/// One attempt of one job.
#[derive(Clone, Debug)]
pub struct Machine {
    attempt: Option<i32>,
    /// The container's name. Known before the engine has confirmed it, since that response may be lost.
    name: String,
    phase: Phase,
}

impl Machine {
    fn new(attempt: Attempt, phase: Phase) -> Self {
        Self { attempt: attempt.number(), name: attempt.container_name(), phase }
    }

    /// A job that was just claimed.
    #[must_use]
    pub fn claimed(attempt: Attempt) -> Self {
        Self::new(attempt, Phase::Claimed)
    }

    /// A job with a container that was started, and with a kept report if there is one.
    #[must_use]
    pub fn recovered(attempt: Attempt, container: String, kept: Option<Verdict>) -> Self {
        let phase = match kept {
            Some(verdict) => Phase::Kept { container: Some(container), verdict },
            // Watching it shows whether it still runs.
            None => Phase::Running { id: container },
        };
        Self::new(attempt, phase)
    }

    /// A job without a container, of which only the report is left.
    #[must_use]
    pub fn to_report(attempt: Attempt, verdict: Verdict) -> Self {
        Self::new(attempt, Phase::Judged { container: None, verdict })
    }

    /// What to do now.
    #[must_use]
    pub fn action(&self) -> Action<'_> {
        match &self.phase {
            Phase::Claimed => Action::PrepareImage,
            Phase::Prepared => Action::Create,
            Phase::Created { id } => Action::Start(id),
            Phase::NotStarted { id, killed: false, .. } => Action::Signal(id, Signal::Kill),
            Phase::NotStarted { id, killed: true, .. } => Action::WatchEnd(id),
            Phase::Running { id } => Action::Watch(id),
            Phase::Stopping { id, step, .. } => match step {
                Step::Term => Action::Signal(id, Signal::Term),
                Step::Grace => Action::WatchGrace(id),
                Step::Kill => Action::Signal(id, Signal::Kill),
                Step::Killed => Action::WatchEnd(id),
            },
            Phase::Exited { id, stopped_for } => Action::Examine(id, *stopped_for),
            Phase::Judged { verdict, .. } => Action::Keep(verdict),
            Phase::Kept { verdict, .. } => Action::Report(verdict),
            Phase::Reported { container: Some(id) } | Phase::Lost { container: Some(id) } => Action::Remove(id),
            Phase::Reported { container: None } | Phase::Lost { container: None } | Phase::Removed(_) => Action::Forget,
            Phase::Over(ended) => Action::End(*ended),
        }
    }

    /// Handles an event. An event that does not apply in the current phase, such as a stop request for a container that
    /// has ended, changes nothing.
    pub fn on(&mut self, event: Event) {
        let phase = std::mem::replace(&mut self.phase, Phase::Over(Ended::Lost));
        self.phase = self.next(phase, event);
    }

    fn next(&self, phase: Phase, event: Event) -> Phase {
        match (phase, event) {
            (Phase::Claimed, Event::ImageReady) => Phase::Prepared,
            (Phase::Prepared, Event::Created(id) | Event::Existing(id, State::Created)) => Phase::Created { id },
            (Phase::Prepared, Event::Existing(id, _)) | (Phase::Created { id }, Event::Started) => {
                Phase::Running { id }
            }
            (Phase::Claimed, Event::CouldNotStart(reason, detail)) => {
                Phase::Judged { container: None, verdict: could_not_run(self.attempt, reason, detail) }
            }
            // What has the name is not this attempt's, and is left alone.
            (Phase::Prepared, Event::NameTaken(detail)) => {
                let verdict = could_not_run(self.attempt, Reason::EngineError, detail);
                Phase::Judged { container: None, verdict }
            }
            (Phase::Prepared, Event::CouldNotStart(reason, detail)) => {
                let container = Some(self.name.clone());
                Phase::Judged { container, verdict: could_not_run(self.attempt, reason, detail) }
            }
            (Phase::Created { id }, Event::CouldNotStart(reason, detail)) => {
                Phase::NotStarted { id, verdict: could_not_run(self.attempt, reason, detail), killed: false }
            }
            (Phase::NotStarted { id, verdict, .. }, Event::Signalled) => {
                Phase::NotStarted { id, verdict, killed: true }
            }
            (Phase::NotStarted { id, verdict, .. }, Event::GraceOver) => {
                Phase::NotStarted { id, verdict, killed: false }
            }
            (Phase::NotStarted { id, verdict, .. }, Event::Ended) => Phase::Judged { container: Some(id), verdict },
            (phase, Event::EndRequested(request)) => self.on_end_request(phase, request),
            (Phase::Created { id } | Phase::Running { id }, Event::Ended) => Phase::Exited { id, stopped_for: None },
            (Phase::Stopping { id, why, step: Step::Grace | Step::Killed }, Event::Ended) => {
                Phase::Exited { id, stopped_for: Some(why) }
            }
            (Phase::Stopping { id, why, step: Step::Term }, Event::Signalled) => {
                Phase::Stopping { id, why, step: Step::Grace }
            }
            // From Killed as well: a signal that the engine did not deliver is sent again.
            (Phase::Stopping { id, why, step: Step::Grace | Step::Killed }, Event::GraceOver) => {
                Phase::Stopping { id, why, step: Step::Kill }
            }
            (Phase::Stopping { id, why, step: Step::Kill }, Event::Signalled) => {
                Phase::Stopping { id, why, step: Step::Killed }
            }
            (Phase::Exited { id, .. }, Event::Examined(verdict)) => Phase::Judged { container: Some(id), verdict },
            (Phase::Judged { container, verdict }, Event::Kept) => Phase::Kept { container, verdict },
            (Phase::Kept { container, .. }, Event::Acknowledged) => Phase::Reported { container },
            (Phase::Reported { .. }, Event::Removed) => Phase::Removed(Ended::Reported),
            (Phase::Lost { .. }, Event::Removed) => Phase::Removed(Ended::Lost),
            (Phase::Reported { .. }, Event::Forgotten) => Phase::Over(Ended::Reported),
            (Phase::Lost { .. }, Event::Forgotten) => Phase::Over(Ended::Lost),
            (Phase::Removed(ended), Event::Forgotten) => Phase::Over(ended),
            (phase, _) => phase,
        }
    }

    fn on_end_request(&self, phase: Phase, request: EndRequest) -> Phase {
        match (phase, request) {
            (
                Phase::Claimed
                | Phase::Prepared
                | Phase::Created { .. }
                | Phase::NotStarted { .. }
                | Phase::Running { .. }
                | Phase::Stopping { .. },
                EndRequest::Detach,
            ) => Phase::Over(Ended::Detached),
            (Phase::Claimed | Phase::Prepared, EndRequest::Lost) => Phase::Lost { container: None },
            (
                Phase::Created { id }
                | Phase::NotStarted { id, .. }
                | Phase::Running { id }
                | Phase::Stopping { id, .. },
                EndRequest::Lost,
            ) => Phase::Lost { container: Some(id) },
            (Phase::Claimed | Phase::Prepared, EndRequest::Stop(why)) => {
                Phase::Judged { container: None, verdict: self.never_ran(why) }
            }
            (Phase::Created { id }, EndRequest::Stop(why)) => {
                Phase::Judged { container: Some(id), verdict: self.never_ran(why) }
            }
            (Phase::Running { id }, EndRequest::Stop(why)) => Phase::Stopping { id, why, step: Step::Term },
            (phase, _) => phase,
        }
    }

    fn never_ran(&self, why: StoppedFor) -> Verdict {
        could_not_run(
            self.attempt,
            why.reason(),
            why.detail().unwrap_or("it was stopped before its container had been started").to_owned(),
        )
    }
}

#[cfg(test)]
mod tests;
