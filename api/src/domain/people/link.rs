//! Links that work once: what each is for, how long it holds, and what is invited with one.

use super::Role;
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::domain::words::words;
use std::time::Duration;
use terarchitect_worker_api::ProjectId;

words! {
    /// What a link is for.
    pub enum LinkKind "kind of link" {
        /// Makes the first admin.
        FirstAdmin = "first_admin",
        /// Makes an account.
        Invitation = "invitation",
        /// Signs a person in.
        SignIn = "sign_in",
        /// Sets a new password.
        Reset = "reset",
    }
}

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// The longest that an invitation holds.
const MAX_INVITATION: Duration = Duration::from_secs(90 * 86_400);

impl LinkKind {
    /// For how long a link holds where nothing else is said.
    #[must_use]
    pub fn holds(self) -> Duration {
        match self {
            Self::FirstAdmin | Self::Reset => DAY,
            Self::Invitation => 7 * DAY,
            Self::SignIn => HOUR,
        }
    }
}

/// What an invitation gives: a role everywhere, or in one project.
///
/// # Errors
/// When the role is none there is, or it holds for too long.
pub fn invitation(role: Role, project: Option<ProjectId>, holds_sec: Option<u64>) -> Result<Duration, Refusal> {
    if role == Role::None || (project.is_some() && role == Role::Admin) {
        let sentence = match project {
            Some(_) => "'role' must be member or viewer, since it is for one project.",
            None => "'role' must be admin, member or viewer.",
        };
        return Err(Refusal::invalid(sentence));
    }
    let holds = holds_sec.map_or(LinkKind::Invitation.holds(), Duration::from_secs);
    if holds.is_zero() || holds > MAX_INVITATION {
        return Err(Refusal::invalid("'expires_in_sec' must be between 1 and 7776000, which is 90 days."));
    }
    Ok(holds)
}

/// The refusal of a link that works no more.
#[must_use]
pub fn gone() -> Refusal {
    let sentence = "This link was used, or is too old, or another one has replaced it; ask an admin for a new one.";
    Refusal::new(ErrorCode::LinkUsedOrExpired, sentence)
}

/// The address that a link's token is sent in: behind the #, which browsers keep to themselves.
#[must_use]
pub fn address(base: &str, token: &str) -> String {
    format!("{}/link#{token}", base.trim_end_matches('/'))
}
