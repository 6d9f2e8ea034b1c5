//! Agents that speak the Agent Client Protocol (version 1) over standard input and output, as an [`Agent`]. What is different
//! from one to another is a row in [`recipes`].
//!
//! A turn is one call whose answer is its end. That answer says little about success: a model's failure may be reported
//! beside it, written as if the agent had said it, or not at all. So the gateway is asked, too.

mod asking;
mod boot;
mod ending;
mod peer;
mod recipes;
mod record;
mod remembered;
mod turn;

use super::process::AgentProcess;
use super::{Agent, AgentError, AgentKind, AgentOptions, TurnOutput};
use asking::Granted;
use async_trait::async_trait;
use peer::Peer;
use recipes::{Recipe, recipe};
use std::path::PathBuf;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long the process may take to end once its input is closed.
const END_LIMIT: Duration = Duration::from_secs(2);

/// An agent's process with one conversation. Dropping it ends the process and all that it started.
pub(super) struct Acp {
    kind: AgentKind,
    recipe: &'static Recipe,
    options: AgentOptions,
    process: AgentProcess,
    peer: Peer,
    /// What it calls itself, with its version.
    version: String,
    /// Its own directory, with its configuration and conversations.
    own: PathBuf,
    session: Option<String>,
    granted: Granted,
    /// Whether its process was ended with a turn. The next turn begins with another one.
    is_ended: bool,
}

impl Acp {
    /// Starts the process and waits until it is ready.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub(super) async fn start(kind: AgentKind, options: AgentOptions) -> Result<Self, AgentError> {
        let Some(recipe) = recipe(kind) else {
            let message = format!("{} does not speak ACP", kind.as_str());
            return Err(AgentError::Startup { message, stderr_tail: String::new() });
        };
        boot::start(kind, recipe, options, true).await
    }
}

#[async_trait]
impl Agent for Acp {
    fn name(&self) -> String {
        format!("{} ({})", self.recipe.name, self.version)
    }

    async fn prompt(&mut self, prompt: &str, cancel: &CancellationToken) -> Result<TurnOutput, AgentError> {
        self.run_turn(prompt, cancel).await
    }

    async fn compact(&mut self, cancel: &CancellationToken) -> Result<(), AgentError> {
        self.run_compaction(cancel).await
    }

    fn grant(&mut self, permission: &str, patterns: &[String]) {
        self.granted.add(permission, patterns);
    }

    async fn remembered(&mut self) -> Result<Option<String>, AgentError> {
        let session = self.session.as_deref();
        Ok(session.and_then(|of| remembered::read(self.recipe, &self.own, &self.options.directory, of)))
    }

    async fn resume(&mut self, remembered: &str) -> Result<bool, AgentError> {
        self.read_in(remembered).await
    }

    async fn begin_afresh(&mut self) -> bool {
        self.session = None;
        true
    }

    async fn shutdown(self: Box<Self>) {
        let Self { process, peer, .. } = *self;
        // Not all of them end at a signal, but all do when their input is closed.
        drop(peer);
        let _ = tokio::time::timeout(END_LIMIT, process.signs().died()).await;
        process.stop().await;
    }
}
