//! API tokens: what each is for, and who may make which.

use super::rights::{Rights, not_allowed};
use super::{ProjectRole, Role};
use crate::domain::refusal::Refusal;
use crate::domain::words::words;
use std::time::Duration;
use terarchitect_worker_api::ProjectId;

/// The longest that a token with an expiry holds: ten years.
const MAX_HOLDS: Duration = Duration::from_secs(3_650 * 86_400);

words! {
    /// What a token gives access to.
    pub enum TokenScope "scope" {
        /// What its role may do, like a person.
        App = "app",
        /// What the worker key gives access to.
        Worker = "worker",
        /// What sends data in.
        Ingest = "ingest",
    }
}

/// What a token is asked to be.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// For what.
    pub scope: TokenScope,
    /// The role of one with the scope `app`.
    pub role: Option<Role>,
    /// The only project, if any.
    pub project: Option<ProjectId>,
}

/// The role of a token that a caller with these rights may make.
///
/// # Errors
/// When its parts do not fit together, or it would be more than its maker.
pub fn granted(maker: &Rights, wanted: Wanted) -> Result<Option<Role>, Refusal> {
    match (wanted.scope, wanted.project) {
        (TokenScope::App, project) => app_role(maker, wanted.role.unwrap_or(Role::Viewer), project).map(Some),
        (_, _) if wanted.role.is_some() => Err(Refusal::invalid("'role' is for tokens with the scope app.")),
        (TokenScope::Worker, Some(_)) => Err(Refusal::invalid("A token with the scope worker is for all projects.")),
        (TokenScope::Worker, None) => maker.require(Role::Admin).map(|()| None),
        (TokenScope::Ingest, Some(project)) => maker.require_in(project, Role::Member).map(|()| None),
        (TokenScope::Ingest, None) => maker.require(Role::Member).map(|()| None),
    }
}

fn app_role(maker: &Rights, role: Role, project: Option<ProjectId>) -> Result<Role, Refusal> {
    let Some(project) = project else {
        if role == Role::None {
            return Err(Refusal::invalid("'role' must be admin, member or viewer."));
        }
        return if maker.role.includes(role) { Ok(role) } else { Err(not_allowed(role)) };
    };
    if !matches!(role, Role::Member | Role::Viewer) {
        return Err(Refusal::invalid("'role' must be member or viewer, since the token is for one project."));
    }
    maker.require_in(project, role).map(|()| role)
}

/// What a token with the scope `app` may do by itself.
#[must_use]
pub fn rights(role: Role, project: Option<ProjectId>) -> Rights {
    match (project, role) {
        (None, role) => Rights::everywhere(role),
        (Some(_), Role::None) => Rights::everywhere(Role::None),
        (Some(project), Role::Viewer) => Rights::only_in(project, ProjectRole::Viewer),
        (Some(project), Role::Member | Role::Admin) => Rights::only_in(project, ProjectRole::Member),
    }
}

/// For how long a token holds; none: until it is revoked.
///
/// # Errors
/// When it would be no time at all, or too long.
pub fn holds(seconds: Option<u64>) -> Result<Option<Duration>, Refusal> {
    let holds = seconds.map(Duration::from_secs);
    if holds.is_some_and(|holds| holds.is_zero() || holds > MAX_HOLDS) {
        return Err(Refusal::invalid("'expires_in_sec' must be between 1 and 315360000, which is ten years."));
    }
    Ok(holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(scope: TokenScope, role: Option<Role>, project: Option<ProjectId>) -> Wanted {
        Wanted { scope, role, project }
    }

    #[test]
    fn nobody_makes_a_token_that_is_more_than_themselves() {
        let (own, other) = (ProjectId::new(), ProjectId::new());
        let member = Rights::only_in(own, ProjectRole::Member);
        let app = |role, project| granted(&member, wanted(TokenScope::App, Some(role), project));
        assert_eq!(app(Role::Member, Some(own)).unwrap(), Some(Role::Member));
        assert!(app(Role::Viewer, None).is_err() && app(Role::Viewer, Some(other)).is_err());
        assert!(app(Role::Admin, Some(own)).is_err());
        assert!(granted(&member, wanted(TokenScope::Worker, None, None)).is_err());
        assert!(granted(&member, wanted(TokenScope::Ingest, None, Some(own))).is_ok());
        let admin = Rights::everywhere(Role::Admin);
        assert!(granted(&admin, wanted(TokenScope::Worker, None, None)).is_ok());
        assert!(granted(&admin, wanted(TokenScope::Worker, Some(Role::Admin), None)).is_err());
    }
}
