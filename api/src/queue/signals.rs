//! What the database notifies the process of, and which kept data is therefore valid.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use terarchitect_worker_api::ProjectId;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The projects that may have something for a waiting claim; none: any project.
pub(super) type DueProjects = Option<Vec<ProjectId>>;

/// What the database notifies the process of.
pub struct Signals {
    wake: Box<dyn Fn(DueProjects) + Send + Sync>,
    /// Whether the process is notified of every change. While it is not, nothing that was read before may be trusted.
    listening: AtomicBool,
    /// Rises whenever settings or directives may have changed.
    settings: AtomicU64,
    /// Something was delayed: the next due time may have changed.
    delayed: Notify,
    /// When leases may be ended: a lease period after the start, or after the database was lost, since no lease could
    /// be renewed in between.
    leases_trusted_from: Mutex<Instant>,
    lease: Duration,
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listening = self.listening.load(Ordering::SeqCst);
        f.debug_struct("Signals").field("listening", &listening).finish_non_exhaustive()
    }
}

impl Signals {
    /// `wake` notifies waiting claims.
    pub(super) fn new(wake: impl Fn(DueProjects) + Send + Sync + 'static, lease: Duration) -> Self {
        Self {
            wake: Box::new(wake),
            listening: AtomicBool::new(false),
            settings: AtomicU64::new(0),
            delayed: Notify::new(),
            leases_trusted_from: Mutex::new(Instant::now() + lease),
            lease,
        }
    }

    /// Notifies waiting claims that these projects may have a job for them.
    pub(super) fn wake(&self, projects: DueProjects) {
        (self.wake)(projects);
    }

    /// From now on the process is notified of every change; what happened before is read again.
    pub(super) fn listening(&self) {
        self.settings_changed();
        self.listening.store(true, Ordering::SeqCst);
        self.delayed.notify_one();
        self.wake(None);
    }

    /// The process is no longer notified of changes.
    pub(super) fn not_listening(&self) {
        self.listening.store(false, Ordering::SeqCst);
        self.distrust_leases();
    }

    /// Whether the process is notified of every change.
    pub(super) fn is_listening(&self) -> bool {
        self.listening.load(Ordering::SeqCst)
    }

    /// Settings or directives may have changed.
    pub fn settings_changed(&self) {
        self.settings.fetch_add(1, Ordering::SeqCst);
    }

    /// Names the present state of the settings; none while the process is not notified of changes, so that nothing is
    /// kept.
    #[must_use]
    pub fn settings_version(&self) -> Option<u64> {
        self.is_listening().then(|| self.settings.load(Ordering::SeqCst))
    }

    /// Waits until something was delayed: the next due time may have changed.
    pub async fn delayed(&self) {
        self.delayed.notified().await;
    }

    /// Something was delayed.
    pub(super) fn delay(&self) {
        self.delayed.notify_one();
    }

    /// Leases must not be ended for a lease period: workers may have been unable to renew them.
    pub fn distrust_leases(&self) {
        *self.leases_trusted_from.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + self.lease;
    }

    /// Whether every worker has had time to renew its leases.
    #[must_use]
    pub fn leases_are_trusted(&self) -> bool {
        Instant::now() >= *self.leases_trusted_from.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
