//! How long each phase of an attempt takes.

use std::time::{Duration, Instant};

/// A stopwatch for named phases.
#[derive(Debug)]
pub(super) struct Phases {
    last: Instant,
    done: Vec<(String, Duration)>,
}

impl Phases {
    pub(super) fn start() -> Self {
        Self { last: Instant::now(), done: Vec::new() }
    }

    /// Ends the current phase; the next begins now.
    pub(super) fn end(&mut self, name: &str) -> Duration {
        let took = self.last.elapsed();
        self.last = Instant::now();
        self.done.push((name.to_owned(), took));
        took
    }

    /// All phases so far.
    pub(super) fn all(&self) -> Vec<(String, Duration)> {
        self.done.clone()
    }
}
