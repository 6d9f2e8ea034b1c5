//! Cursor's Cloud Agents as the runner's agent: the first turn launches one on the ticket's branch, each further turn is a
//! follow-up, and the turn ends when the agent has. It works on a machine of Cursor's, and its changes are commits that it
//! pushes.
//!
//! A launch and a follow-up happen once, whenever a runner ends: the next attempt of the same job finds the agent by the
//! job's id, and sees by the number of its prompts which turn it is in.

mod failure;
mod launch;
mod turn;
mod words;

use super::turns::{Agent, TurnOutput};
use super::{AgentError, ProgressSink};
use async_trait::async_trait;
use failure::failed;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use terarchitect_cursor::{Cursor, CursorError, Launch, Launched, Patience, Status, Version};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

/// How long it may take to stop an agent. A container that is stopped has 30 s.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// Everything about an agent in Cursor's cloud that is decided by its caller.
#[derive(Clone)]
pub struct CursorOptions {
    /// Where Cursor's API is (`CURSOR_API_URL`).
    pub api: Url,
    /// The key (`CURSOR_API_KEY`).
    pub key: SecretString,
    /// Which of its APIs is spoken (`CURSOR_API_VERSION`).
    pub version: Version,
    /// The model; Cursor's own choice where there is none (`CURSOR_MODEL`).
    pub model: Option<String>,
    /// The repository's address.
    pub repository: String,
    /// The ticket's branch, which the remote has when the first turn begins.
    pub branch: String,
    /// The job, by which the next attempt finds the agent of this one; without it each attempt has its own.
    pub job: Option<Uuid>,
    /// How long one turn may take.
    pub turn_timeout: Duration,
    /// The shortest pause between two looks at the agent; the longest is six times as long.
    pub look: Duration,
    /// Receives live events.
    pub progress: Arc<dyn ProgressSink>,
}

/// An agent in Cursor's cloud, or the intention to launch one.
pub(super) struct CursorAgent {
    cursor: Arc<Cursor>,
    options: CursorOptions,
    there: Option<There>,
    /// A launch or a follow-up whose end is not known yet. It goes on when a turn is interrupted, so that what it launched
    /// can be stopped.
    saying: Option<JoinHandle<Result<Option<Launched>, CursorError>>>,
    /// A launch that may have happened.
    launching: Option<Launch>,
    /// Whether the agent may be at work.
    is_busy: bool,
    /// What the names of its agents are made of: the job, or at random where that is not known.
    seed: Uuid,
}

/// The agent in the cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct There {
    id: String,
    /// The branch to which it pushes.
    branch: String,
    version: String,
    /// How many prompts it has had.
    prompts: usize,
    /// The run of its last turn that has ended, in v1.
    run: Option<String>,
    /// Whether an earlier attempt may have prompted it since.
    #[serde(skip)]
    is_new_here: bool,
}

impl CursorAgent {
    /// # Errors
    /// The HTTP client could not be set up.
    pub(super) fn new(options: CursorOptions) -> Result<Self, AgentError> {
        let cursor = Cursor::new(options.api.clone(), options.key.clone(), options.version, Patience::LONG);
        let cursor = Arc::new(cursor.map_err(failed)?);
        let seed = options.job.unwrap_or_else(Uuid::new_v4);
        Ok(Self { cursor, options, there: None, saying: None, launching: None, is_busy: false, seed })
    }

    /// Stops what the agent does, if it does anything. Bounded, and never fails.
    async fn stop(&mut self) {
        if !std::mem::take(&mut self.is_busy) {
            return;
        }
        let stopping = async {
            let launched = match self.saying.take() {
                Some(saying) => saying.await.ok().and_then(Result::ok).flatten().map(|launched| launched.agent.id),
                None => None,
            };
            let id = match (&self.there, launched, &self.launching) {
                (Some(there), ..) => Some(there.id.clone()),
                (None, Some(id), _) => Some(id),
                (None, None, Some(launch)) => self.cursor.find(launch).await?.map(|agent| agent.id),
                (None, None, None) => None,
            };
            match id {
                Some(id) => self.cursor.stop(&id).await,
                None => Ok(()),
            }
        };
        let why = match tokio::time::timeout(STOP_LIMIT, stopping).await {
            Ok(Ok(()) | Err(CursorError::NotFound { .. })) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("nothing within {} seconds", STOP_LIMIT.as_secs()),
        };
        let agent = self.there.as_ref().map_or("(its id is not known)", |there| there.id.as_str());
        tracing::error!(
            agent,
            why,
            "could not stop Cursor's agent, which goes on until it has ended: stop it there by hand"
        );
    }
}

impl fmt::Debug for CursorAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CursorAgent")
            .field("there", &self.there)
            .field("is_busy", &self.is_busy)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Agent for CursorAgent {
    fn name(&self) -> String {
        format!("Cursor's cloud ({})", self.options.version)
    }

    async fn prompt(&mut self, prompt: &str, cancel: &CancellationToken) -> Result<TurnOutput, AgentError> {
        let limit = self.options.turn_timeout;
        let deadline = Instant::now() + limit;
        let ended = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(AgentError::Cancelled),
            ended = self.run_turn(prompt) => ended,
            () = tokio::time::sleep_until(deadline) => Err(AgentError::Timeout { after: limit }),
        };
        // A turn whose end is not waited for any more must not go on.
        self.stop().await;
        ended
    }

    /// Cursor does that by itself.
    async fn compact(&mut self, _cancel: &CancellationToken) -> Result<(), AgentError> {
        Ok(())
    }

    async fn remembered(&mut self) -> Result<Option<String>, AgentError> {
        // Texts and numbers alone can always be written.
        Ok(self.there.as_ref().and_then(|there| serde_json::to_string(there).ok()))
    }

    async fn resume(&mut self, remembered: &str) -> Result<bool, AgentError> {
        let Ok(there) = serde_json::from_str::<There>(remembered) else { return Ok(false) };
        if there.version != self.options.version.to_string() {
            return Ok(false);
        }
        match self.cursor.agent(&there.id).await {
            Ok(agent) if matches!(agent.status, Status::Error | Status::Expired) => Ok(false),
            Ok(_) => {
                self.there = Some(There { is_new_here: true, ..there });
                Ok(true)
            }
            Err(CursorError::NotFound { .. }) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    async fn shutdown(mut self: Box<Self>) {
        self.stop().await;
    }
}
