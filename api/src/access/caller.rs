//! The caller of a request.

use super::Visible;
use crate::domain::actor::Actor;
use crate::http::error::ApiError;
use crate::job_tokens::JobToken;
use axum::extract::FromRequestParts;
use http::request::Parts;
use terarchitect_worker_api::WorkerId;

/// The caller of a request. A guard determines it, and every handler behind a guard can extract it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// With the application's key.
    Application,
    /// With the worker key.
    Worker,
    /// From the container of a running job, with its token.
    Job(JobToken),
    /// From the API's own machine, where no key is set.
    Local,
}

impl Caller {
    /// As the event log records it.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match self {
            Self::Application => Actor::ApiKey,
            Self::Worker => Actor::Worker(None),
            Self::Job(token) => Actor::Job(token.job_id),
            Self::Local => Actor::Local,
        }
    }

    /// As the event log records a worker that names itself.
    #[must_use]
    pub fn actor_as(&self, worker: Option<&WorkerId>) -> Actor {
        match (self, worker) {
            (Self::Worker | Self::Local, Some(id)) => Actor::Worker(Some(id.to_string())),
            _ => self.actor(),
        }
    }

    /// The projects whose contents the caller may see.
    #[must_use]
    pub fn visible(&self) -> Visible {
        Visible::All
    }

    /// The job whose token the caller presented.
    #[must_use]
    pub fn job_token(&self) -> Option<JobToken> {
        match self {
            Self::Job(token) => Some(*token),
            Self::Application | Self::Worker | Self::Local => None,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let unguarded = || ApiError::internal("a handler asked for its caller, but its route has no guard");
        parts.extensions.get::<Self>().cloned().ok_or_else(unguarded)
    }
}
