//! What endpoints need of their callers.

use crate::domain::people::Role;

/// What an endpoint needs of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing, but a page of another origin may not call.
    Open,
    /// Someone who is known.
    SignedIn,
    /// A role: in the project of the path, or everywhere where the path has none.
    Role(Role),
    /// A coordinator or runner.
    Worker,
    /// A coordinator or runner, or the job of the ticket in the path.
    Runner,
    /// A role, or a coordinator or runner.
    RoleOrWorker(Role),
    /// Someone who is known, or what sends data in.
    Ingest,
    /// A role, or what sends data in.
    RoleOrIngest(Role),
}

impl Need {
    /// Whether the application's key, people and tokens with the scope `app` get in, as far as their role allows.
    pub(super) fn admits_application(self) -> bool {
        !matches!(self, Self::Open | Self::Worker | Self::Runner)
    }

    /// Whether tokens with the scope `ingest` get in, as far as they reach.
    pub(super) fn admits_ingest(self) -> bool {
        matches!(self, Self::Ingest | Self::RoleOrIngest(_))
    }

    /// Whether the worker key gets in.
    pub(super) fn admits_worker(self) -> bool {
        matches!(self, Self::Worker | Self::Runner | Self::RoleOrWorker(_))
    }
}
