//! Docker, through bollard. Every call but `wait` has a time limit of its own.

use super::registry;
use super::{ContainerEngine, Created, EngineError, Exited, Found, Input, Signal, State, end_of, write_input};
use crate::cli::DockerMode;
use crate::config::{ContainerConfig, HOST_NAME};
use crate::docker_host::DockerHost;
use crate::engine::spec::{ContainerSpec, EXTRA_CA_CERTS, LABEL_PREFIX, WARM_LABEL};
use async_trait::async_trait;
use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerStateStatusEnum, HostConfig, HostConfigLogConfig,
    NetworkCreateRequest, ResourcesUlimits,
};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, CreateImageOptionsBuilder, InspectContainerOptions,
    InspectNetworkOptions, KillContainerOptionsBuilder, ListContainersOptionsBuilder, LogsOptionsBuilder,
    RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder, StartContainerOptions, WaitContainerOptionsBuilder,
};
use futures::{StreamExt, TryStreamExt};
use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;
use uuid::Uuid;

/// How many lines of output are kept for a report.
const TAIL_LINES: &str = "200";
/// What the runner needs to start the agent as another user, and to read that user's files. The agent itself has none.
const CAPABILITIES: &[&str] = &["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"];

/// How long a pull may take.
const PULL_LIMIT: Duration = Duration::from_secs(1800);
/// The network of agents where the configuration names none.
const NETWORK: &str = "terarchitect-agents";

/// A Docker engine.
pub struct Docker {
    pub(super) client: bollard::Docker,
    pub(super) config: ContainerConfig,
}

impl Docker {
    /// Makes sure that the network of agents is there: one for all agents, on which they can't reach each other. A network
    /// per job would use up the engine's address ranges. `docker network prune` removes it whenever no agent runs, so
    /// this is done before each container. A network that the configuration names is its owner's business.
    pub(super) async fn require_network(&self) -> Result<(), EngineError> {
        if self.config.network.is_some() {
            return Ok(());
        }
        let inspected =
            self.call("inspect a network", self.client.inspect_network(NETWORK, None::<InspectNetworkOptions>)).await;
        match inspected {
            Ok(_) => return Ok(()),
            Err(error) if is_status(&error, 404) => {}
            Err(error) => return Err(error),
        }
        let request = NetworkCreateRequest {
            name: NETWORK.to_owned(),
            driver: Some("bridge".to_owned()),
            options: Some(HashMap::from([("com.docker.network.bridge.enable_icc".to_owned(), "false".to_owned())])),
            labels: Some(HashMap::from([(format!("{LABEL_PREFIX}managed"), "true".to_owned())])),
            ..NetworkCreateRequest::default()
        };
        match self.call("create a network", self.client.create_network(request)).await {
            // Another coordinator of this machine created it in between.
            Err(error) if is_status(&error, 409) => Ok(()),
            created => created.map(drop),
        }
    }

    /// The agents that the image says it has, in its label `io.terarchitect.agents`; none where it does not say.
    ///
    /// # Errors
    /// When the engine does not have it, or does not respond.
    pub async fn agents(&self, image: &str) -> Result<Option<Vec<String>>, EngineError> {
        let inspected = self.call("inspect the image", self.client.inspect_image(image)).await?;
        let labels = inspected.config.and_then(|config| config.labels).unwrap_or_default();
        let agents = labels.get(&format!("{LABEL_PREFIX}agents"));
        Ok(agents.map(|names| names.split(',').map(|name| name.trim().to_lowercase()).collect()))
    }

    /// Runs a program in a container of the image, without any of a job's secrets, and returns its exit code and
    /// output.
    ///
    /// # Errors
    /// When the engine refuses, fails or does not respond.
    pub async fn probe(
        &self,
        image: &str,
        entrypoint: &[&str],
        env: &[(String, String)],
    ) -> Result<(i64, String), EngineError> {
        let spec = ContainerSpec {
            name: format!("terarchitect-probe-{}", Uuid::new_v4()),
            image: image.to_owned(),
            env: env.to_vec(),
            stdin: None,
            labels: std::collections::BTreeMap::new(),
            cache_volume: "terarchitect-cache-probe".to_owned(),
            local_path: None,
        };
        let mut body = self.body(&spec);
        body.entrypoint = Some(entrypoint.iter().map(|&word| word.to_owned()).collect());
        let options = CreateContainerOptionsBuilder::new().name(&spec.name).build();
        let created = self.call("create a container", self.client.create_container(Some(options), body)).await?;
        let probing = async {
            self.call("start a container", self.client.start_container(&created.id, None::<StartContainerOptions>))
                .await?;
            let limit = self.config.call_limit;
            tokio::time::timeout(limit, self.wait(&created.id))
                .await
                .map_err(|_| EngineError::TimedOut { attempted: "run a container to its end", limit })??;
            let code = match self.inspect(&created.id).await?.state {
                State::Exited(exited) => exited.code.into(),
                _ => -1,
            };
            Ok((code, self.log_tail(&created.id, 4096).await?))
        };
        let done = probing.await;
        self.remove(&created.id).await?;
        done
    }

    async fn call<T>(
        &self,
        attempted: &'static str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, EngineError> {
        let limit = self.config.call_limit;
        match tokio::time::timeout(limit, call).await {
            Err(_) => Err(EngineError::TimedOut { attempted, limit }),
            Ok(Ok(value)) => Ok(value),
            Ok(Err(
                source @ (Error::HyperResponseError { .. }
                | Error::HyperLegacyError { .. }
                | Error::IOError { .. }
                | Error::SocketNotFoundError(_)),
            )) => Err(EngineError::Unreachable(source)),
            Ok(Err(source)) => Err(EngineError::Failed { attempted, source }),
        }
    }

    async fn start_attached(&self, id: &str) -> Result<Input, EngineError> {
        // Attached before the start, or the container could read an empty standard input.
        let options = AttachContainerOptionsBuilder::new().stdin(true).stream(true).build();
        let attached = self.call("attach to a container", self.client.attach_container(id, Some(options))).await?;
        self.call("start a container", self.client.start_container(id, None::<StartContainerOptions>)).await?;
        Ok(attached.input)
    }

    fn binds(&self, spec: &ContainerSpec) -> Vec<String> {
        let mut binds = vec![format!("{}:/cache", spec.cache_volume)];
        if self.config.docker_mode == DockerMode::Dood {
            let socket = match &self.config.docker_host {
                DockerHost::Socket(path) => path.as_path(),
                // An engine that is reached over the network has its own socket at the usual path.
                DockerHost::Network { .. } => Path::new("/var/run/docker.sock"),
            };
            binds.push(format!("{}:/var/run/docker.sock", socket.display()));
        }
        if let Some(file) = &self.config.extra_ca_certs {
            binds.push(format!("{}:{EXTRA_CA_CERTS}:ro", file.display()));
        }
        binds
    }

    fn body(&self, spec: &ContainerSpec) -> ContainerCreateBody {
        let cap_add = CAPABILITIES.iter().map(|&name| name.to_owned()).chain(self.config.cap_add.iter().cloned());
        let log_options = [("max-size", "10m"), ("max-file", "2")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let host = HostConfig {
            init: Some(true),
            cap_drop: Some(vec!["ALL".to_owned()]),
            cap_add: Some(cap_add.collect()),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            memory: self.config.memory_bytes,
            memory_swap: self.config.memory_bytes,
            nano_cpus: self.config.nano_cpus,
            pids_limit: self.config.pids,
            network_mode: Some(self.config.network.clone().unwrap_or_else(|| NETWORK.to_owned())),
            privileged: Some(self.config.docker_mode == DockerMode::Dind),
            runtime: self.config.runtime.clone(),
            extra_hosts: Some(vec![format!("{HOST_NAME}:host-gateway")]),
            binds: Some(self.binds(spec)),
            // Lowered only: an engine on a hardened host may not raise a limit above its own.
            ulimits: Some(vec![ResourcesUlimits { name: Some("core".into()), soft: Some(0), hard: Some(0) }]),
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".into()),
                config: Some(HashMap::from(log_options)),
            }),
            ..HostConfig::default()
        };
        ContainerCreateBody {
            image: Some(spec.image.clone()),
            env: Some(spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
            labels: Some(spec.labels.clone().into_iter().collect()),
            open_stdin: Some(spec.stdin.is_some()),
            stdin_once: Some(spec.stdin.is_some()),
            attach_stdin: Some(spec.stdin.is_some()),
            host_config: Some(host),
            ..ContainerCreateBody::default()
        }
    }
}

/// Adds the default tag: without one, an engine would pull every tag of the image.
fn with_tag(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    if name.contains(':') || name.contains('@') { image.to_owned() } else { format!("{image}:latest") }
}

fn is_status(error: &EngineError, code: u16) -> bool {
    matches!(error, EngineError::Failed { source: Error::DockerResponseServerError { status_code, .. }, .. } if *status_code == code)
}

#[async_trait]
impl ContainerEngine for Docker {
    async fn version(&self) -> Result<String, EngineError> {
        let version = self.call("return its version", self.client.version()).await?;
        let parts = version.components.into_iter().flatten();
        let name = if parts.map(|part| part.name).any(|name| name.contains("Podman")) { "Podman" } else { "Docker" };
        Ok(format!("{name} {}", version.version.unwrap_or_default()))
    }

    async fn has_image(&self, image: &str) -> Result<bool, EngineError> {
        match self.call("inspect the image", self.client.inspect_image(image)).await {
            Ok(_) => Ok(true),
            Err(error) if is_status(&error, 404) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn pull(&self, image: &str) -> Result<(), EngineError> {
        let options = CreateImageOptionsBuilder::new().from_image(&with_tag(image)).build();
        let credentials = registry::credentials(image, self.config.registry.as_ref());
        let failed = |source| EngineError::NotPulled { image: image.to_owned(), source };
        let pulling = async {
            let mut progress = self.client.create_image(Some(options), None, credentials);
            while let Some(step) = progress.next().await {
                let step = step.map_err(failed)?;
                tracing::debug!(image, status = step.status, "pulling");
            }
            Ok::<(), EngineError>(())
        };
        let done = tokio::time::timeout(PULL_LIMIT, pulling).await;
        done.map_err(|_| EngineError::TimedOut { attempted: "pull the image", limit: PULL_LIMIT })??;
        // A failed pull may show only as a stream that ends early.
        if self.has_image(image).await? { Ok(()) } else { Err(EngineError::NoImage { image: image.to_owned() }) }
    }

    async fn root_dir(&self) -> Result<Option<PathBuf>, EngineError> {
        let info = self.call("return its system information", self.client.info()).await?;
        Ok(info.docker_root_dir.map(PathBuf::from).filter(|dir| dir.is_dir()))
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<Created, EngineError> {
        if spec.local_path.is_some() {
            return Err(EngineError::LocalNotAllowed);
        }
        self.require_network().await?;
        let options = CreateContainerOptionsBuilder::new().name(&spec.name).build();
        match self.call("create a container", self.client.create_container(Some(options), self.body(spec))).await {
            Ok(created) => Ok(Created::New(created.id)),
            Err(error) if is_status(&error, 404) => Err(EngineError::NoImage { image: spec.image.clone() }),
            Err(error) if is_status(&error, 409) => {
                let found = self.inspect(&spec.name).await?;
                match found.state {
                    // The engine still removes it, or has lost it. The next attempt has another name.
                    State::Gone => Err(error),
                    // Of an earlier call whose response did not arrive.
                    _ if is_same(&found, spec) => Ok(Created::Existing(found.id)),
                    _ => Err(EngineError::NameTaken { name: spec.name.clone() }),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn start(&self, id: &str, spec: &ContainerSpec) -> Result<(), EngineError> {
        // The network may have been pruned since the container was created.
        self.require_network().await?;
        let Some(secrets) = &spec.stdin else {
            let start = self.client.start_container(id, None::<StartContainerOptions>);
            return self.call("start a container", start).await;
        };
        let input = self.start_attached(id).await?;
        write_input(input, secrets, self.config.call_limit).await
    }

    async fn start_waiting(&self, id: &str) -> Result<Input, EngineError> {
        self.require_network().await?;
        self.start_attached(id).await
    }

    async fn rename(&self, id: &str, name: &str) -> Result<(), EngineError> {
        let options = RenameContainerOptionsBuilder::new().name(name).build();
        self.call("rename a container", self.client.rename_container(id, options)).await
    }

    async fn wait(&self, id: &str) -> Result<(), EngineError> {
        let options = WaitContainerOptionsBuilder::new().condition("not-running").build();
        match self.client.wait_container(id, Some(options)).try_next().await {
            // An exit code other than 0 comes as an error; `inspect` says what really happened.
            Ok(_) | Err(Error::DockerContainerWaitError { .. }) => Ok(()),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
            Err(source) => Err(EngineError::Unreachable(source)),
        }
    }

    async fn inspect(&self, id: &str) -> Result<Found, EngineError> {
        match self.call("inspect a container", self.client.inspect_container(id, None::<InspectContainerOptions>)).await
        {
            Ok(inspected) => found(id, inspected),
            Err(error) if is_status(&error, 404) => {
                Ok(Found { id: id.to_owned(), name: id.to_owned(), labels: Default::default(), state: State::Gone })
            }
            Err(error) => Err(error),
        }
    }

    async fn log_tail(&self, id: &str, max_bytes: usize) -> Result<String, EngineError> {
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(TAIL_LINES).build();
        let read = async {
            let mut tail = Vec::new();
            let mut stream = self.client.logs(id, Some(options));
            while let Some(piece) = stream.next().await {
                tail.extend_from_slice(&piece?.into_bytes());
                if tail.len() > 2 * max_bytes + 1 {
                    // One byte more than wanted shows that something was cut off.
                    tail.drain(..tail.len() - max_bytes - 1);
                }
            }
            Ok(tail)
        };
        let tail = self.call("read the output of a container", read).await?;
        Ok(end_of(&tail, max_bytes))
    }

    async fn signal(&self, id: &str, signal: Signal) -> Result<(), EngineError> {
        let options = KillContainerOptionsBuilder::new().signal(signal.name()).build();
        match self.call("signal a container", self.client.kill_container(id, Some(options))).await {
            Err(error) if is_status(&error, 404) || is_status(&error, 409) => Ok(()),
            other => other,
        }
    }

    async fn remove(&self, id: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptionsBuilder::new().v(true).force(true).build();
        match self.call("remove a container", self.client.remove_container(id, Some(options))).await {
            Err(error) if is_status(&error, 404) || is_status(&error, 409) => Ok(()),
            other => other,
        }
    }

    async fn list_own(&self, coordinator: Uuid) -> Result<Vec<Found>, EngineError> {
        let filters = HashMap::from([("label", vec![format!("{LABEL_PREFIX}coordinator-id={coordinator}")])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let listed = self.call("list containers", self.client.list_containers(Some(options))).await?;
        let mut own = Vec::with_capacity(listed.len());
        for id in listed.into_iter().filter_map(|container| container.id) {
            own.push(self.inspect(&id).await?);
        }
        Ok(own)
    }
}

/// Whether a container that has the spec's name is this coordinator's, for the same attempt. One that was started before its job has no
/// labels of that, and got the name from this coordinator.
fn is_same(found: &Found, spec: &ContainerSpec) -> bool {
    let of_the_job: &[&str] = if found.labels.contains_key(WARM_LABEL) { &[] } else { &["job-id", "attempt"] };
    of_the_job.iter().chain(&["coordinator-id"]).all(|name| {
        let name = format!("{LABEL_PREFIX}{name}");
        found.labels.get(&name) == spec.labels.get(&name)
    })
}

fn found(asked: &str, inspected: ContainerInspectResponse) -> Result<Found, EngineError> {
    let state = inspected.state.unwrap_or_default();
    let exited = || Exited {
        code: state.exit_code.and_then(|code| i32::try_from(code).ok()).unwrap_or(-1),
        oom_killed: state.oom_killed.unwrap_or(false),
        error: state.error.clone().filter(|error| !error.is_empty()),
    };
    let since = || state.started_at.as_deref().and_then(|at| at.parse().ok());
    use ContainerStateStatusEnum as Status;
    let id = inspected.id.unwrap_or_else(|| asked.to_owned());
    let name = inspected.name.unwrap_or_default().trim_start_matches('/').to_owned();
    let state = match state.status {
        Some(Status::CREATED) if state.exit_code.unwrap_or(0) == 0 => State::Created,
        Some(Status::EXITED | Status::DEAD | Status::CREATED) => State::Exited(exited()),
        Some(Status::RUNNING | Status::PAUSED | Status::RESTARTING | Status::REMOVING) => {
            State::Running { since: since() }
        }
        // A guess could report a job as ended while it still runs, or wait for one that never ends.
        unknown => {
            let state = unknown.map_or("none".to_owned(), |status| format!("'{status}'"));
            return Err(EngineError::UnknownState { container: id, state });
        }
    };
    let labels = inspected.config.and_then(|config| config.labels).unwrap_or_default().into_iter().collect();
    Ok(Found { id, name, labels, state })
}
