//! What an agent needs to know before it starts.

use super::users::RunAs;
use super::{ModelFailure, NoProgress, ProgressSink};
use crate::stuck::Thresholds;
use secrecy::SecretString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How long an agent may take from its start until it is ready.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(60);

/// Why a model did not answer: what kind of failure, and what happened.
pub type Trouble = (ModelFailure, String);

/// Why the agent's model did not answer its last call, as a gateway in between knows it; none if it did.
pub type LastTrouble = Arc<dyn Fn() -> Option<Trouble> + Send + Sync>;

/// Everything about an agent that is decided by its caller.
#[derive(Clone)]
pub struct AgentOptions {
    /// The program, such as `opencode` from `PATH`. Empty: the one by which the agent is known.
    pub program: PathBuf,
    /// The command line of an agent that is one (`AGENT_COMMAND`), as `sh` reads it.
    pub command_line: String,
    /// A server of the agent that already runs; none is started then.
    pub server: Option<ServerAddress>,
    /// The workspace, absolute. It may still be empty when the agent starts, but must be complete when the first
    /// turn starts: the agent looks for its repository only once.
    pub directory: PathBuf,
    /// Directories outside of the workspace that the agent may use too, e.g. a cache volume. `/tmp` is always one.
    pub extra_directories: Vec<PathBuf>,
    /// The agent's language model.
    pub provider: Provider,
    /// How long one turn may take.
    pub turn_timeout: Duration,
    /// The user that the agent runs as; needs root. Unset: the runner's own.
    pub run_as: Option<RunAs>,
    /// Where the agent keeps its home, conversations and logs. Created if it is missing; belongs to the agent's user.
    pub state_dir: PathBuf,
    /// More variables for the agent and what it starts. Nothing of the runner's own environment is passed on but
    /// paths, language, proxies and CA certificates.
    pub extra_env: Vec<(String, String)>,
    /// Secrets of the project for the agent and what it starts. Variables of the runner's and the agent's own of the same names
    /// come before them.
    pub secrets: Vec<(String, SecretString)>,
    /// Whether the repository's own configuration of the agent counts.
    pub project_config: ProjectConfig,
    /// Whether people answer what the agent asks. Otherwise it is told at once to decide by itself, and gets no permission.
    pub may_ask: bool,
    /// How the agent's model fares; none where nothing knows.
    pub last_trouble: Option<LastTrouble>,
    /// From when on the agent counts as stuck.
    pub stuck: Thresholds,
    /// Receives live events.
    pub progress: Arc<dyn ProgressSink>,
    /// How long the agent may take until it is ready.
    pub startup_timeout: Duration,
}

impl AgentOptions {
    /// Options with the least that is needed: turns take up to an hour, the agent is the runner's own user, and its
    /// events are ignored.
    #[must_use]
    pub fn new(program: PathBuf, directory: PathBuf, state_dir: PathBuf, provider: Provider) -> Self {
        Self {
            program,
            command_line: String::new(),
            server: None,
            directory,
            extra_directories: Vec::new(),
            provider,
            turn_timeout: Duration::from_secs(3600),
            run_as: None,
            state_dir,
            extra_env: Vec::new(),
            secrets: Vec::new(),
            project_config: ProjectConfig::Trusted,
            may_ask: false,
            last_trouble: None,
            stuck: Thresholds::default(),
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
    /// The API's base as [`api_base`](terarchitect_outbound::api_base) returns it (`WORKER_LLM_URL`).
    pub base_url: Url,
    /// The model's name there (`WORKER_MODEL`).
    pub model: String,
    /// The key, where one is needed (`WORKER_API_KEY`).
    pub api_key: Option<SecretString>,
    /// What the model can take. Unset: the agent compacts its conversation only after the model's server has refused
    /// it for its length, and asks for answers of up to 32 000 tokens.
    pub limits: Option<ModelLimits>,
}

/// The most that a model can take, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelLimits {
    /// The conversation and the answer together.
    pub context: u32,
    /// One answer.
    pub output: u32,
}

/// Where a running server of the agent listens.
#[derive(Clone, Debug)]
pub struct ServerAddress {
    /// Its base address (`OPENCODE_SERVER_URL`).
    pub url: Url,
    /// Its user, `opencode` unless set (`OPENCODE_SERVER_USERNAME`).
    pub username: Option<String>,
    /// Its password, where it asks for one (`OPENCODE_SERVER_PASSWORD`).
    pub password: Option<SecretString>,
}
