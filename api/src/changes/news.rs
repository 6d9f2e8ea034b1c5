//! How often something happened that changes what lists show. An answer that was worked out since the last time is still right.

use crate::db::live::events::Event;
use crate::domain::live::event::EventKind;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what changes lists: of this process at its commit, of others when their events are read.
#[derive(Debug, Default)]
pub(super) struct News(AtomicU64);

impl News {
    /// Something of one of these kinds has happened.
    pub(super) fn count(&self, kinds: impl IntoIterator<Item = EventKind>) {
        if kinds.into_iter().any(EventKind::changes_lists) {
            self.count_one();
        }
    }

    /// These events were read.
    pub(super) fn count_events(&self, events: &[Event]) {
        self.count(events.iter().map(|event| event.kind));
    }

    /// Something has happened that changes lists.
    pub(super) fn count_one(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// How often it has.
    pub(super) fn so_far(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}
