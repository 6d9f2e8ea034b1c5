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
    /// The workspace, absolute. It may still be empty when the server starts, but must be complete when the first
    /// turn does: the agent looks for its repository once.
    pub directory: PathBuf,
    /// Directories outside of the workspace that the agent may use too, e.g. a cache volume. `/tmp` is always one.
    pub extra_directories: Vec<PathBuf>,
    /// The agent's language model.
    pub provider: Provider,
    /// How long one turn may take.
    pub turn_timeout: Duration,
    /// The user that the agent runs as; needs root. Unset: the runner's own.
    pub run_as: Option<RunAs>,
    /// Where the agent keeps its home, sessions and logs. Made if it is missing; belongs to the agent's user.
    pub state_dir: PathBuf,
    /// More variables for the agent and what it starts. Nothing of the runner's own environment is passed on but
    /// paths, language, proxies and CA certificates.
    pub extra_env: Vec<(String, String)>,
    /// Whether the workspace's own `opencode.json` and `.opencode/` count.
    pub project_config: ProjectConfig,
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
            extra_directories: Vec::new(),
            provider,
            turn_timeout: Duration::from_secs(3600),
            run_as: None,
            state_dir,
            extra_env: Vec::new(),
            project_config: ProjectConfig::Trusted,
            progress: Arc::new(NoProgress),
            startup_timeout: STARTUP_TIMEOUT,
        }
    }
}

/// Whether a repository may configure the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectConfig {
    /// Its configuration files count.
    Trusted,
    /// They are ignored.
    Ignored,
}

/// A language model behind an OpenAI-compatible API.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The API's base as [`api_base`](crate::worker::api_base) gives it (`WORKER_LLM_URL`).
    pub base_url: Url,
    /// The model's name there (`WORKER_MODEL`).
    pub model: String,
    /// The key, where one is needed (`WORKER_API_KEY`).
    pub api_key: Option<SecretString>,
    /// How long a conversation the model takes, and how much it writes, in tokens. Unset: the agent compacts only
    /// once the model's server refuses a conversation for its length, and asks for up to 32 000 tokens.
    pub limits: Option<ModelLimits>,
}

/// What a model can take, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelLimits {
    /// Conversation and answer together.
    pub context: u32,
    /// One answer.
    pub output: u32,
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
