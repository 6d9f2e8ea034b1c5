//! OpenCode as a [`Worker`]: its server is started (or found), and driven over HTTP.
//!
//! A turn is one call that blocks until the agent is done; its answer is the firm signal of the end. Beside it, the
//! events show progress, and requests that would wait for a person are answered. Measured on version 1.18.33.

mod api;
mod boot;
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
use boot::Boot;
use conversation::Conversation;
use process::Server;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

/// A server that is starting. Dropping it ends the server.
pub struct Starting {
    options: OpenCodeOptions,
    server: Option<Server>,
    boot: Boot,
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
    /// Starts the server and returns at once; it comes up while other preparations run. Needs a tokio runtime.
    ///
    /// # Errors
    /// The program is missing or can't be run, or the state directory can't be made.
    pub fn spawn(options: OpenCodeOptions) -> Result<Starting, WorkerError> {
        if let Some(address) = options.server.clone() {
            let boot = Boot::of_given(&options, address);
            return Ok(Starting { options, server: None, boot });
        }
        let password = SecretString::from(format!("{:032x}", rand::random::<u128>()));
        let server = Server::spawn(&options, &password)?;
        let boot = Boot::of_ours(&options, server.signs().clone(), password);
        Ok(Starting { options, server: Some(server), boot })
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
    pub async fn ready(self) -> Result<OpenCode, WorkerError> {
        let Self { options, server, boot } = self;
        let (api, version) = boot.finish().await?;
        let api = api.for_directory(&options.directory);
        Ok(OpenCode { options, api, server, version, conversation: None })
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
