//! The life of one job: which container it gets, what happens to it, and what is reported at its end.
//!
//! [`machine`] decides what comes next and [`life`] does it. [`spec`] says which container a job gets, [`outcome`] what
//! its exit means; neither does any IO. What all jobs of a coordinator share, and how one is requested to end, is here.

pub mod life;
pub mod machine;
pub mod outcome;
mod report;
pub mod spec;
#[cfg(test)]
mod tests;
mod watch;

pub use life::supervise;
pub use machine::Ended;
pub(crate) use watch::wait_for_end;

use crate::attempt::Verdict;
use crate::config::Config;
use crate::deadline::Moment;
use crate::engine::spec::ContainerSpec;
use crate::engine::{ContainerEngine, Found};
use crate::host::SharedHost;
use crate::images::Images;
use crate::metrics::Metrics;
use crate::state_dir::StateDir;
use crate::warm::Warm;
use std::sync::Arc;
use std::time::Duration;
use terarchitect_worker_api::client::WorkerClient;
use tokio::sync::{Semaphore, watch as channel};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

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
    /// Limits simultaneous starts to the number of processors: more at once would only make each of them slower.
    pub starts: Semaphore,
    /// Which images are available, and which could not be pulled a short while ago.
    pub images: Images,
    /// The metrics of the process.
    pub metrics: Metrics,
    /// What heartbeats say about this host.
    pub host: SharedHost,
    /// The containers that are ready for jobs to come.
    pub warm: Warm,
}

/// What can be requested of a job while it runs, and until when its lease holds.
#[derive(Clone, Debug, Default)]
pub struct Controls {
    /// Until when the lease holds for certain. None where that is not known: the container was adopted, and the API has
    /// not been reached since.
    pub lease: Arc<channel::Sender<Option<Moment>>>,
    /// Stop the container and report that it was cancelled.
    pub cancel: CancellationToken,
    /// The attempt is no longer held here: stop the container and report nothing.
    pub lost: CancellationToken,
    /// Leave the container running and end the supervision.
    pub detach: CancellationToken,
}

impl Controls {
    /// Notes that the lease holds until then.
    pub fn renew(&self, until: Moment) {
        self.lease.send_replace(Some(until));
    }
}

/// Where a job comes from.
#[derive(Debug)]
pub enum Origin {
    /// It was claimed now.
    Claimed(Box<Claim>),
    /// An earlier coordinator left its container.
    Adopted(Box<Found>),
    /// Only its report is left to be sent.
    Report(Box<Verdict>),
}

/// A claimed job, as far as its supervision needs it.
#[derive(Debug)]
pub struct Claim {
    /// The container to create.
    pub spec: ContainerSpec,
    /// How long it may run.
    pub timeout: Option<Duration>,
    /// The claim's request id.
    pub request: Uuid,
}
