//! The machine in a small world of an engine, an API and an outbox, in which everything can go wrong between any two
//! steps: each attempt runs at most once, is accepted at most once, and nothing of it is left.

use super::*;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use terarchitect_worker_api::JobId;

const NAME: &str = "the container";

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// What the machine says is done.
    Work,
    /// It fails, where it can.
    Fail,
    /// It is done, and the coordinator is killed before it learns of it.
    WorkAndCrash,
    /// The container ends while it is being started.
    EndAtStart,
    /// The coordinator is killed, and started again.
    Crash,
    /// The agent ends.
    Exit(i32),
    /// A person removes the container.
    TakeAway,
    /// The job is requested to end.
    RequestEnd(EndRequest),
    /// The grace period is over.
    GraceOver,
}

fn step() -> impl Strategy<Value = Step> {
    let request = prop_oneof![
        prop_oneof![Just(StoppedFor::Cancel), Just(StoppedFor::Timeout), Just(StoppedFor::LeaseOver)]
            .prop_map(EndRequest::Stop),
        Just(EndRequest::Lost),
        Just(EndRequest::Detach),
    ];
    prop_oneof![
        8 => Just(Step::Work),
        1 => Just(Step::Fail),
        1 => Just(Step::EndAtStart),
        2 => Just(Step::WorkAndCrash),
        1 => Just(Step::Crash),
        2 => prop_oneof![Just(0), Just(1), Just(137)].prop_map(Step::Exit),
        1 => Just(Step::TakeAway),
        1 => request.prop_map(Step::RequestEnd),
        1 => Just(Step::GraceOver),
    ]
}

#[derive(Debug)]
struct World {
    container: Option<State>,
    starts: u32,
    outbox: Option<Verdict>,
    /// The stored claim.
    claim: bool,
    /// Whether the API takes a report of this attempt.
    held: bool,
    accepted: u32,
    machine: Option<Machine>,
}

fn attempt() -> Attempt {
    Attempt { job_id: JobId::from(uuid::Uuid::nil()), attempt: 1 }
}

fn verdict_of(code: i32) -> Verdict {
    could_not_run(Some(1), if code == 0 { Reason::Completed } else { Reason::AgentFailed }, String::new())
}

impl World {
    fn new() -> Self {
        let machine = Some(Machine::claimed(attempt()));
        Self { container: None, starts: 0, outbox: None, claim: true, held: true, accepted: 0, machine }
    }

    fn runs(&self) -> bool {
        matches!(self.container, Some(State::Running { .. }))
    }

    /// What the next coordinator finds, as `service/recovery.rs` looks for it.
    fn restart(&mut self) {
        if self.container == Some(State::Created) {
            self.container = None;
        }
        // A job that is known needs no claim again.
        self.claim &= self.container.is_none() && self.outbox.is_none();
        self.machine = match (&self.container, self.outbox.clone()) {
            (Some(_), kept) => Some(Machine::recovered(attempt(), NAME.to_owned(), kept)),
            (None, Some(kept)) => Some(Machine::to_report(attempt(), kept)),
            (None, None) if !self.held => None,
            (None, None) if self.claim => Some(Machine::claimed(attempt())),
            (None, None) => {
                let lost = could_not_run(Some(1), Reason::ContainerLost, String::new());
                Some(Machine::to_report(attempt(), lost))
            }
        };
    }

    /// Does what the machine says; none where that is to wait.
    fn work(&mut self, fails: bool) -> Option<Event> {
        let machine = self.machine.clone()?;
        let could_not = || Event::CouldNotStart(Reason::EngineError, String::new());
        Some(match machine.action() {
            Action::PrepareImage if fails => could_not(),
            Action::PrepareImage => Event::ImageReady,
            // The engine did it, but its response was lost.
            Action::Create => match self.container.clone() {
                Some(state) => Event::Existing(NAME.to_owned(), state),
                None => {
                    self.container = Some(State::Created);
                    if fails { could_not() } else { Event::Created(NAME.to_owned()) }
                }
            },
            Action::Start(_) => {
                if self.container.is_some() {
                    self.starts += 1;
                    self.container = Some(State::Running { since: None });
                }
                self.claim = false;
                if fails || self.container.is_none() { could_not() } else { Event::Started }
            }
            Action::Watch(_) | Action::WatchGrace(_) | Action::WatchEnd(_) if self.runs() => return None,
            Action::Watch(_) | Action::WatchGrace(_) | Action::WatchEnd(_) => Event::Ended,
            Action::Signal(..) if fails => Event::Signalled,
            Action::Signal(_, signal) => {
                if signal == Signal::Kill && self.runs() {
                    self.container = Some(State::Exited(crate::engine::Exited { code: 137, ..Default::default() }));
                }
                Event::Signalled
            }
            Action::Examine(_, stopped_for) => Event::Examined(match (&self.container, stopped_for) {
                (Some(State::Exited(exited)), None) => verdict_of(exited.code),
                (Some(State::Exited(_)), Some(why)) => could_not_run(Some(1), why.reason(), String::new()),
                _ => could_not_run(Some(1), Reason::ContainerLost, String::new()),
            }),
            Action::Keep(verdict) => {
                assert!(!self.runs(), "reported while it may still work");
                // A full disk: sent anyway.
                if !fails {
                    self.outbox = Some(verdict.clone());
                }
                self.claim = false;
                Event::Kept
            }
            Action::Report(_) => {
                self.accepted += u32::from(self.held);
                self.held = false;
                Event::Acknowledged
            }
            Action::Remove(_) => {
                assert!(!self.held, "removed before its end was reported");
                self.container = None;
                Event::Removed
            }
            Action::Forget => {
                assert!(!self.held, "forgotten before it was acknowledged");
                (self.outbox, self.claim) = (None, false);
                Event::Forgotten
            }
            Action::End(_) => return None,
        })
    }

    fn tell(&mut self, event: Event) {
        if let Some(machine) = &mut self.machine {
            machine.on(event);
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Work | Step::Fail => {
                if let Some(event) = self.work(matches!(step, Step::Fail)) {
                    self.tell(event);
                }
            }
            Step::EndAtStart => {
                let starts = self.machine.as_ref().is_some_and(|machine| matches!(machine.action(), Action::Start(_)));
                if starts && self.work(false) == Some(Event::Started) {
                    self.take(Step::Exit(2));
                    self.tell(Event::Ended);
                }
            }
            Step::WorkAndCrash => {
                let _unheard = self.work(false);
                self.restart();
            }
            Step::Crash => self.restart(),
            Step::Exit(code) if self.runs() => {
                self.container = Some(State::Exited(crate::engine::Exited { code, ..Default::default() }));
            }
            Step::Exit(_) => {}
            Step::TakeAway => self.container = None,
            Step::RequestEnd(request) => {
                if request == EndRequest::Lost {
                    self.held = false;
                }
                self.tell(Event::EndRequested(request));
            }
            Step::GraceOver => self.tell(Event::GraceOver),
        }
        assert!(self.starts <= 1, "started twice");
        assert!(self.accepted <= 1, "accepted twice");
    }

    /// Nothing goes wrong any more.
    fn come_to_rest(&mut self) {
        for _ in 0..100 {
            match &self.machine {
                None => return,
                Some(machine) if matches!(machine.action(), Action::End(Ended::Detached)) => self.restart(),
                Some(machine) if matches!(machine.action(), Action::End(_)) => return,
                Some(_) if self.runs() => self.take(Step::Exit(0)),
                Some(_) => {}
            }
            self.take(Step::Work);
        }
        panic!("it does not end: {self:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_an_attempt_runs_once_ends_once_and_leaves_nothing(steps in prop::collection::vec(step(), 0..60)) {
        let mut world = World::new();
        let lost = steps.iter().any(|step| matches!(step, Step::RequestEnd(EndRequest::Lost)));
        for step in steps {
            world.take(step);
        }
        world.come_to_rest();
        prop_assert!(world.container.is_none() && world.outbox.is_none() && !world.held, "{world:?}");
        prop_assert!(world.accepted == 1 || lost, "{world:?}");
    }
}

fn after(events: &[Event]) -> Machine {
    let mut machine = Machine::claimed(attempt());
    events.iter().for_each(|event| machine.on(event.clone()));
    machine
}

fn started() -> Vec<Event> {
    vec![Event::ImageReady, Event::Created(NAME.to_owned()), Event::Started]
}

#[test]
fn the_stop_is_a_request_first_and_then_an_order() {
    let mut machine = after(&started());
    assert_eq!(machine.action(), Action::Watch(NAME));
    machine.on(Event::EndRequested(EndRequest::Stop(StoppedFor::Cancel)));
    assert_eq!(machine.action(), Action::Signal(NAME, Signal::Term));
    machine.on(Event::Signalled);
    // A further request meanwhile changes neither the reason nor the time it has.
    machine.on(Event::EndRequested(EndRequest::Stop(StoppedFor::Timeout)));
    assert_eq!(machine.action(), Action::WatchGrace(NAME));
    machine.on(Event::GraceOver);
    assert_eq!(machine.action(), Action::Signal(NAME, Signal::Kill));
    machine.on(Event::Signalled);
    assert_eq!(machine.action(), Action::WatchEnd(NAME));
    machine.on(Event::GraceOver);
    assert_eq!(machine.action(), Action::Signal(NAME, Signal::Kill), "the engine may have ignored the first one");
    machine.on(Event::Signalled);
    machine.on(Event::Ended);
    assert_eq!(machine.action(), Action::Examine(NAME, Some(StoppedFor::Cancel)));
}

#[test]
fn a_start_that_went_wrong_half_way_is_ended_before_it_is_reported() {
    let created = [Event::ImageReady, Event::Created(NAME.to_owned())];
    let mut machine = after(&created);
    machine.on(Event::CouldNotStart(Reason::EngineError, "no response".to_owned()));
    assert_eq!(machine.action(), Action::Signal(NAME, Signal::Kill));
    machine.on(Event::Signalled);
    assert_eq!(machine.action(), Action::WatchEnd(NAME));
    machine.on(Event::Ended);
    assert!(matches!(machine.action(), Action::Keep(verdict) if verdict.report.reason == Some(Reason::EngineError)));
}

#[test]
fn what_was_never_started_is_cancelled_without_a_signal() {
    let mut machine = after(&[Event::ImageReady, Event::Created(NAME.to_owned())]);
    machine.on(Event::EndRequested(EndRequest::Stop(StoppedFor::Cancel)));
    assert!(matches!(machine.action(), Action::Keep(verdict) if verdict.report.reason == Some(Reason::Cancelled)));
}

#[test]
fn a_lost_attempt_is_removed_and_not_reported() {
    let mut machine = after(&started());
    machine.on(Event::EndRequested(EndRequest::Lost));
    assert_eq!(machine.action(), Action::Remove(NAME));
    machine.on(Event::Removed);
    assert_eq!(machine.action(), Action::Forget);
    machine.on(Event::Forgotten);
    assert_eq!(machine.action(), Action::End(Ended::Lost));
}
