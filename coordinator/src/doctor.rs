//! `terarchitect-coordinator doctor`: checks everything that jobs need, and says how to fix each problem.

use crate::config::{Config, ContainerConfig, HOST_NAME};
use crate::disk::{self, Free};
use crate::engine::{ContainerEngine, Docker, EngineError};
use crate::proxies::JobProxy;
use crate::state_dir::StateDir;
use std::io::Write;
use std::time::Duration;
use terarchitect_outbound::{Retry, chain};
use terarchitect_worker_api::client::{ClientError, WorkerClient};
use url::Url;

/// From this difference of clocks on, dates in logs are misleading, in seconds.
const CLOCK_SKEW_SEC: i64 = 60;

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// As it should be: what was found.
    Good(String),
    /// It works, but the operator should know this.
    Warn(String),
    /// Jobs can't run like this: what to do.
    Bad(String),
}

/// Checks everything, prints a line for each check to `out`, and returns whether jobs can run.
///
/// # Errors
/// When the output can't be written.
pub async fn check(config: &Config, out: &mut impl Write) -> std::io::Result<bool> {
    let mut report = Report { out, good: true };
    report.say("state directory", check_state(config))?;
    report.say("API", check_api(config).await)?;
    report.say("API key", check_key(config).await)?;
    report.say("clock", check_clock(config).await)?;
    match Docker::connect(config.container.clone()).await {
        Err(error) => report.say("engine", Finding::Bad(chain(&error)))?,
        Ok(engine) => check_engine(config, &engine, &mut report).await?,
    }
    for sentence in config.container.proxies.not_taken_over() {
        report.say("proxy", Finding::Warn(sentence.clone()))?;
    }
    report.say("limits", Finding::Good(limits(&config.container)))?;
    for sentence in config.container.relaxed() {
        report.say("limits", Finding::Warn(sentence))?;
    }
    if config.local_runner.is_some() {
        let sentence = "ALLOW_LOCAL_EXECUTION=1: agents of local projects run directly on this machine, as this user";
        report.say("limits", Finding::Warn(sentence.to_owned()))?;
    }
    let verdict = if report.good {
        "ready: jobs can run here"
    } else {
        "not ready: jobs can't run here; do what the lines with FAIL say, then run this again"
    };
    writeln!(report.out, "{verdict}")?;
    Ok(report.good)
}

struct Report<'a, W: Write> {
    out: &'a mut W,
    good: bool,
}

impl<W: Write> Report<'_, W> {
    fn say(&mut self, what: &str, finding: Finding) -> std::io::Result<()> {
        let (word, text) = match &finding {
            Finding::Good(text) => ("ok  ", text),
            Finding::Warn(text) => ("warn", text),
            Finding::Bad(text) => {
                self.good = false;
                ("FAIL", text)
            }
        };
        writeln!(self.out, "{word}  {what}: {text}")
    }
}

fn check_state(config: &Config) -> Finding {
    match StateDir::open(&config.state_dir) {
        Ok(state) => Finding::Good(format!("{}, coordinator {}", config.state_dir.display(), state.coordinator())),
        Err(crate::state_dir::StateError::InUse { dir }) => {
            Finding::Good(format!("{} is in use by a running coordinator", dir.display()))
        }
        Err(error) => Finding::Bad(chain(&error)),
    }
}

async fn get(config: &Config, path: &str) -> Result<reqwest::Response, String> {
    let base: Url = config.api_url.parse().map_err(|_| format!("{} is not a valid URL", config.api_url))?;
    let url = format!("{}/{path}", base.as_str().trim_end_matches('/'));
    let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().map_err(|error| chain(&error))?;
    client.get(&url).send().await.map_err(|error| format!("no response from {url}: {}", chain(&error.without_url())))
}

async fn check_api(config: &Config) -> Finding {
    match get(config, "ready").await {
        Ok(response) if response.status().is_success() => Finding::Good(format!("{} is ready", config.api_url)),
        Ok(response) if response.status().as_u16() == 404 => Finding::Warn(format!(
            "{} responds, but has no /ready endpoint, so it is not known whether it is ready",
            config.api_url
        )),
        Ok(response) => Finding::Bad(format!(
            "{}/ready returned {}; see the API's log for the reason",
            config.api_url,
            response.status()
        )),
        Err(problem) => Finding::Bad(format!("{problem}; start the API, or set TERARCHITECT_API_URL")),
    }
}

async fn check_key(config: &Config) -> Finding {
    let client = match WorkerClient::new(&config.api_url, config.worker_key.clone()) {
        Ok(client) => client,
        Err(error) => return Finding::Bad(error.chain()),
    };
    // Not with a heartbeat: the API would list the check as a coordinator.
    match client.worker_jobs("doctor", Retry::Never).await {
        Ok(_) => Finding::Good("accepted".to_owned()),
        Err(ClientError::Refused { status, .. }) if matches!(status.as_u16(), 404 | 405) => {
            Finding::Warn("not checked: the API is older and does not say which jobs a coordinator holds; if this host fails, its jobs are retried only after their full timeout".to_owned())
        }
        Err(error) => Finding::Bad(format!("{}; check TERARCHITECT_WORKER_API_KEY", error.chain())),
    }
}

/// Whether this machine's clock is close to the API's.
pub(crate) async fn check_clock(config: &Config) -> Finding {
    let Ok(response) = get(config, "health").await else {
        return Finding::Warn("not compared: the API did not respond".to_owned());
    };
    let date = response.headers().get("date").and_then(|value| value.to_str().ok());
    let Some(theirs) = date.and_then(|date| chrono::DateTime::parse_from_rfc2822(date).ok()) else {
        return Finding::Warn("not compared: the API's response has no date".to_owned());
    };
    let skew = (chrono::Utc::now() - theirs.to_utc()).num_seconds().abs();
    if skew > CLOCK_SKEW_SEC {
        return Finding::Warn(format!(
            "differs from the API's by {skew} s; leases and timeouts still work, but dates in logs are misleading: set up NTP"
        ));
    }
    Finding::Good(format!("within {} s of the API's clock", skew.max(1)))
}

async fn check_engine<W: Write>(config: &Config, engine: &Docker, report: &mut Report<'_, W>) -> std::io::Result<()> {
    let finding = match engine.version().await {
        Ok(version) => Finding::Good(format!("{version} at {}", config.container.docker_host)),
        // The other checks would only wait as long as this one did.
        Err(error) => return report.say("engine", Finding::Bad(chain(&error))),
    };
    report.say("engine", finding)?;
    report.say("disk", check_disk(config, engine).await)?;
    let image = &config.image;
    match engine.has_image(image).await {
        Ok(true) => {}
        Ok(false) => {
            let sentence = format!(
                "{image} is not on this machine; build it with scripts/build-agent-image, pull it with docker pull {image}, or set AGENT_IMAGE"
            );
            return report.say("image", Finding::Bad(sentence));
        }
        Err(error) => return report.say("image", Finding::Bad(chain(&error))),
    }
    let finding = match engine.probe(image, &["/usr/local/bin/agent-runner", "--version"], &[]).await {
        Ok((0, version)) if version.contains(env!("CARGO_PKG_VERSION")) => {
            Finding::Good(format!("{image}, {}", version.trim()))
        }
        Ok((0, version)) => Finding::Warn(format!(
            "{image} contains {}, but this coordinator has version {}; build or pull the image of the same version",
            version.trim(),
            env!("CARGO_PKG_VERSION")
        )),
        Ok((code, output)) => Finding::Bad(format!(
            "the runner in {image} does not start (exit code {code}); build or pull the image again: {}",
            output.trim()
        )),
        Err(error) => Finding::Bad(format!("{image} could not be started: {}", chain(&error))),
    };
    report.say("image", finding)?;
    report.say("agents", check_agents(config, engine).await)?;
    report.say("network", check_network(config, engine).await)?;
    for proxy in config.container.proxies.each() {
        report.say("proxy", check_proxy(config, engine, proxy).await)?;
    }
    Ok(())
}

/// Which agents are in the image, and whether the one that all jobs get is.
async fn check_agents(config: &Config, engine: &Docker) -> Finding {
    let image = &config.image;
    let agents = match engine.agents(image).await {
        Ok(Some(agents)) => agents,
        Ok(None) => {
            let sentence = format!("{image} does not say which agents it has; those of scripts/build-agent-image do");
            return Finding::Warn(sentence);
        }
        Err(error) => return Finding::Bad(chain(&error)),
    };
    let all = agents.join(", ");
    let set = config.container.env.iter().find(|(name, _)| name == "WORKER_MODE").map(|(_, mode)| mode.to_lowercase());
    let is_there = |mode: &str| match mode {
        // Cursor's agents work in its cloud, and AGENT_COMMAND may name anything.
        "cursor" | "command" => true,
        "opencode-acp" => agents.iter().any(|agent| agent == "opencode"),
        mode => agents.iter().any(|agent| agent == mode),
    };
    match set.filter(|mode| !is_there(mode)) {
        Some(mode) => Finding::Bad(format!(
            "WORKER_MODE is {mode}, and {image} has {all}; build it with scripts/build-agent-image --agents {},{mode}, or change \
             WORKER_MODE",
            agents.join(",")
        )),
        None => Finding::Good(format!("{image} has {all}")),
    }
}

/// Whether the engine's disk has room for another container.
pub(crate) async fn check_disk(config: &Config, engine: &dyn ContainerEngine) -> Finding {
    match engine.root_dir().await {
        Ok(Some(dir)) => match disk::free_at(&dir) {
            Some(free) if free.mib < config.min_free_mb => Finding::Bad(format!(
                "{} MiB free in {}, less than COORDINATOR_MIN_FREE_MB ({}): no jobs are claimed; docker system df shows what can be removed",
                free.mib,
                dir.display(),
                config.min_free_mb
            )),
            free @ Some(Free { files: Some(files), .. })
                if config.min_free_mb > 0 && disk::is_short(free, config.min_free_mb, false) =>
            {
                Finding::Bad(format!(
                    "only {files} more files can be created in {}: no jobs are claimed; remove unused images and volumes (docker system df shows them)",
                    dir.display()
                ))
            }
            Some(free) => Finding::Good(format!("{} MiB free in {}", free.mib, dir.display())),
            None => Finding::Warn(format!(
                "could not read the free space in {}; jobs are claimed without this check",
                dir.display()
            )),
        },
        Ok(None) => Finding::Warn("not checked: the engine is on another machine".to_owned()),
        Err(error) => Finding::Bad(chain(&error)),
    }
}

/// Whether a container of the image, on the containers' network, can connect to the API.
async fn check_network(config: &Config, engine: &Docker) -> Finding {
    let Ok(url) = config.container_api_url.parse::<Url>() else {
        return Finding::Bad(format!("{} is not a valid URL; set CONTAINER_API_URL", config.container_api_url));
    };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Finding::Bad(format!("{url} has no host name; set CONTAINER_API_URL"));
    };
    match connects(config, engine, host, port).await {
        Ok(true) => Finding::Good(format!("a container can reach {url}")),
        Ok(false) if host == HOST_NAME => Finding::Bad(format!(
            "a container can't reach {url}; make the API listen on an address that containers can reach (TERARCHITECT_LISTEN), open its port in the firewall for the engine's network, or set CONTAINER_API_URL"
        )),
        Ok(false) => {
            Finding::Bad(format!("a container can't reach {url}; check AGENT_NETWORK, or set CONTAINER_API_URL"))
        }
        Err(error) => Finding::Bad(chain(&error)),
    }
}

/// Whether a container of the image can connect to the proxy that jobs get. Its address is shown without the password.
async fn check_proxy(config: &Config, engine: &Docker, proxy: &JobProxy) -> Finding {
    let (host, port) = proxy.host_and_port(HOST_NAME);
    let name = proxy.variable();
    match connects(config, engine, &host, port).await {
        Ok(true) if proxy.is_loopback() => Finding::Warn(format!(
            "{name} is on this machine's loopback, which would be the container's own; containers get {host}:{port} instead, and can reach it"
        )),
        Ok(true) => Finding::Good(format!("a container can reach {host}:{port} ({name})")),
        Ok(false) if proxy.is_loopback() => Finding::Bad(format!(
            "{name} is on this machine's loopback, and a container can't reach it as {host}:{port}; make the proxy listen on an address that containers can reach, or set AGENT_HTTPS_PROXY and AGENT_HTTP_PROXY, to nothing for none"
        )),
        Ok(false) => Finding::Bad(format!(
            "a container can't reach the proxy {host}:{port} ({name}); check AGENT_NETWORK, or set AGENT_HTTPS_PROXY and AGENT_HTTP_PROXY, to nothing for none"
        )),
        Err(error) => Finding::Bad(chain(&error)),
    }
}

/// Whether a container of the image, on the containers' network, can connect to the port.
async fn connects(config: &Config, engine: &Docker, host: &str, port: u16) -> Result<bool, EngineError> {
    // The image has no curl; bash connects by itself.
    let script = r#"timeout 8 bash -c 'exec 3<>"/dev/tcp/$HOST/$PORT"'"#;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let env = [("HOST".to_owned(), host.to_owned()), ("PORT".to_owned(), port.to_string())];
    let probed = engine.probe(&config.image, &["/bin/bash", "-c", script], &env).await;
    probed.map(|(code, _)| code == 0)
}

/// The limits of containers in one line, for the log at start.
#[must_use]
pub fn limits(container: &ContainerConfig) -> String {
    let memory =
        container.memory_bytes.map_or("no memory limit".to_owned(), |bytes| format!("{} MiB", bytes / (1024 * 1024)));
    let cpus = container.nano_cpus.map_or("no CPU limit".to_owned(), |nano| format!("{} CPUs", nano as f64 / 1e9));
    let pids = container.pids.map_or("no process limit".to_owned(), |pids| format!("{pids} processes"));
    format!("{memory}, {cpus}, {pids}")
}
