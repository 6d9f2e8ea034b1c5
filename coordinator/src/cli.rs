//! Command line and environment. Every option is an argument with an environment variable, so `--help` is the reference.

#![allow(rustdoc::broken_intra_doc_links, rustdoc::bare_urls, reason = "the options' texts are written for --help")]

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Where an engine listens unless it was told otherwise.
pub const DEFAULT_DOCKER_HOST: &str = "unix:///var/run/docker.sock";

/// Claims jobs from Terarchitect's API and runs one agent container each.
#[derive(Debug, Parser)]
#[command(name = "terarchitect-coordinator", version, max_term_width = 110, after_help = AFTER_HELP)]
pub struct Cli {
    /// What to do; claims and runs jobs when absent.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How.
    #[command(flatten)]
    pub options: Options,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Claim and run jobs until a signal (the default).
    Run,
    /// Claim one job, run it, report it, and end; for autoscalers. Without work it ends after a while.
    RunOnce {
        /// How long to wait for a job, in seconds.
        #[arg(long, default_value_t = 60, value_name = "SECONDS")]
        wait_sec: u64,
    },
    /// Check everything that jobs need, and say for each what to do.
    Doctor,
}

/// How to do it.
#[derive(Debug, Args)]
pub struct Options {
    /// The API's address, such as http://localhost:5010; localhost is rewritten for containers.
    #[arg(
        long,
        global = true,
        env = "TERARCHITECT_API_URL",
        default_value = "",
        hide_default_value = true,
        value_name = "URL"
    )]
    pub api_url: String,
    /// The API's address as containers reach it, where rewriting localhost is not enough.
    #[arg(
        long,
        global = true,
        env = "CONTAINER_API_URL",
        default_value = "",
        hide_default_value = true,
        value_name = "URL"
    )]
    pub container_api_url: String,
    /// The API's worker key.
    #[arg(
        long,
        global = true,
        env = "TERARCHITECT_WORKER_API_KEY",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true,
        value_name = "KEY"
    )]
    pub worker_api_key: String,
    /// Claim for this project alone.
    #[arg(long, global = true, env = "PROJECT_ID", default_value = "", hide_default_value = true, value_name = "UUID")]
    pub project_id: String,
    /// Claim for these projects, separated by commas. With neither this nor PROJECT_ID: for any project.
    #[arg(
        long,
        global = true,
        env = "PROJECT_IDS",
        default_value = "",
        hide_default_value = true,
        value_name = "UUID,…"
    )]
    pub project_ids: String,
    /// Passed to the container, to clone, push and open pull requests; the API's settings have one too.
    #[arg(
        long,
        global = true,
        env = "GITHUB_TOKEN",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true,
        value_name = "TOKEN"
    )]
    pub github_token: String,
    /// The image to run.
    #[arg(long, global = true, env = "AGENT_IMAGE", default_value = "terarchitect-agent", value_name = "IMAGE")]
    pub agent_image: String,
    /// How many containers run at once [default: what the API's settings say, else 1].
    #[arg(
        long,
        global = true,
        env = "MAX_CONCURRENT_AGENTS",
        default_value = "",
        hide_default_value = true,
        value_name = "N"
    )]
    pub max_concurrent_agents: String,
    /// Seconds between two claims when there is no work and the API does not hold claims, or does not answer.
    #[arg(long, global = true, env = "POLL_INTERVAL_SEC", default_value = "10", value_name = "SECONDS")]
    pub poll_interval_sec: String,
    /// Seconds between asking a container to stop and killing it.
    #[arg(long, global = true, env = "AGENT_STOP_GRACE_SEC", default_value = "30", value_name = "SECONDS")]
    pub stop_grace_sec: String,
    /// Where the coordinator's identity and its unsent reports are kept [default: /var/lib/terarchitect-coordinator as
    /// root, else $XDG_STATE_HOME/terarchitect-coordinator or ~/.local/state/terarchitect-coordinator].
    #[arg(
        long,
        global = true,
        env = "COORDINATOR_STATE_DIR",
        default_value = "",
        hide_default_value = true,
        value_name = "DIR"
    )]
    pub state_dir: String,
    /// What TERM and INT do: wait for running jobs, detach from them for the next coordinator, or cancel them.
    #[arg(long, global = true, env = "DRAIN_MODE", default_value = "wait")]
    pub drain_mode: DrainMode,
    /// Memory, and memory with swap, of a container, in MiB; 0: no limit.
    #[arg(long, global = true, env = "AGENT_MEMORY_MB", default_value_t = 4096, value_name = "MIB")]
    pub memory_mb: i64,
    /// Processors of a container; 0: no limit.
    #[arg(long, global = true, env = "AGENT_CPUS", default_value_t = 2.0, value_name = "N")]
    pub cpus: f64,
    /// Processes of a container; 0: no limit.
    #[arg(long, global = true, env = "AGENT_PIDS", default_value_t = 1024, value_name = "N")]
    pub pids: i64,
    /// The network of containers [default: the engine's bridge].
    #[arg(
        long,
        global = true,
        env = "AGENT_NETWORK",
        default_value = "",
        hide_default_value = true,
        value_name = "NAME"
    )]
    pub network: String,
    /// Capabilities to give containers beyond the few that they need, separated by commas.
    #[arg(
        long,
        global = true,
        env = "AGENT_CAP_ADD",
        default_value = "",
        hide_default_value = true,
        value_name = "NAME,…"
    )]
    pub cap_add: String,
    /// More variables of this environment to pass to containers, separated by commas.
    #[arg(
        long,
        global = true,
        env = "AGENT_ENV_PASSTHROUGH",
        default_value = "",
        hide_default_value = true,
        value_name = "NAME,…"
    )]
    pub env_passthrough: String,
    /// How secrets reach the runner: over standard input, where neither `docker inspect` nor the process list shows
    /// them, or as variables.
    #[arg(long, global = true, env = "AGENT_SECRETS", default_value = "stdin")]
    pub secrets: SecretsBy,
    /// Whether containers may use a Docker engine: none, one of their own inside (dind, needs --privileged), or the
    /// host's through its socket (dood, which gives an agent the whole host).
    #[arg(long, global = true, env = "AGENT_DOCKER_MODE", default_value = "none")]
    pub docker_mode: DockerMode,
    /// The engine's runtime for containers, such as runsc [default: the engine's own].
    #[arg(
        long,
        global = true,
        env = "AGENT_RUNTIME",
        default_value = "",
        hide_default_value = true,
        value_name = "NAME"
    )]
    pub runtime: String,
    /// A file with all CA certificates that agents should trust, such as /etc/ssl/certs/ca-certificates.crt of this
    /// machine; mounted read-only.
    #[arg(
        long,
        global = true,
        env = "AGENT_EXTRA_CA_CERTS",
        default_value = "",
        hide_default_value = true,
        value_name = "FILE"
    )]
    pub extra_ca_certs: String,
    /// When to pull images: if they are missing, always (once per start), or never.
    #[arg(long, global = true, env = "AGENT_PULL_POLICY", default_value = "missing")]
    pub pull_policy: PullPolicy,
    /// The user of the registry; without it, what `docker login` left in ~/.docker/config.json is used.
    #[arg(
        long,
        global = true,
        env = "AGENT_REGISTRY_USERNAME",
        default_value = "",
        hide_default_value = true,
        value_name = "NAME"
    )]
    pub registry_username: String,
    /// The password of the registry.
    #[arg(
        long,
        global = true,
        env = "AGENT_REGISTRY_PASSWORD",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true,
        value_name = "PASSWORD"
    )]
    pub registry_password: String,
    /// Where the engine listens.
    #[arg(
        long,
        global = true,
        env = "DOCKER_HOST",
        default_value = DEFAULT_DOCKER_HOST,
        value_name = "unix://PATH|tcp://HOST:PORT"
    )]
    pub docker_host: String,
    /// How long the engine may take for one call, in seconds.
    #[arg(
        long,
        global = true,
        env = "COORDINATOR_ENGINE_TIMEOUT_SEC",
        default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..),
        value_name = "SECONDS"
    )]
    pub engine_timeout_sec: u64,
    /// Claim nothing while the engine's disk has less free space than this, in MiB; 0: never look.
    #[arg(long, global = true, env = "COORDINATOR_MIN_FREE_MB", default_value_t = 2048, value_name = "MIB")]
    pub min_free_mb: u64,
    /// Run jobs of local projects on this machine itself, in the project's path: 1 to allow it.
    #[arg(
        long,
        global = true,
        env = "ALLOW_LOCAL_EXECUTION",
        default_value = "",
        hide_default_value = true,
        value_name = "1"
    )]
    pub allow_local_execution: String,
    /// The runner's program, for local projects.
    #[arg(long, global = true, env = "AGENT_RUNNER_BIN", default_value = "agent-runner", value_name = "FILE")]
    pub runner_bin: PathBuf,
    /// Serve /metrics and /health at this address, such as 127.0.0.1:9464.
    #[arg(
        long,
        global = true,
        env = "METRICS_ADDR",
        default_value = "",
        hide_default_value = true,
        value_name = "HOST:PORT"
    )]
    pub metrics_addr: String,
    /// Write this file once jobs are claimed, for scripts that start the coordinator.
    #[arg(
        long,
        global = true,
        env = "COORDINATOR_READY_FILE",
        default_value = "",
        hide_default_value = true,
        value_name = "FILE"
    )]
    pub ready_file: String,
    /// How to log.
    #[arg(long, global = true, env = "LOG_FORMAT", default_value = "pretty")]
    pub log_format: LogFormat,
}

const AFTER_HELP: &str = "These variables are passed on to containers when they are set: AGENT_LLM_URL, AGENT_MODEL, \
AGENT_API_KEY, AGENT_MAX_TURNS, WORKER_LLM_URL, WORKER_MODEL, WORKER_API_KEY, WORKER_TIMEOUT_SEC, WORKER_MODE, \
GITHUB_API_URL, GIT_USER_NAME, GIT_USER_EMAIL. In URLs among them localhost becomes host.docker.internal.\n\
The first TERM or INT does what DRAIN_MODE says; the second detaches and ends; a third before that cancels.";

/// What a signal does with running jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum DrainMode {
    /// Claim nothing more, wait for them, then end.
    Wait,
    /// Leave their containers running for the next coordinator, and end.
    Detach,
    /// Stop them, report that, then end.
    Cancel,
}

/// How secrets reach the runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SecretsBy {
    /// As one line on its standard input.
    Stdin,
    /// As variables of the container.
    Env,
}

/// Whether containers may use a Docker engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DockerMode {
    /// No.
    None,
    /// One of their own, inside; the container is privileged.
    Dind,
    /// The host's, through its socket.
    Dood,
}

/// When to pull images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PullPolicy {
    /// If they are not on this machine.
    Missing,
    /// Once per start, even if they are.
    Always,
    /// Never.
    Never,
}

/// How to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// For programs, one object a line.
    Json,
}
