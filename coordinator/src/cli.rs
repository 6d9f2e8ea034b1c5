//! Command line and environment. Every option is an argument and an environment variable, so `--help` is the reference.

#![allow(rustdoc::broken_intra_doc_links, rustdoc::bare_urls, reason = "the options' texts are written for --help")]

use crate::variables::{self, PASSED_ON};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// The agent image by default.
pub const DEFAULT_IMAGE: &str = "terarchitect-agent";
/// Where an engine listens by default.
pub const DEFAULT_DOCKER_HOST: &str = "unix:///var/run/docker.sock";

/// Claims jobs from Terarchitect's API and runs one agent container each.
#[derive(Debug, Parser)]
#[command(name = "terarchitect-coordinator", version, max_term_width = 110, after_help = after_help())]
pub struct Cli {
    /// The command [default: run].
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options of all commands.
    #[command(flatten)]
    pub options: Options,
}

/// What the program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Claim and run jobs until a signal (the default).
    Run,
    /// Claim one job, run it, report its result, and exit. For autoscalers.
    RunOnce {
        /// Seconds to wait for a job. If none arrives in that time, exit with code 0.
        #[arg(long, default_value_t = 60, value_name = "SECONDS")]
        wait_sec: u64,
    },
    /// Check everything that jobs need, and print how to fix each problem. Exits with code 1 if jobs can't run.
    Doctor,
}

/// The options of all commands.
#[derive(Debug, Args)]
pub struct Options {
    /// The API's address, such as http://localhost:5010. For containers, localhost becomes host.docker.internal.
    #[arg(
        long,
        global = true,
        env = variables::TERARCHITECT_API_URL,
        default_value = "",
        hide_default_value = true,
        value_name = "URL"
    )]
    pub api_url: String,
    /// The API's address as seen from containers [default: TERARCHITECT_API_URL, with localhost replaced].
    #[arg(
        long,
        global = true,
        env = variables::CONTAINER_API_URL,
        default_value = "",
        hide_default_value = true,
        value_name = "URL"
    )]
    pub container_api_url: String,
    /// The worker key for the API, if the API requires one.
    #[arg(
        long,
        global = true,
        env = variables::TERARCHITECT_WORKER_API_KEY,
        hide_env_values = true,
        default_value = "",
        hide_default_value = true,
        value_name = "KEY"
    )]
    pub worker_api_key: String,
    /// Claim jobs of this project only.
    #[arg(long, global = true, env = variables::PROJECT_ID, default_value = "", hide_default_value = true, value_name = "UUID")]
    pub project_id: String,
    /// Claim jobs of these projects only, separated by commas. If neither this nor PROJECT_ID is set, jobs of all
    /// projects are claimed.
    #[arg(
        long,
        global = true,
        env = variables::PROJECT_IDS,
        default_value = "",
        hide_default_value = true,
        value_name = "UUID,…"
    )]
    pub project_ids: String,
    /// GitHub token that is passed to containers, to clone, push and open pull requests. It takes precedence over the one
    /// in the API's settings.
    #[arg(
        long,
        global = true,
        env = variables::GITHUB_TOKEN,
        hide_env_values = true,
        default_value = "",
        hide_default_value = true,
        value_name = "TOKEN"
    )]
    pub github_token: String,
    /// The agent image, for projects that do not set their own.
    #[arg(long, global = true, env = variables::AGENT_IMAGE, default_value = DEFAULT_IMAGE, value_name = "IMAGE")]
    pub agent_image: String,
    /// The maximum number of containers that run at once [default: the value in the API's settings, else 1].
    #[arg(
        long,
        global = true,
        env = variables::MAX_CONCURRENT_AGENTS,
        default_value = "",
        hide_default_value = true,
        value_name = "N"
    )]
    pub max_concurrent_agents: String,
    /// How many containers to keep ready, beside those that run, for the projects that were active last: their next job then
    /// starts in a fraction of the time. Each costs the memory of an idle agent.
    #[arg(long, global = true, env = variables::WARM_AGENTS, default_value = "0", value_name = "N")]
    pub warm_agents: String,
    /// How long after a job's start the next container is made ready: two agents that start at once slow each other down.
    #[arg(long, global = true, default_value_t = 10_000, hide = true, value_name = "MILLISECONDS")]
    pub warm_settle_ms: u64,
    /// Seconds to wait before the next claim if there was no job and the API does not support long polling, or if it did
    /// not respond.
    #[arg(long, global = true, env = variables::POLL_INTERVAL_SEC, default_value = "10", value_name = "SECONDS")]
    pub poll_interval_sec: String,
    /// Seconds that a container has to stop after SIGTERM, before it is killed.
    #[arg(long, global = true, env = variables::AGENT_STOP_GRACE_SEC, default_value = "30", value_name = "SECONDS")]
    pub stop_grace_sec: String,
    /// Directory for the coordinator's identity and its unsent reports [default: /var/lib/terarchitect-coordinator as
    /// root, else $XDG_STATE_HOME/terarchitect-coordinator or ~/.local/state/terarchitect-coordinator].
    #[arg(
        long,
        global = true,
        env = variables::COORDINATOR_STATE_DIR,
        default_value = "",
        hide_default_value = true,
        value_name = "DIR"
    )]
    pub state_dir: String,
    /// What happens to running jobs at the first SIGTERM or SIGINT.
    #[arg(long, global = true, env = variables::DRAIN_MODE, default_value = "wait")]
    pub drain_mode: DrainMode,
    /// Memory limit of a container, including swap, in MiB; 0 means no limit.
    #[arg(long, global = true, env = variables::AGENT_MEMORY_MB, default_value_t = 4096, value_name = "MIB")]
    pub memory_mb: i64,
    /// Number of CPUs that a container may use; 0 means no limit.
    #[arg(long, global = true, env = variables::AGENT_CPUS, default_value_t = 2.0, value_name = "N")]
    pub cpus: f64,
    /// Maximum number of processes in a container; 0 means no limit.
    #[arg(long, global = true, env = variables::AGENT_PIDS, default_value_t = 1024, value_name = "N")]
    pub pids: i64,
    /// The network of containers [default: terarchitect-agents, on which containers can't reach each other].
    #[arg(
        long,
        global = true,
        env = variables::AGENT_NETWORK,
        default_value = "",
        hide_default_value = true,
        value_name = "NAME"
    )]
    pub network: String,
    /// Additional Linux capabilities for containers, beyond the few that the runner needs, separated by commas.
    #[arg(
        long,
        global = true,
        env = variables::AGENT_CAP_ADD,
        default_value = "",
        hide_default_value = true,
        value_name = "NAME,…"
    )]
    pub cap_add: String,
    /// Names of further environment variables to pass on to containers, separated by commas.
    #[arg(
        long,
        global = true,
        env = variables::AGENT_ENV_PASSTHROUGH,
        default_value = "",
        hide_default_value = true,
        value_name = "NAME,…"
    )]
    pub env_passthrough: String,
    /// How to pass secrets to the runner.
    #[arg(long, global = true, env = variables::AGENT_SECRETS, default_value = "stdin")]
    pub secrets: SecretsBy,
    /// Whether containers may use a Docker engine.
    #[arg(long, global = true, env = variables::AGENT_DOCKER_MODE, default_value = "none")]
    pub docker_mode: DockerMode,
    /// The engine's runtime for containers, such as runsc [default: the engine's default].
    #[arg(
        long,
        global = true,
        env = variables::AGENT_RUNTIME,
        default_value = "",
        hide_default_value = true,
        value_name = "NAME"
    )]
    pub runtime: String,
    /// A file with all CA certificates that containers should trust, such as /etc/ssl/certs/ca-certificates.crt of this
    /// machine. It is mounted read-only.
    #[arg(
        long,
        global = true,
        env = variables::AGENT_EXTRA_CA_CERTS,
        default_value = "",
        hide_default_value = true,
        value_name = "FILE"
    )]
    pub extra_ca_certs: String,
    /// The proxy for https:// addresses in containers; empty for none [default: the coordinator's own HTTPS_PROXY or
    /// ALL_PROXY].
    #[arg(long, global = true, env = variables::AGENT_HTTPS_PROXY, hide_env_values = true, value_name = "URL")]
    pub https_proxy: Option<String>,
    /// The proxy for http:// addresses in containers; empty for none [default: the coordinator's own HTTP_PROXY or
    /// ALL_PROXY].
    #[arg(long, global = true, env = variables::AGENT_HTTP_PROXY, hide_env_values = true, value_name = "URL")]
    pub http_proxy: Option<String>,
    /// Hosts that containers reach without a proxy, separated by commas; the container itself and
    /// host.docker.internal always are [default: the coordinator's own NO_PROXY].
    #[arg(long, global = true, env = variables::AGENT_NO_PROXY, value_name = "HOST,…")]
    pub no_proxy: Option<String>,
    /// When to pull images.
    #[arg(long, global = true, env = variables::AGENT_PULL_POLICY, default_value = "missing")]
    pub pull_policy: PullPolicy,
    /// User name for the registry of AGENT_IMAGE; without it, and for other registries, the login in
    /// ~/.docker/config.json is used.
    #[arg(
        long,
        global = true,
        env = variables::AGENT_REGISTRY_USERNAME,
        default_value = "",
        hide_default_value = true,
        value_name = "NAME"
    )]
    pub registry_username: String,
    /// Password for the registry of AGENT_IMAGE.
    #[arg(
        long,
        global = true,
        env = variables::AGENT_REGISTRY_PASSWORD,
        hide_env_values = true,
        default_value = "",
        hide_default_value = true,
        value_name = "PASSWORD"
    )]
    pub registry_password: String,
    /// Where the Docker engine listens.
    #[arg(
        long,
        global = true,
        env = variables::DOCKER_HOST,
        default_value = DEFAULT_DOCKER_HOST,
        value_name = "unix://PATH|tcp://HOST:PORT"
    )]
    pub docker_host: String,
    /// Set to 1 to reach the Docker engine at DOCKER_HOST with TLS.
    #[arg(
        long,
        global = true,
        env = variables::DOCKER_TLS_VERIFY,
        default_value = "",
        hide_default_value = true,
        value_name = "1"
    )]
    pub docker_tls_verify: String,
    /// The folder with ca.pem, cert.pem and key.pem for TLS with the Docker engine [default: ~/.docker].
    #[arg(
        long,
        global = true,
        env = variables::DOCKER_CERT_PATH,
        default_value = "",
        hide_default_value = true,
        value_name = "DIR"
    )]
    pub docker_cert_path: String,
    /// Timeout of one call to the Docker engine, in seconds.
    #[arg(
        long,
        global = true,
        env = variables::COORDINATOR_ENGINE_TIMEOUT_SEC,
        default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..),
        value_name = "SECONDS"
    )]
    pub engine_timeout_sec: u64,
    /// Minimum free space on the engine's disk, in MiB. Below it, no jobs are claimed; 0 disables the check.
    #[arg(long, global = true, env = variables::COORDINATOR_MIN_FREE_MB, default_value_t = 2048, value_name = "MIB")]
    pub min_free_mb: u64,
    /// Set to 1 to run jobs of local projects directly on this machine, without a container, in the project's path.
    #[arg(
        long,
        global = true,
        env = variables::ALLOW_LOCAL_EXECUTION,
        default_value = "",
        hide_default_value = true,
        value_name = "1"
    )]
    pub allow_local_execution: String,
    /// The agent-runner program, for jobs of local projects.
    #[arg(long, global = true, env = variables::AGENT_RUNNER_BIN, default_value = "agent-runner", value_name = "FILE")]
    pub runner_bin: PathBuf,
    /// Serve /metrics and /health at this address, such as 127.0.0.1:9464 [default: neither is served].
    #[arg(
        long,
        global = true,
        env = variables::METRICS_ADDR,
        default_value = "",
        hide_default_value = true,
        value_name = "HOST:PORT"
    )]
    pub metrics_addr: String,
    /// Write the process id to this file when the coordinator starts to claim jobs. For scripts.
    #[arg(
        long,
        global = true,
        env = variables::COORDINATOR_READY_FILE,
        default_value = "",
        hide_default_value = true,
        value_name = "FILE"
    )]
    pub ready_file: String,
    /// The format of log lines.
    #[arg(long, global = true, env = variables::LOG_FORMAT, default_value = "pretty")]
    pub log_format: LogFormat,
}

fn after_help() -> String {
    format!(
        "These variables are passed on to containers when they are set: {}. In URLs among them, localhost becomes \
         host.docker.internal.\nThe first SIGTERM or SIGINT does what DRAIN_MODE says. The second leaves the containers running \
         and exits at once. If a third arrives before the exit, the jobs are cancelled.",
        PASSED_ON.join(", ")
    )
}

/// What a signal does with running jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum DrainMode {
    /// Stop claiming, wait until the running jobs have ended, and exit.
    Wait,
    /// Stop claiming, leave the containers running for the next coordinator, and exit.
    Detach,
    /// Stop claiming, stop the running jobs, report them as cancelled, and exit.
    Cancel,
}

/// How secrets reach the runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SecretsBy {
    /// Over standard input, where neither `docker inspect` nor the process list shows them.
    Stdin,
    /// As environment variables of the container, which `docker inspect` shows.
    Env,
}

/// Whether containers may use a Docker engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DockerMode {
    /// Containers have no access to an engine.
    None,
    /// Each container runs an engine of its own inside. It is privileged then, so an agent can take over this machine.
    Dind,
    /// Containers use the host's engine through its socket, so an agent can take over this machine.
    Dood,
}

/// When to pull images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PullPolicy {
    /// Pull an image only if it is not on this machine.
    Missing,
    /// Pull each image once per start of the coordinator, even if it is on this machine.
    Always,
    /// Never pull; images must be on this machine.
    Never,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text for people.
    Pretty,
    /// JSON for programs, one object a line.
    Json,
}
