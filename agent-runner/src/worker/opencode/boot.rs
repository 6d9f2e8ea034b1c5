//! From a started process, or a given address, to a server that answers.

use super::api::{Api, ApiError};
use super::options::{OpenCodeOptions, ServerAddress};
use super::process::Signs;
use super::protocol;
use crate::worker::WorkerError;
use reqwest::StatusCode;
use secrecy::SecretString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use url::Url;

/// How long one look at the server's health may take. A connection that it accepts in its first instants is never
/// answered, so a probe without a limit of its own could wait for ever.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// The pause between two probes.
const PROBE_PAUSE: Duration = Duration::from_millis(50);

type Booted = Result<(Api, String), WorkerError>;

/// A start that goes on by itself. Dropping it gives it up.
pub(super) struct Boot(Option<JoinHandle<Booted>>);

impl Boot {
    /// Waits for our own server, then lets it load what it needs, in a directory other than the workspace: that is
    /// still empty, and OpenCode looks for its repository only once.
    pub(super) fn of_ours(options: &OpenCodeOptions, signs: Signs, password: SecretString) -> Self {
        let (limit, directory) = (options.startup_timeout, options.state_dir.clone());
        Self::start(async move {
            let started = Instant::now();
            let Ok(booted) = tokio::time::timeout(limit, our_server(&signs, password, &directory)).await else {
                let message = format!("`opencode serve` was not ready within {} seconds", limit.as_secs());
                return Err(WorkerError::Startup { message, stderr_tail: signs.tail() });
            };
            let (api, version) = booted?;
            let duration_ms = started.elapsed().as_millis();
            tracing::info!(agent.version = version, duration_ms, "the agent is ready: OpenCode {version}");
            let warm = api.clone();
            // It does not matter whether that works; the first turn is quicker if it does.
            tokio::spawn(async move { drop(warm.warm_up().await) });
            Ok((api, version))
        })
    }

    /// Waits for a server that somebody else started.
    pub(super) fn of_given(options: &OpenCodeOptions, address: ServerAddress) -> Self {
        let (limit, directory): (Duration, PathBuf) = (options.startup_timeout, options.directory.clone());
        Self::start(async move {
            let url = shown(&address.url);
            let waiting = async {
                let api = Api::new(address.url.clone(), address.username, address.password, &directory)
                    .map_err(|error| protocol("setting up the HTTP client", &error))?;
                first_answer(api, &url, None).await
            };
            tokio::time::timeout(limit, waiting).await.unwrap_or_else(|_| {
                Err(WorkerError::Server {
                    message: format!(
                        "no OpenCode server answered at {url} within {} seconds, check OPENCODE_SERVER_URL",
                        limit.as_secs()
                    ),
                })
            })
        })
    }

    fn start(boot: impl Future<Output = Booted> + Send + 'static) -> Self {
        Self(Some(tokio::spawn(boot)))
    }

    /// Waits for the end of the start.
    pub(super) async fn finish(mut self) -> Booted {
        let Some(task) = &mut self.0 else { return Err(gone()) };
        let result = task.await;
        self.0 = None;
        result.unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Boot {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

async fn our_server(signs: &Signs, password: SecretString, directory: &Path) -> Booted {
    let url = signs.listening().await?;
    let api = Api::new(url.clone(), None, Some(password), directory)
        .map_err(|error| protocol("setting up the HTTP client", &error))?;
    first_answer(api, &shown(&url), Some(signs)).await
}

async fn first_answer(api: Api, url: &str, signs: Option<&Signs>) -> Booted {
    loop {
        match api.health(PROBE_LIMIT).await {
            Ok(health) if health.healthy => return Ok((api, health.version)),
            Err(ApiError::Status { status: StatusCode::UNAUTHORIZED, .. }) => return Err(refused(url)),
            Err(ApiError::Body(_)) => return Err(no_opencode(url)),
            Err(ApiError::Status { status, .. }) if status.is_client_error() => return Err(no_opencode(url)),
            Ok(_) | Err(_) => {}
        }
        if let Some(signs) = signs
            && signs.is_dead()
        {
            return Err(signs.died_early().await);
        }
        tokio::time::sleep(PROBE_PAUSE).await;
    }
}

fn refused(url: &str) -> WorkerError {
    let message = format!(
        "the OpenCode server at {url} refuses the password, check OPENCODE_SERVER_PASSWORD and OPENCODE_SERVER_USERNAME"
    );
    WorkerError::Server { message }
}

fn no_opencode(url: &str) -> WorkerError {
    WorkerError::Server { message: format!("what answers at {url} is no OpenCode server, check OPENCODE_SERVER_URL") }
}

/// The task panicked or the runtime is shutting down.
fn gone() -> WorkerError {
    WorkerError::Startup { message: "its start was given up".to_owned(), stderr_tail: String::new() }
}

/// The address without a password that may stand in it.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.to_string()
}
