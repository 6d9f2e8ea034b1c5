//! Where the job's policy lets it stop for a person: open a checkpoint, wait for a short time, and then let the job wait without
//! this attempt.

use super::{API_PATIENCE, Attempt, AttemptError, LOG_PATIENCE};
use crate::prompts::shortened;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::time::Duration;
use terarchitect_outbound::Retry;
use terarchitect_worker_api::{CheckpointStage, CheckpointStatus, HoldRequest, OpenCheckpoint, RunnerCheckpoint, Stop};
use tokio::time::Instant;
use uuid::Uuid;

/// How much of a text people see, in bytes; a checkpoint takes at most 1 MiB.
const MAX_TEXT_BYTES: usize = 200 * 1024;
/// How much of everything else, in bytes.
const MAX_DATA_BYTES: usize = 700 * 1024;

/// How much of a question is the checkpoint's message, in characters; all of it is in its data.
const MAX_MESSAGE_CHARS: usize = 500;

/// What became of a stop.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The work goes on, with what the person said.
    GoOn(Option<String>),
    /// It is not decided yet.
    Waits {
        /// The checkpoint.
        id: Uuid,
        /// What to decide.
        message: String,
    },
}

impl Attempt {
    /// Whether people answer what the agent asks, by the job's policy. An agent that works elsewhere has no way to ask.
    pub(super) fn may_ask(&self) -> bool {
        let stops = &self.context.checkpoints;
        !self.agent.works_elsewhere()
            && stops.iter().any(|stop| stop.stage == CheckpointStage::Question && stop.kind.blocks())
    }

    /// Stops at this stage, if the job's policy says so, and waits for a short time. `about` makes it another checkpoint where
    /// it is about something else.
    pub(super) async fn stop_at(
        &self,
        stage: CheckpointStage,
        about: &str,
        data: Map<String, Value>,
    ) -> Result<Stopped, AttemptError> {
        match self.context.checkpoints.iter().find(|stop| stop.stage == stage) {
            Some(stop) => self.stop(stop, about, data).await,
            None => Ok(Stopped::GoOn(None)),
        }
    }

    /// Stops here, and waits for a short time.
    pub(super) async fn stop(
        &self,
        stop: &Stop,
        about: &str,
        data: Map<String, Value>,
    ) -> Result<Stopped, AttemptError> {
        let request = self.checkpoint(stop, about, data);
        let (project, ticket) = (self.config.project, self.config.ticket);
        let opened = self.client.open_checkpoint(project, ticket, &request, Retry::For(API_PATIENCE)).await;
        let opened = opened.map_err(AttemptError::Api)?;
        if !stop.kind.blocks() {
            return Ok(Stopped::GoOn(None));
        }
        if opened.status == CheckpointStatus::Pending {
            let text = format!("Waiting for a person: {}", request.message);
            self.reporter.log("checkpoint", &text, None);
            self.progress.now(&text);
        }
        let decided = self.wait_for_decision(opened).await?;
        match decided.status {
            CheckpointStatus::Pending => Ok(Stopped::Waits { id: decided.id, message: request.message }),
            _ => self.decided(decided).map(Stopped::GoOn),
        }
    }

    fn checkpoint(&self, stop: &Stop, about: &str, mut data: Map<String, Value>) -> OpenCheckpoint {
        if let Some(Value::String(text)) = data.get_mut("text") {
            *text = self.mask.apply(&text[..text.floor_char_boundary(MAX_TEXT_BYTES)]);
        }
        if json!(data).to_string().len() > MAX_DATA_BYTES {
            // The whole of it is with the job.
            data.retain(|name, _| name == "text");
        }
        let hash = Sha256::digest(about).iter().take(6).fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        let standard = match stop.stage {
            CheckpointStage::Plan => "Should the agent work by this plan?",
            CheckpointStage::Diff => "Should these changes be handed in?",
            CheckpointStage::Output => "Is this the result that you want?",
            CheckpointStage::Start => "Should this go on?",
            CheckpointStage::Question => "",
            CheckpointStage::Budget => "Should the budget be granted once more?",
        };
        OpenCheckpoint {
            attempt: None,
            key: format!("{}:{hash}", stop.stage),
            kind: stop.kind,
            stage: Some(stop.stage),
            message: match stop.stage {
                CheckpointStage::Question => shortened(&self.mask.apply(about), MAX_MESSAGE_CHARS),
                _ => stop.message.clone().unwrap_or_else(|| standard.to_owned()),
            },
            data,
            metadata: Map::from_iter([(
                "stage".to_owned(),
                json!(stop.name.as_deref().unwrap_or(stop.stage.as_str())),
            )]),
        }
    }

    async fn wait_for_decision(&self, mut checkpoint: RunnerCheckpoint) -> Result<RunnerCheckpoint, AttemptError> {
        let until = Instant::now() + Duration::from_secs(self.options.checkpoint_hold_sec);
        let (project, ticket) = (self.config.project, self.config.ticket);
        while checkpoint.status == CheckpointStatus::Pending && Instant::now() < until {
            let left = until - Instant::now();
            let waiting = self.client.checkpoint(project, ticket, checkpoint.id, left, Retry::For(API_PATIENCE));
            checkpoint = tokio::select! {
                answered = waiting => answered.map_err(AttemptError::Api)?,
                () = self.cancel.cancelled() => return Err(AttemptError::Cancelled),
            };
        }
        Ok(checkpoint)
    }

    fn decided(&self, checkpoint: RunnerCheckpoint) -> Result<Option<String>, AttemptError> {
        match checkpoint.status {
            CheckpointStatus::Approved => {
                self.reporter.log("checkpoint", "A person approved it; going on", checkpoint.words.as_deref());
                Ok(checkpoint.words)
            }
            CheckpointStatus::Rejected => {
                Err(AttemptError::NotApproved { reason: checkpoint.words.unwrap_or_else(|| "rejected".to_owned()) })
            }
            CheckpointStatus::Expired | CheckpointStatus::Pending => {
                Err(AttemptError::NotApproved { reason: "it was not decided in time".to_owned() })
            }
        }
    }

    /// Lets the job wait for a person without this attempt: what it did is pushed, and what it remembers is kept. Returns where
    /// the decision has just come.
    ///
    /// # Errors
    /// [`AttemptError::Held`], as a rule.
    pub(super) async fn hold(&self, id: Uuid, message: String) -> Result<Option<String>, AttemptError> {
        let text = "It is not decided yet: the job waits without a container, and goes on once it is";
        self.reporter.log("held", text, None);
        // Nothing can be said for this attempt once it is over.
        self.reporter.flush(LOG_PATIENCE).await;
        let (project, ticket) = (self.config.project, self.config.ticket);
        let request = HoldRequest { attempt: None, checkpoint_id: id };
        match self.client.hold(project, ticket, &request, Retry::For(API_PATIENCE)).await {
            Ok(held) if held.held => Err(AttemptError::Held { message }),
            Ok(held) if held.checkpoint.status == CheckpointStatus::Pending => Err(AttemptError::Cancelled),
            Ok(held) => self.decided(held.checkpoint),
            // The response to an earlier try was lost: the attempt is over already.
            Err(error) if error.status().is_some_and(|status| status == 401 || status == 409) => {
                Err(AttemptError::Held { message })
            }
            Err(error) => Err(AttemptError::Api(error)),
        }
    }
}
