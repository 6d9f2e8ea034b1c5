//! The containers that are ready, and for which projects there should be some.

use super::spec::Kind;
use crate::engine::Input;
use crate::engine::spec::ContainerSpec;
use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// A container that waits for a job.
pub struct Ready {
    /// Its id.
    pub id: String,
    /// Its name, until it has a job.
    pub name: String,
    /// Its standard input.
    pub input: Input,
    /// Which jobs it is for.
    pub kind: Kind,
}

/// What to do so that the right containers are ready.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Start one of this kind.
    Start(Kind),
    /// Remove the one with this id, of a project that was not active lately.
    Remove(String),
}

/// Up to so many containers that are ready.
pub struct Warm {
    wanted: usize,
    state: Mutex<State>,
    /// A job was started, or something else has changed.
    pub changed: Notify,
}

#[derive(Default)]
struct State {
    /// The kinds of the last jobs, the newest first.
    recent: VecDeque<Kind>,
    ready: Vec<Ready>,
    /// The names of all containers that are being started, are ready, or are just given their job.
    names: HashSet<String>,
    /// No more are started.
    closed: bool,
}

impl Warm {
    /// Keeps up to `wanted` containers ready.
    #[must_use]
    pub fn new(wanted: usize) -> Self {
        Self { wanted, state: Mutex::default(), changed: Notify::new() }
    }

    /// Notes that a job of this kind was started, and returns the container that is ready for it, if there is one.
    #[must_use]
    pub fn take(&self, spec: &ContainerSpec) -> Option<Ready> {
        let kind = Kind::of(spec).filter(|_| self.wanted > 0)?;
        let mut state = self.state();
        state.recent.retain(|other| *other != kind && other.cache_volume != kind.cache_volume);
        state.recent.push_front(kind.clone());
        state.recent.truncate(self.wanted);
        let at = state.ready.iter().position(|ready| ready.kind == kind);
        let taken = at.map(|at| state.ready.swap_remove(at));
        drop(state);
        self.changed.notify_one();
        taken
    }

    /// Whether a container of this name is one of these.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.state().names.contains(name)
    }

    /// Forgets the name of a container that has got its job, or was removed.
    pub fn forget(&self, name: &str) {
        self.state().names.remove(name);
    }

    /// How many are ready.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.state().ready.len()
    }

    /// Whether none is ever wanted.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.wanted == 0
    }

    /// Notes a container's name before it is created. False if none is to be created any more.
    #[must_use]
    pub fn begin(&self, name: &str) -> bool {
        let mut state = self.state();
        !state.closed && state.names.insert(name.to_owned())
    }

    /// Adds a container that is ready; returns it if it comes too late.
    #[must_use]
    pub fn add(&self, ready: Ready) -> Option<Ready> {
        let mut state = self.state();
        if state.closed {
            return Some(ready);
        }
        state.ready.push(ready);
        None
    }

    /// Takes the container with this id, if it still waits.
    pub fn lose(&self, id: &str) -> Option<Ready> {
        let mut state = self.state();
        let at = state.ready.iter().position(|ready| ready.id == id)?;
        Some(state.ready.swap_remove(at))
    }

    /// The next step; none where the right containers are ready.
    #[must_use]
    pub fn next(&self) -> Option<Step> {
        let state = self.state();
        let mut missing: Vec<&Kind> = Vec::new();
        let mut surplus: Vec<&Ready> = state.ready.iter().collect();
        for kind in self.kinds(&state.recent) {
            match surplus.iter().position(|ready| ready.kind == *kind) {
                Some(at) => drop(surplus.swap_remove(at)),
                None => missing.push(kind),
            }
        }
        // First those that are not needed, so that there are never more than wanted.
        match surplus.first() {
            Some(ready) => Some(Step::Remove(ready.id.clone())),
            None => missing.first().map(|kind| Step::Start((*kind).clone())),
        }
    }

    /// The kinds of all that should be ready: of each of the last projects as many.
    fn kinds<'a>(&self, recent: &'a VecDeque<Kind>) -> impl Iterator<Item = &'a Kind> {
        recent.iter().cycle().take(if recent.is_empty() { 0 } else { self.wanted })
    }

    /// Takes all, and starts no more.
    #[must_use]
    pub fn close(&self) -> Vec<Ready> {
        let mut state = self.state();
        state.closed = true;
        std::mem::take(&mut state.ready)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::spec::{container_spec, tests::config, tests::job};
    use uuid::Uuid;

    fn spec() -> ContainerSpec {
        container_spec(&job(), &config(&[]), Uuid::nil())
    }

    fn ready(id: &str, spec: &ContainerSpec) -> Ready {
        let kind = Kind::of(spec).unwrap();
        Ready { id: id.to_owned(), name: format!("terarchitect-warm-{id}"), input: Box::pin(tokio::io::sink()), kind }
    }

    #[test]
    fn one_is_ready_for_each_of_the_last_projects_and_all_for_the_only_one() {
        let warm = Warm::new(2);
        let (first, second, third) = (spec(), spec(), spec());
        assert_eq!(warm.next(), None, "no project was active");
        assert!(warm.take(&first).is_none());
        for id in ["a", "b"] {
            assert_eq!(warm.next(), Some(Step::Start(Kind::of(&first).unwrap())));
            assert!(warm.add(ready(id, &first)).is_none());
        }
        assert_eq!(warm.next(), None);
        assert!(warm.take(&second).is_none(), "each is for its own project");
        assert!(matches!(warm.next(), Some(Step::Remove(_))));
        assert!(warm.lose("a").is_some());
        assert_eq!(warm.next(), Some(Step::Start(Kind::of(&second).unwrap())));
        assert!(warm.add(ready("c", &second)).is_none());
        assert_eq!((warm.next(), warm.ready()), (None, 2));
        assert!(warm.take(&third).is_none());
        assert_eq!(warm.next(), Some(Step::Remove("b".to_owned())), "the project that was active longest ago");
        assert_eq!(warm.take(&second).unwrap().id, "c", "used once");
        assert!(warm.take(&second).is_none());
    }

    #[test]
    fn nothing_is_kept_where_nothing_is_wanted_or_after_the_end() {
        let off = Warm::new(0);
        assert!(off.take(&spec()).is_none());
        assert_eq!(off.next(), None);
        let warm = Warm::new(1);
        let project = spec();
        assert!(warm.take(&project).is_none() && warm.begin("one") && warm.knows("one"));
        assert!(warm.close().is_empty());
        assert_eq!(warm.add(ready("a", &project)).map(|late| late.id), Some("a".to_owned()));
        assert!(!warm.begin("two"));
        warm.forget("one");
        assert!(!warm.knows("one"));
    }
}
