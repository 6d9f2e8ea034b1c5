//! The configuration: the options parsed and checked, with all problems reported at once.

use crate::cli::{DEFAULT_DOCKER_HOST, DEFAULT_IMAGE, DockerMode, DrainMode, Options, PullPolicy, SecretsBy};
use crate::docker_host::{DockerHost, TlsOptions};
use crate::proxies::{JobProxies, ProxyOptions};
use crate::variables;
use secrecy::SecretString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use terarchitect_outbound::reachable_as;
use terarchitect_worker_api::ProjectId;
use url::Url;

/// The name by which a container reaches the machine that it runs on.
pub const HOST_NAME: &str = "host.docker.internal";

/// Every problem of the configuration.
#[derive(Debug, thiserror::Error)]
#[error("{}", problems.join("\n"))]
pub struct ConfigError {
    /// A sentence for each problem.
    pub problems: Vec<String>,
}

/// The parsed options.
#[derive(Clone, Debug)]
pub struct Config {
    /// The API's address.
    pub api_url: String,
    /// The API's address as containers reach it.
    pub container_api_url: String,
    /// The API's worker key.
    pub worker_key: Option<SecretString>,
    /// Claim for these projects; empty means any.
    pub projects: Vec<ProjectId>,
    /// The agent image, where a project names no other.
    pub image: String,
    /// How many containers run at once, where the environment says so.
    pub slots: Option<u32>,
    /// How many containers are kept ready for jobs to come.
    pub warm: u32,
    /// How long after a job's start the next one is made ready.
    pub warm_settle: Duration,
    /// The pause between two claims that the API did not hold.
    pub poll_interval: Duration,
    /// The time between TERM and KILL for a container.
    pub stop_grace: Duration,
    /// What containers may use and get.
    pub container: ContainerConfig,
    /// What a signal does.
    pub drain_mode: DrainMode,
    /// Where state is kept.
    pub state_dir: PathBuf,
    /// When to pull images.
    pub pull_policy: PullPolicy,
    /// Claim nothing below this much free space, in MiB.
    pub min_free_mb: u64,
    /// The program agent-runner, where jobs of local projects are allowed.
    pub local_runner: Option<PathBuf>,
    /// The address of `/metrics` and `/health`.
    pub metrics_addr: Option<SocketAddr>,
}

/// What containers may use and get.
#[derive(Clone, Debug)]
pub struct ContainerConfig {
    /// The memory limit in bytes.
    pub memory_bytes: Option<i64>,
    /// The limit of processors, in billionths.
    pub nano_cpus: Option<i64>,
    /// The limit of processes.
    pub pids: Option<i64>,
    /// The network; none means the coordinator's own.
    pub network: Option<String>,
    /// Capabilities beyond those that the runner needs.
    pub cap_add: Vec<String>,
    /// Environment variables for the runner.
    pub env: Vec<(String, String)>,
    /// Their proxies.
    pub proxies: JobProxies,
    /// How secrets reach the runner.
    pub secrets: SecretsBy,
    /// Whether containers may use a Docker engine.
    pub docker_mode: DockerMode,
    /// The engine's runtime.
    pub runtime: Option<String>,
    /// A file with the CA certificates that containers trust.
    pub extra_ca_certs: Option<PathBuf>,
    /// Where the engine listens.
    pub docker_host: DockerHost,
    /// How long the engine may take for one call.
    pub call_limit: Duration,
    /// The login at the registry of AGENT_IMAGE.
    pub registry: Option<RegistryLogin>,
}

/// User name and password for a registry.
#[derive(Clone, Debug)]
pub struct RegistryLogin {
    /// An image of that registry.
    pub image: String,
    /// The user's name.
    pub username: String,
    /// The user's password.
    pub password: SecretString,
}

impl ContainerConfig {
    /// A sentence for every safe default that the configuration relaxes, for the log at start and for `doctor`.
    #[must_use]
    pub fn relaxed(&self) -> Vec<String> {
        let mut relaxed = Vec::new();
        let mut say = |is: bool, sentence: &str| {
            if is {
                relaxed.push(sentence.to_owned());
            }
        };
        say(
            self.secrets == SecretsBy::Env,
            "AGENT_SECRETS=env: secrets are in the containers' environment, where docker inspect shows them",
        );
        say(
            self.docker_mode == DockerMode::Dind,
            "AGENT_DOCKER_MODE=dind: containers are privileged; an agent can take over this machine",
        );
        say(
            self.docker_mode == DockerMode::Dood,
            "AGENT_DOCKER_MODE=dood: containers have the engine's socket; an agent can take over this machine",
        );
        say(!self.cap_add.is_empty(), "AGENT_CAP_ADD: containers have more capabilities than the runner needs");
        say(self.memory_bytes.is_none(), "AGENT_MEMORY_MB=0: a container may use all memory of this machine");
        say(self.nano_cpus.is_none(), "AGENT_CPUS=0: a container may use all processors of this machine");
        say(self.pids.is_none(), "AGENT_PIDS=0: a container may start any number of processes");
        say(
            self.network.is_some(),
            "AGENT_NETWORK: containers can reach each other and everything else on that network",
        );
        relaxed
    }
}

fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn words(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

impl Config {
    /// Parses the options; `variable` reads an environment variable.
    ///
    /// # Errors
    /// Everything that is missing or malformed, in one error.
    pub fn parse(cli: &Options, variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let mut address = |name: &str, text: &str, required: bool| {
            let good =
                text.trim().parse::<Url>().is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            if given(text).is_none() && required {
                problems.push(format!("{name} is not set; set it to the API's address, such as http://localhost:5010"));
            } else if given(text).is_some() && !good {
                problems.push(format!(
                    "{name} is '{}', which is not a valid URL; set it to an address such as http://localhost:5010",
                    text.trim()
                ));
            }
            text.trim().to_owned()
        };
        let api_url = address(variables::TERARCHITECT_API_URL, &cli.api_url, true);
        let container_api_url = address(variables::CONTAINER_API_URL, &cli.container_api_url, false);
        let mut projects = Vec::new();
        for (name, text) in [(variables::PROJECT_ID, &cli.project_id), (variables::PROJECT_IDS, &cli.project_ids)] {
            for word in words(text) {
                match word.parse() {
                    Ok(id) => projects.push(id),
                    Err(_) => problems
                        .push(format!("{name}: '{word}' is not a valid UUID; copy the project's id from the API")),
                }
            }
        }
        let mut number = |name: &str, text: &str, low: u32| match given(text).map(str::parse::<u32>) {
            None => None,
            Some(Ok(number)) if number >= low => Some(number),
            Some(_) => {
                problems.push(format!("{name} is '{}'; set it to a whole number of at least {low}", text.trim()));
                None
            }
        };
        let slots = number(variables::MAX_CONCURRENT_AGENTS, &cli.max_concurrent_agents, 1);
        let warm = number(variables::WARM_AGENTS, &cli.warm_agents, 0).unwrap_or(0);
        let poll = number(variables::POLL_INTERVAL_SEC, &cli.poll_interval_sec, 1).unwrap_or(10);
        let grace = number(variables::AGENT_STOP_GRACE_SEC, &cli.stop_grace_sec, 0).unwrap_or(30);
        let metrics_addr = given(&cli.metrics_addr).and_then(|text| match text.parse() {
            Ok(address) => Some(address),
            Err(_) => {
                problems.push(format!(
                    "METRICS_ADDR is '{text}'; set it to an address with a port, such as 127.0.0.1:9464"
                ));
                None
            }
        });
        let local = match cli.allow_local_execution.trim() {
            "" | "0" => false,
            "1" => true,
            other => {
                problems.push(format!(
                    "ALLOW_LOCAL_EXECUTION is '{other}'; set it to 1 to allow jobs of local projects, or to 0 to refuse them"
                ));
                false
            }
        };
        if let Some(file) = given(&cli.extra_ca_certs).filter(|file| !Path::new(file).is_file()) {
            problems.push(format!("AGENT_EXTRA_CA_CERTS is '{file}', but this machine has no such file; set it to a file with CA certificates"));
        }
        if given(&cli.registry_username).is_some() != given(&cli.registry_password).is_some() {
            problems.push("set both AGENT_REGISTRY_USERNAME and AGENT_REGISTRY_PASSWORD, or neither".to_owned());
        }
        let state_dir = given(&cli.state_dir).map(PathBuf::from).or_else(|| default_state_dir(&variable));
        if state_dir.is_none() {
            problems
                .push("there is no home directory for the coordinator's state; set COORDINATOR_STATE_DIR".to_owned());
        }
        let state_dir = state_dir.map(absolute);
        let docker_host = docker_host(cli, &variable).map_err(|problem| problems.push(problem)).ok();
        let proxies = proxies(cli, &variable).map_err(|wrong| problems.extend(wrong)).ok();
        let (Some(state_dir), Some(docker_host), Some(proxies), true) =
            (state_dir, docker_host, proxies, problems.is_empty())
        else {
            return Err(ConfigError { problems });
        };
        projects.sort_unstable();
        projects.dedup();
        Ok(Self {
            container_api_url: if container_api_url.is_empty() {
                reachable_as(&api_url, HOST_NAME)
            } else {
                container_api_url
            },
            api_url,
            worker_key: given(&cli.worker_api_key).map(|key| SecretString::from(key.to_owned())),
            projects,
            image: image(cli).to_owned(),
            slots,
            warm,
            warm_settle: Duration::from_millis(cli.warm_settle_ms),
            poll_interval: Duration::from_secs(poll.into()),
            stop_grace: Duration::from_secs(grace.into()),
            container: container_config(cli, docker_host, proxies, variable),
            drain_mode: cli.drain_mode,
            state_dir,
            pull_policy: cli.pull_policy,
            min_free_mb: cli.min_free_mb,
            local_runner: local.then(|| program(&cli.runner_bin)),
            metrics_addr,
        })
    }
}

/// Local jobs start in another directory, where a relative path would mean something else.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// Leaves a bare name as it is, so that it is searched in PATH.
fn program(path: &Path) -> PathBuf {
    if path.components().nth(1).is_some() { absolute(path.to_owned()) } else { path.to_owned() }
}

#[allow(clippy::cast_possible_truncation, reason = "a number of processors is small")]
fn container_config(
    cli: &Options,
    docker_host: DockerHost,
    proxies: JobProxies,
    variable: impl Fn(&str) -> Option<String>,
) -> ContainerConfig {
    let mut env: Vec<(String, String)> = Vec::new();
    let extra = words(&cli.env_passthrough);
    for name in variables::PASSED_ON.iter().copied().chain(extra.iter().map(String::as_str)) {
        if let Some(value) = variable(name).filter(|value| !value.is_empty()) {
            env.push((name.to_owned(), value));
        }
    }
    if let Some(token) = given(&cli.github_token) {
        env.push((variables::GITHUB_TOKEN.to_owned(), token.to_owned()));
    }
    ContainerConfig {
        memory_bytes: (cli.memory_mb > 0).then_some(cli.memory_mb * 1024 * 1024),
        nano_cpus: (cli.cpus > 0.0).then_some((cli.cpus * 1e9) as i64),
        pids: (cli.pids > 0).then_some(cli.pids),
        network: given(&cli.network).map(str::to_owned),
        cap_add: words(&cli.cap_add),
        env,
        proxies,
        secrets: cli.secrets,
        docker_mode: cli.docker_mode,
        runtime: given(&cli.runtime).map(str::to_owned),
        extra_ca_certs: given(&cli.extra_ca_certs).map(PathBuf::from),
        docker_host,
        call_limit: Duration::from_secs(cli.engine_timeout_sec),
        registry: given(&cli.registry_username).map(|username| RegistryLogin {
            image: image(cli).to_owned(),
            username: username.to_owned(),
            password: SecretString::from(cli.registry_password.trim().to_owned()),
        }),
    }
}

fn image(cli: &Options) -> &str {
    given(&cli.agent_image).unwrap_or(DEFAULT_IMAGE)
}

fn proxies(cli: &Options, variable: impl Fn(&str) -> Option<String>) -> Result<JobProxies, Vec<String>> {
    let settings = ProxyOptions {
        https: cli.https_proxy.as_deref(),
        http: cli.http_proxy.as_deref(),
        direct: cli.no_proxy.as_deref(),
    };
    JobProxies::parse(settings, variable)
}

fn docker_host(cli: &Options, variable: impl Fn(&str) -> Option<String>) -> Result<DockerHost, String> {
    let default_folder = variable("HOME").map(|home| PathBuf::from(home).join(".docker"));
    let tls = TlsOptions {
        verify: &cli.docker_tls_verify,
        folder: &cli.docker_cert_path,
        default_folder: default_folder.as_deref(),
    };
    DockerHost::parse(given(&cli.docker_host).unwrap_or(DEFAULT_DOCKER_HOST), tls)
}

fn default_state_dir(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Some(PathBuf::from("/var/lib/terarchitect-coordinator"));
    }
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")))?;
    Some(base.join("terarchitect-coordinator"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

    #[test]
    fn every_mistake_is_reported_at_once() {
        let cli = Cli::parse_from([
            "c",
            "--api-url",
            "",
            "--project-ids",
            "7,x",
            "--max-concurrent-agents",
            "0",
            "--poll-interval-sec",
            "often",
            "--state-dir",
            "/s",
        ]);
        let error = Config::parse(&cli.options, |_| None).unwrap_err();
        assert_eq!(error.problems.len(), 5, "{error}");
    }

    #[test]
    fn every_relaxed_default_is_named() {
        let relaxed = |args: &[&str]| {
            let base = ["c", "--api-url", "http://localhost:5010", "--state-dir", "/s"];
            let cli = Cli::parse_from(base.iter().chain(args));
            Config::parse(&cli.options, |_| None).unwrap().container.relaxed()
        };
        assert!(relaxed(&[]).is_empty());
        for (arguments, name) in [
            (["--secrets", "env"], "AGENT_SECRETS"),
            (["--docker-mode", "dind"], "AGENT_DOCKER_MODE=dind"),
            (["--docker-mode", "dood"], "AGENT_DOCKER_MODE=dood"),
            (["--cap-add", "SYS_PTRACE"], "AGENT_CAP_ADD"),
            (["--memory-mb", "0"], "AGENT_MEMORY_MB"),
            (["--cpus", "0"], "AGENT_CPUS"),
            (["--pids", "0"], "AGENT_PIDS"),
            (["--network", "host"], "AGENT_NETWORK"),
        ] {
            let said = relaxed(&arguments);
            assert!(said.len() == 1 && said[0].starts_with(name), "{said:?}");
        }
    }

    #[test]
    fn documented_variables_are_taken_over() {
        let cli =
            Cli::parse_from(["c", "--api-url", "http://localhost:5010", "--state-dir", "/s", "--github-token", "t"]);
        let env = |name: &str| (name == "WORKER_LLM_URL").then(|| "http://127.0.0.1:1/v1".to_owned());
        let config = Config::parse(&cli.options, env).unwrap();
        assert_eq!(config.container_api_url, "http://host.docker.internal:5010");
        let expected = [("WORKER_LLM_URL", "http://127.0.0.1:1/v1"), ("GITHUB_TOKEN", "t")];
        let expected: Vec<_> = expected.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        assert_eq!(config.container.env, expected);
    }
}
