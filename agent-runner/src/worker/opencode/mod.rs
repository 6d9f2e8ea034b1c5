//! OpenCode as a [`Worker`]: its server is started (or found), and driven over HTTP.
//!
//! A turn is one call that blocks until the agent is done; its answer is the firm signal of the end. Beside it, the
//! events show progress and [`events`] answers what would wait for a person. Measured on version 1.18.33.

mod api;
mod config;
mod conversation;
mod events;
mod failure;
mod options;
mod process;
mod reap;
mod retry;
mod turn;
mod wire;

pub use options::{ModelLimits, OpenCodeOptions, ProjectConfig, Provider, RunAs, ServerAddress};

use super::{TurnOutput, Worker, WorkerError};
use api::{Api, ApiError};
use async_trait::async_trait;
use conversation::Conversation;
use process::Server;
use reqwest::StatusCode;
use secrecy::SecretString;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

/// How long one look at the server's health may take. A connection that it accepts in its first instants is never
/// answered, so a probe without a limit of its own could wait for ever.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// The pause between two probes.
const PROBE_PAUSE: Duration = Duration::from_millis(50);

/// A server that is starting. Dropping it ends the server.
pub struct Starting {
    options: OpenCodeOptions,
    origin: Origin,
    started: Instant,
}

enum Origin {
    Ours { server: Server, password: SecretString },
    Given(ServerAddress),
}

/// An OpenCode server with our one conversation. Dropping it ends a server that we started, with all its processes.
pub struct OpenCode {
    options: OpenCodeOptions,
    api: Api,
    server: Option<Server>,
    version: String,
    conversation: Option<Conversation>,
}

impl OpenCode {
    /// Starts the server and returns at once, so that other preparations can run meanwhile. Needs a tokio runtime.
    ///
    /// # Errors
    /// The program is missing or can't be run, or the state directory can't be made.
    pub fn spawn(options: OpenCodeOptions) -> Result<Starting, WorkerError> {
        let origin = match options.server.clone() {
            Some(address) => Origin::Given(address),
            None => {
                let password = SecretString::from(format!("{:032x}", rand::random::<u128>()));
                Origin::Ours { server: Server::spawn(&options, &password)?, password }
            }
        };
        Ok(Starting { options, origin, started: Instant::now() })
    }

    /// Starts the server and waits until it is ready.
    ///
    /// # Errors
    /// As of [`OpenCode::spawn`] and [`Starting::ready`].
    pub async fn launch(options: OpenCodeOptions) -> Result<Self, WorkerError> {
        Self::spawn(options)?.ready().await
    }
}

impl Starting {
    /// Waits until the server answers.
    ///
    /// # Errors
    /// The server ended, did not answer in time, or refuses us.
    pub async fn ready(mut self) -> Result<OpenCode, WorkerError> {
        let limit = self.options.startup_timeout;
        let Ok(result) = tokio::time::timeout_at(self.started + limit, self.first_answer()).await else {
            return Err(self.too_slow(limit));
        };
        let (api, version) = result?;
        tracing::info!(
            agent.version = version,
            duration_ms = self.started.elapsed().as_millis(),
            "the agent is ready: OpenCode {version}"
        );
        let server = match self.origin {
            Origin::Ours { server, .. } => Some(server),
            Origin::Given(_) => None,
        };
        Ok(OpenCode { options: self.options, api, server, version, conversation: None })
    }

    async fn first_answer(&mut self) -> Result<(Api, String), WorkerError> {
        let (url, username, password) = match &mut self.origin {
            Origin::Ours { server, password } => (server.listening().await?, None, Some(password.clone())),
            Origin::Given(given) => (given.url.clone(), given.username.clone(), given.password.clone()),
        };
        let api = Api::new(url.clone(), username, password, &self.options.directory)
            .map_err(|error| protocol("setting up the HTTP client", &error))?;
        loop {
            match api.health(PROBE_LIMIT).await {
                Ok(health) if health.healthy => return Ok((api, health.version)),
                Err(ApiError::Status { status: StatusCode::UNAUTHORIZED, .. }) => return Err(refused(&url)),
                Err(ApiError::Body(_)) => return Err(no_opencode(&url)),
                Err(ApiError::Status { status, .. }) if status.is_client_error() => return Err(no_opencode(&url)),
                Ok(_) | Err(_) => {}
            }
            if let Origin::Ours { server, .. } = &self.origin
                && server.is_dead()
            {
                let (exit, stderr_tail) = server.died().await;
                let message = format!("`opencode serve` ended with {exit} before it was ready");
                return Err(WorkerError::Startup { message, stderr_tail });
            }
            tokio::time::sleep(PROBE_PAUSE).await;
        }
    }

    fn too_slow(&self, limit: Duration) -> WorkerError {
        match &self.origin {
            Origin::Ours { server, .. } => WorkerError::Startup {
                message: format!("`opencode serve` was not ready within {} seconds", limit.as_secs()),
                stderr_tail: server.tail(),
            },
            Origin::Given(given) => WorkerError::Server {
                message: format!(
                    "no OpenCode server answered at {} within {} seconds, check OPENCODE_SERVER_URL",
                    shown(&given.url),
                    limit.as_secs()
                ),
            },
        }
    }
}

#[async_trait]
impl Worker for OpenCode {
    fn name(&self) -> String {
        format!("OpenCode {}", self.version)
    }

    async fn prompt(&mut self, prompt: &str, cancel: &CancellationToken) -> Result<TurnOutput, WorkerError> {
        self.run_turn(prompt, cancel).await
    }

    async fn summarize(&mut self, cancel: &CancellationToken) -> Result<(), WorkerError> {
        self.compact(cancel).await
    }

    async fn shutdown(mut self: Box<Self>) {
        if let Some(conversation) = self.conversation.take()
            && self.server.is_none()
        {
            conversation.leave(&self.api).await;
        }
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }
}

fn protocol(attempted: &str, error: &ApiError) -> WorkerError {
    WorkerError::Protocol { attempted: attempted.to_owned(), message: error.to_string() }
}

fn refused(url: &Url) -> WorkerError {
    let message = format!(
        "the OpenCode server at {} refuses the password, check OPENCODE_SERVER_PASSWORD and OPENCODE_SERVER_USERNAME",
        shown(url)
    );
    WorkerError::Server { message }
}

fn no_opencode(url: &Url) -> WorkerError {
    let message = format!("what answers at {} is no OpenCode server, check OPENCODE_SERVER_URL", shown(url));
    WorkerError::Server { message }
}

/// The address without a password that may stand in it.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.to_string()
}
