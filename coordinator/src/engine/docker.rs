//! Docker, through bollard. Every call but `wait` has a time limit of its own.

use super::{ContainerEngine, Created, EngineError, Exited, Found, Signal, State};
use crate::config::{ContainerConfig, HOST_NAME};
use crate::spec::{ContainerSpec, LABEL_PREFIX};
use async_trait::async_trait;
use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerStateStatusEnum, HostConfig, HostConfigLogConfig,
    ResourcesUlimits,
};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, InspectContainerOptions, KillContainerOptionsBuilder,
    ListContainersOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
    WaitContainerOptionsBuilder,
};
use futures::{StreamExt, TryStreamExt};
use secrecy::ExposeSecret;
use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

/// How long one call may take.
const CALL_LIMIT: Duration = Duration::from_secs(60);
/// How many lines of output are kept for a report.
const TAIL_LINES: &str = "200";
/// What the runner needs to start the agent as another user, and to read what that user wrote. The agent has none.
const CAPABILITIES: &[&str] = &["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"];

/// A Docker engine.
pub struct Docker {
    client: bollard::Docker,
    config: ContainerConfig,
}

impl Docker {
    /// Connects to the engine that `DOCKER_HOST` names, or to the local one.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn connect(config: ContainerConfig) -> Result<Self, EngineError> {
        let client = bollard::Docker::connect_with_defaults().map_err(EngineError::Unreachable)?;
        let negotiated = tokio::time::timeout(CALL_LIMIT, client.negotiate_version()).await;
        let client = negotiated
            .map_err(|_| EngineError::TimedOut { attempted: "answer", limit: CALL_LIMIT })?
            .map_err(EngineError::Unreachable)?;
        Ok(Self { client, config })
    }

    async fn call<T>(
        &self,
        attempted: &'static str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, EngineError> {
        match tokio::time::timeout(CALL_LIMIT, call).await {
            Err(_) => Err(EngineError::TimedOut { attempted, limit: CALL_LIMIT }),
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
            network_mode: self.config.network.clone(),
            extra_hosts: Some(vec![format!("{HOST_NAME}:host-gateway")]),
            binds: Some(vec![format!("{}:/cache", spec.cache_volume)]),
            // Only lowered: an engine on a hardened host may not raise a limit above its own.
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

fn is_status(error: &EngineError, code: u16) -> bool {
    matches!(error, EngineError::Failed { source: Error::DockerResponseServerError { status_code, .. }, .. } if *status_code == code)
}

#[async_trait]
impl ContainerEngine for Docker {
    async fn version(&self) -> Result<String, EngineError> {
        let version = self.call("tell its version", self.client.version()).await?;
        Ok(format!("Docker {}", version.version.unwrap_or_default()))
    }

    async fn has_image(&self, image: &str) -> Result<bool, EngineError> {
        match self.call("look for the image", self.client.inspect_image(image)).await {
            Ok(_) => Ok(true),
            Err(error) if is_status(&error, 404) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<Created, EngineError> {
        let options = CreateContainerOptionsBuilder::new().name(&spec.name).build();
        match self.call("create a container", self.client.create_container(Some(options), self.body(spec))).await {
            Ok(created) => Ok(Created::New(created.id)),
            Err(error) if is_status(&error, 404) => Err(EngineError::NoImage { image: spec.image.clone() }),
            Err(error) if is_status(&error, 409) => Ok(Created::Existing(self.inspect(&spec.name).await?.id)),
            Err(error) => Err(error),
        }
    }

    async fn start(&self, id: &str, spec: &ContainerSpec) -> Result<(), EngineError> {
        let start = self.client.start_container(id, None::<StartContainerOptions>);
        let Some(secrets) = &spec.stdin else { return self.call("start a container", start).await };
        // Attached before it starts: a container that is started without would wait for its input in vain.
        let options = AttachContainerOptionsBuilder::new().stdin(true).stream(true).build();
        let mut attached = self.call("attach to a container", self.client.attach_container(id, Some(options))).await?;
        self.call("start a container", start).await?;
        attached.input.write_all(secrets.expose_secret().as_bytes()).await.map_err(EngineError::Stdin)?;
        attached.input.flush().await.map_err(EngineError::Stdin)?;
        attached.input.shutdown().await.map_err(EngineError::Stdin)
    }

    async fn wait(&self, id: &str) -> Result<(), EngineError> {
        let options = WaitContainerOptionsBuilder::new().condition("not-running").build();
        match self.client.wait_container(id, Some(options)).try_next().await {
            // A code other than 0 comes as an error; what really happened is for `inspect` to say.
            Ok(_) | Err(Error::DockerContainerWaitError { .. }) => Ok(()),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
            Err(source) => Err(EngineError::Unreachable(source)),
        }
    }

    async fn inspect(&self, id: &str) -> Result<Found, EngineError> {
        match self.call("inspect a container", self.client.inspect_container(id, None::<InspectContainerOptions>)).await
        {
            Ok(inspected) => Ok(found(id, inspected)),
            Err(error) if is_status(&error, 404) => {
                Ok(Found { id: id.to_owned(), labels: Default::default(), state: State::Gone })
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
                if tail.len() > 2 * max_bytes {
                    tail.drain(..tail.len() - max_bytes);
                }
            }
            Ok(tail)
        };
        let tail = self.call("read the output of a container", read).await?;
        let text = String::from_utf8_lossy(&tail[tail.len().saturating_sub(max_bytes)..]).replace('\0', "\u{fffd}");
        Ok(text)
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

fn found(asked: &str, inspected: ContainerInspectResponse) -> Found {
    let state = inspected.state.unwrap_or_default();
    let exited = || Exited {
        code: state.exit_code.and_then(|code| i32::try_from(code).ok()).unwrap_or(-1),
        oom_killed: state.oom_killed.unwrap_or(false),
        error: state.error.clone().filter(|error| !error.is_empty()),
    };
    let since = || state.started_at.as_deref().and_then(|at| at.parse().ok());
    Found {
        id: inspected.id.unwrap_or_else(|| asked.to_owned()),
        labels: inspected.config.and_then(|config| config.labels).unwrap_or_default().into_iter().collect(),
        state: match state.status {
            Some(ContainerStateStatusEnum::CREATED) if state.exit_code.unwrap_or(0) == 0 => State::Created,
            Some(
                ContainerStateStatusEnum::EXITED | ContainerStateStatusEnum::DEAD | ContainerStateStatusEnum::CREATED,
            ) => State::Exited(exited()),
            _ => State::Running { since: since() },
        },
    }
}
