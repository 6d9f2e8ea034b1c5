//! A launch, and what it came to.

use crate::Agent;
use secrecy::SecretString;
use uuid::Uuid;

/// What an agent is launched with.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Names this launch, so that it happens once: v1's agent has an id that is made of it.
    pub key: Uuid,
    /// What the agent is to do.
    pub prompt: String,
    /// The repository's address.
    pub repository: String,
    /// The branch, tag or commit to start from.
    pub start: String,
    /// The branch for its work. In v0 it must be this launch's own, since an agent is found by it; v1 names branches
    /// itself.
    pub branch: String,
    /// Whether it works on `start` itself, where the version can do so: v1 alone.
    pub on_start: bool,
    /// The model; Cursor's own choice where there is none.
    pub model: Option<String>,
    /// Whether Cursor opens a pull request.
    pub open_pull: bool,
    /// Where Cursor says that it has ended; v1 has no such thing.
    pub notify: Option<Notify>,
}

/// Where Cursor says that an agent has ended.
#[derive(Clone, Debug)]
pub struct Notify {
    /// The address, of at most 2048 characters.
    pub url: String,
    /// What it signs with: 32 to 256 characters.
    pub secret: SecretString,
}

impl Launch {
    /// The id of v1's agent.
    #[must_use]
    pub fn agent_id(&self) -> String {
        format!("bc-{}", self.key)
    }
}

/// What a launch came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launched {
    /// The agent.
    pub agent: Agent,
    /// Whether an earlier call of the same launch had made it.
    pub found: bool,
}
