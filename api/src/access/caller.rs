//! The caller of a request.

use super::Visible;
use crate::db::people::sessions::Found as Session;
use crate::db::people::tokens::Found as Token;
use crate::domain::actor::Actor;
use crate::domain::people::Role;
use crate::domain::people::rights::Rights;
use crate::domain::people::token::TokenScope;
use crate::http::error::ApiError;
use crate::job_tokens::JobToken;
use axum::extract::FromRequestParts;
use http::request::Parts;
use std::sync::Arc;
use terarchitect_worker_api::WorkerId;
use uuid::Uuid;

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
    /// A signed-in person, with the cookie of a session.
    Person(Arc<Session>),
    /// With an API token.
    Token(Arc<Token>),
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
            Self::Person(session) => Actor::Person(session.person.id),
            Self::Token(token) if token.scope == TokenScope::Worker => Actor::Worker(None),
            Self::Token(token) => Actor::Token(token.id),
        }
    }

    /// As the event log records a worker that names itself.
    #[must_use]
    pub fn actor_as(&self, worker: Option<&WorkerId>) -> Actor {
        match (self.actor(), worker) {
            (Actor::Worker(_) | Actor::Local, Some(id)) => Actor::Worker(Some(id.to_string())),
            (actor, _) => actor,
        }
    }

    /// What the caller may do beside what workers do.
    #[must_use]
    pub fn rights(&self) -> Rights {
        match self {
            Self::Application | Self::Local => Rights::everywhere(Role::Admin),
            Self::Worker | Self::Job(_) => Rights::everywhere(Role::None),
            Self::Person(session) => session.person.rights(),
            Self::Token(token) => token.rights.clone(),
        }
    }

    /// The projects whose contents the caller may see. Workers serve all of them.
    #[must_use]
    pub fn visible(&self) -> Visible {
        match self {
            Self::Worker | Self::Job(_) => Visible::All,
            caller => caller.rights().visible().map_or(Visible::All, Visible::Only),
        }
    }

    /// Whether the caller is an admin.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.rights().role == Role::Admin
    }

    /// The job whose token the caller presented.
    #[must_use]
    pub fn job_token(&self) -> Option<JobToken> {
        match self {
            Self::Job(token) => Some(*token),
            _ => None,
        }
    }

    /// The session of a signed-in person.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        match self {
            Self::Person(session) => Some(session),
            _ => None,
        }
    }

    /// The person who calls, or whose token it is.
    #[must_use]
    pub fn person_id(&self) -> Option<Uuid> {
        match self {
            Self::Person(session) => Some(session.person.id),
            Self::Token(token) => token.person,
            _ => None,
        }
    }

    /// What people call the caller.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Person(session) => session.person.name.clone(),
            Self::Token(token) => token.name.clone(),
            Self::Application => "The application".to_owned(),
            Self::Local | Self::Worker | Self::Job(_) => "Someone".to_owned(),
        }
    }

    /// Whose things the caller may touch: its own alone, or, as an admin, anyone's.
    #[must_use]
    pub fn only_own(&self) -> Option<Uuid> {
        // A caller without a person owns nothing; no row has this id.
        (!self.is_admin()).then(|| self.person_id().unwrap_or(Uuid::nil()))
    }

    /// Whether this is still the same caller with the same rights as before.
    #[must_use]
    pub fn has_same_rights_as(&self, before: &Self) -> bool {
        self.actor() == before.actor() && self.rights() == before.rights()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let unguarded = || ApiError::internal("a handler asked for its caller, but its route has no guard");
        parts.extensions.get::<Self>().cloned().ok_or_else(unguarded)
    }
}
