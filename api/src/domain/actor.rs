//! Who makes a change, as the event log records it.

use std::fmt;
use terarchitect_worker_api::JobId;
use uuid::Uuid;

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
    /// A signed-in person.
    Person(Uuid),
    /// Who has this API token.
    Token(Uuid),
    /// Someone who is not signed in, such as with a wrong password.
    Unknown,
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
            Self::Person(id) => write!(f, "person:{id}"),
            Self::Token(id) => write!(f, "token:{id}"),
            Self::Unknown => f.write_str("unknown"),
            Self::System => f.write_str("system"),
        }
    }
}

impl Actor {
    /// Whether what it does belongs into the audit: what people do, and programs for them. What workers and the API itself
    /// do is in the event log alone.
    #[must_use]
    pub fn is_audited(&self) -> bool {
        match self {
            Self::ApiKey | Self::Local | Self::Person(_) | Self::Token(_) | Self::Unknown => true,
            Self::Worker(_) | Self::Job(_) | Self::System => false,
        }
    }
}
