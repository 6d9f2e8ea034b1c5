//! What OpenCode needs to know before it starts.

use crate::worker::{NoProgress, ProgressSink};
use secrecy::SecretString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How long the server may take from its start to its first healthy answer.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(60);

/// Everything that is decided outside of this module.
#[derive(Clone)]
pub struct OpenCodeOptions {
    /// The program (`OPENCODE_BIN`, by default `opencode` from `PATH`).
    pub binary: PathBuf,
    /// A server that runs already; none is started then.
    pub server: Option<ServerAddress>,
    /// The workspace. It may still be empty when the server starts, but must exist when the first turn does.
    pub directory: PathBuf,
    /// The agent's language model.
    pub provider: Provider,
    /// How long one turn may take.
    pub turn_timeout: Duration,
    /// The user that the agent runs as; needs root. Unset: the runner's own.
    pub run_as: Option<RunAs>,
    /// Where the agent keeps its home, sessions and logs. Made if it is missing; belongs to the agent's user.
    pub state_dir: PathBuf,
    /// Who watches.
    pub progress: Arc<dyn ProgressSink>,
    /// How long the server may take to start.
    pub startup_timeout: Duration,
}

impl OpenCodeOptions {
    /// Options with `opencode` from `PATH`, turns of an hour, the runner's own user, and nobody watching.
    #[must_use]
    pub fn new(directory: PathBuf, state_dir: PathBuf, provider: Provider) -> Self {
        Self {
            binary: PathBuf::from("opencode"),
            server: None,
            directory,
            provider,
            turn_timeout: Duration::from_secs(3600),
            run_as: None,
            state_dir,
            progress: Arc::new(NoProgress),
            startup_timeout: STARTUP_TIMEOUT,
        }
    }
}

/// A language model behind an OpenAI-compatible API.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The API's base, e.g. `https://host/v1` (`WORKER_LLM_URL`).
    pub base_url: Url,
    /// The model's name there (`WORKER_MODEL`).
    pub model: String,
    /// The key, where one is needed (`WORKER_API_KEY`).
    pub api_key: Option<SecretString>,
}

/// A user of the system, by numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunAs {
    /// The user.
    pub uid: u32,
    /// Its group; all other groups are dropped.
    pub gid: u32,
    /// What becomes `HOME`.
    pub home: PathBuf,
}

/// Where a running OpenCode server listens.
#[derive(Clone, Debug)]
pub struct ServerAddress {
    /// Its base address (`OPENCODE_SERVER_URL`).
    pub url: Url,
    /// Its user, `opencode` unless set (`OPENCODE_SERVER_USERNAME`).
    pub username: Option<String>,
    /// Its password, where it asks for one (`OPENCODE_SERVER_PASSWORD`).
    pub password: Option<SecretString>,
}
