//! What a coordinator knows of its host and tells the API with each heartbeat: engine, disk, what its checks found, and how
//! many jobs it took over. Only memory: [`crate::service`] keeps it up to date.

use std::sync::{Mutex, MutexGuard, PoisonError};
use terarchitect_worker_api::HostFinding;

/// What is known of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// The container engine and its version.
    pub engine: Option<String>,
    /// How much space the engine's disk has free, and how large it is, in bytes.
    pub disk: Option<(u64, u64)>,
    /// How many jobs of an earlier process were taken over at the start.
    pub adopted: u32,
    /// What the checks found; none before the first ones.
    pub findings: Option<Vec<HostFinding>>,
}

/// The same, shared between those who find out and the heartbeats.
#[derive(Debug, Default)]
pub struct SharedHost(Mutex<Host>);

impl SharedHost {
    /// What is known now.
    #[must_use]
    pub fn get(&self) -> Host {
        self.lock().clone()
    }

    /// Changes what is known.
    pub fn edit(&self, change: impl FnOnce(&mut Host)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Host> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
