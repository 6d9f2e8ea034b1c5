//! What the process hears from the database, and what it may therefore trust.

use super::dispatcher::Event;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use terarchitect_worker_api::ProjectId;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

/// What the process hears from the database.
#[derive(Debug)]
pub struct Signals {
    claims: mpsc::UnboundedSender<Event>,
    /// Whether every change is heard of. While not, nothing that was read before may be believed.
    listening: AtomicBool,
    /// Rises whenever settings or directives may have changed.
    settings: AtomicU64,
    /// Something was delayed: the next due time may have changed.
    pub(super) delayed: Notify,
    /// When leases may be ended: a lease period after the start, or after the database was lost, since nobody could
    /// renew a lease in between.
    leases_trusted_from: Mutex<Instant>,
    lease: Duration,
}

impl Signals {
    pub(super) fn new(claims: mpsc::UnboundedSender<Event>, lease: Duration) -> Self {
        Self {
            claims,
            listening: AtomicBool::new(false),
            settings: AtomicU64::new(0),
            delayed: Notify::new(),
            leases_trusted_from: Mutex::new(Instant::now() + lease),
            lease,
        }
    }

    /// Tells waiting claims that these projects may have something for them; `None`: any project.
    pub(super) fn wake(&self, projects: Option<Vec<ProjectId>>) {
        // Fails only when the dispatcher has ended, with everybody who waited.
        let _ = self.claims.send(Event::Wake(projects));
    }

    /// From now on every change is heard of; what happened before is looked at again.
    pub(super) fn heard(&self) {
        self.settings_changed();
        self.listening.store(true, Ordering::SeqCst);
        self.delayed.notify_one();
        self.wake(None);
    }

    /// Changes are not heard of any more.
    pub(super) fn deaf(&self) {
        self.listening.store(false, Ordering::SeqCst);
        self.distrust_leases();
    }

    /// Whether every change is heard of.
    pub(super) fn is_listening(&self) -> bool {
        self.listening.load(Ordering::SeqCst)
    }

    /// Settings or directives may have changed.
    pub fn settings_changed(&self) {
        self.settings.fetch_add(1, Ordering::SeqCst);
    }

    /// Names the present state of the settings; none while changes are not heard of, so that nothing may be kept.
    #[must_use]
    pub fn settings_version(&self) -> Option<u64> {
        self.is_listening().then(|| self.settings.load(Ordering::SeqCst))
    }

    pub(super) fn distrust_leases(&self) {
        *self.leases_trusted_from.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + self.lease;
    }

    pub(super) fn leases_are_trusted(&self) -> bool {
        Instant::now() >= *self.leases_trusted_from.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
