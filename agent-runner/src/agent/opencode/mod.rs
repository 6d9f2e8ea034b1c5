//! OpenCode as an [`Agent`]: its server is started (or a running one is used), and driven over HTTP.
//!
//! A turn is one call that blocks until the agent is done; its response is the reliable signal of the end. Beside it,
//! the events show progress, and requests that would wait for a person are answered. Measured on version 1.18.33.

mod api;
mod asking;
mod boot;
pub(super) mod config;
mod conversation;
mod events;
mod failure;
mod prepared;
mod quiet;
mod remembered;
mod server;
mod turn;
mod wire;

use super::process::AgentProcess;
use super::{Agent, AgentError, AgentOptions, TurnOutput};
use api::{Api, ApiError};
use asking::Asking;
use async_trait::async_trait;
use conversation::Conversation;
pub(super) use prepared::PreparedOpenCode;
use server::Identity;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// An OpenCode server with one conversation. Dropping it ends a server that the runner started, with all its processes.
pub(super) struct OpenCode {
    options: AgentOptions,
    api: Api,
    /// The server's process, where the runner started it.
    server: Option<AgentProcess>,
    version: String,
    conversation: Option<Conversation>,
    /// The session of an earlier server that was read in, until the first turn opens it.
    resumed: Option<String>,
    asking: Arc<Asking>,
}

impl OpenCode {
    /// Starts the server, or finds the given one, and waits until it is ready.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub(super) async fn start(options: AgentOptions) -> Result<Self, AgentError> {
        let (api, version, server) = if let Some(address) = options.server.clone() {
            let (api, version) = boot::given_server(&options, address).await?;
            (api, version, None)
        } else {
            let identity = Identity::draw();
            let (server, starting) = server::spawn(&options, &identity)?;
            let (api, version) = boot::own_server(&options, &starting, identity.password).await?;
            // Only saves time in the first turn, so its result does not matter.
            let warm = api.clone();
            tokio::spawn(async move { drop(warm.warm_up().await) });
            (api, version, Some(server))
        };
        Ok(Self::with(options, api, version, server))
    }

    fn with(options: AgentOptions, api: Api, version: String, server: Option<AgentProcess>) -> Self {
        let api = api.for_directory(&options.directory);
        let asking = Arc::new(Asking::new(options.may_ask));
        Self { options, api, server, version, conversation: None, resumed: None, asking }
    }
}

#[async_trait]
impl Agent for OpenCode {
    fn name(&self) -> String {
        format!("OpenCode {}", self.version)
    }

    async fn prompt(&mut self, prompt: &str, cancel: &CancellationToken) -> Result<TurnOutput, AgentError> {
        self.run_turn(prompt, cancel).await
    }

    async fn compact(&mut self, cancel: &CancellationToken) -> Result<(), AgentError> {
        self.run_compaction(cancel).await
    }

    fn grant(&mut self, permission: &str, patterns: &[String]) {
        self.asking.grant(permission, patterns);
    }

    async fn remembered(&mut self) -> Result<Option<String>, AgentError> {
        self.read_session().await
    }

    async fn resume(&mut self, remembered: &str) -> Result<bool, AgentError> {
        self.read_in(remembered).await
    }

    async fn begin_afresh(&mut self) -> bool {
        self.leave_conversation().await;
        true
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

fn protocol(attempted: &str, error: &ApiError) -> AgentError {
    AgentError::Protocol { attempted: attempted.to_owned(), message: error.to_string() }
}
