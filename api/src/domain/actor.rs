//! Who makes a change, as the event log records it.

use std::fmt;
use terarchitect_worker_api::JobId;

/// Who makes a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A caller with the application's key.
    ApiKey,
    /// A caller on the API's own machine, where no key is configured.
    Local,
    /// A worker, with its name for itself where it sent one.
    Worker(Option<String>),
    /// The runner of this job, by its job token.
    Job(JobId),
    /// The API itself: leases that expire, delays that end, retention.
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey => f.write_str("api-key"),
            Self::Local => f.write_str("local"),
            Self::Worker(None) => f.write_str("worker"),
            Self::Worker(Some(id)) => write!(f, "worker:{id}"),
            Self::Job(id) => write!(f, "job:{id}"),
            Self::System => f.write_str("system"),
        }
    }
}
