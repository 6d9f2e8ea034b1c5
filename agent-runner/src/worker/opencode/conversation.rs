//! Turns and compactions of the one conversation: start, wait, interrupt, read the result.

use super::api::{Api, ApiError, ModelId};
use super::retry::{Next, Tries, after};
use super::turn::{Ending, Record, read_turn};
use super::wire::{Message, Role};
use super::{OpenCode, config, events, protocol};
use crate::worker::{ModelFailure, TurnOutput, WorkerError};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long an interrupted agent may take to come to rest, before its server is killed.
const ABORT_LIMIT: Duration = Duration::from_millis(3500);

/// How long one abort may take to have its effect, before the next one is sent.
const ABORT_PAUSE: Duration = Duration::from_millis(400);

/// The pause before a turn is tried again after the model's server failed.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// How the server is looked at after its answer was lost.
const POLL_PAUSE: Duration = Duration::from_secs(1);

/// How often in a row it must seem idle, since its status lags behind; and how often in a row it may not answer.
const IDLE_POLLS: u32 = 3;
const FAILED_POLLS: u32 = 10;

/// A session of the server.
pub(super) struct Conversation {
    session: String,
    /// Which model to ask; the server's own choice if unset.
    model: Option<ModelId>,
    /// Which model answered last.
    answered_by: Option<ModelId>,
    /// The newest message that was read.
    last_message: Option<String>,
    /// Whether a turn was started whose end was not seen, because the caller dropped it.
    is_open: bool,
    follower: JoinHandle<()>,
}

impl Conversation {
    /// Leaves a server that is not ours with nothing running.
    pub(super) async fn leave(self, api: &Api) {
        if self.is_open {
            let _ = api.abort(&self.session, ABORT_LIMIT).await;
        }
    }

    /// Notes what an interrupted turn said as read, so that it does not count for the next one.
    async fn skip_unread(&mut self, api: &Api) {
        let reading = api.messages_after(&self.session, self.last_message.as_deref());
        if let Ok(Ok(messages)) = tokio::time::timeout(ABORT_PAUSE, reading).await
            && let Some(last) = messages.last()
        {
            self.last_message = Some(last.info.id.clone());
        }
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

/// When a turn has to end.
struct Bounds<'a> {
    cancel: &'a CancellationToken,
    deadline: Instant,
    limit: Duration,
}

impl OpenCode {
    pub(super) async fn run_turn(
        &mut self,
        prompt: &str,
        cancel: &CancellationToken,
    ) -> Result<TurnOutput, WorkerError> {
        let started = Instant::now();
        let bounds = self.bounds(cancel);
        self.open(&bounds).await?;
        let mut record = Record::default();
        let mut tries = Tries::default();
        let mut text = prompt.to_owned();
        loop {
            let (attempt, ending) = self.attempt(&text, &bounds).await?;
            record.extend(attempt);
            match after(ending, &mut tries) {
                Next::Done => return Ok(record.into_output(started.elapsed())),
                Next::GiveUp(error) => return Err(error),
                Next::AskAgain => {}
                Next::CompactAndAskAgain => self.compact_within(&bounds).await?,
                Next::WaitAndAskAgain => {
                    self.within(&bounds, tokio::time::sleep(RETRY_PAUSE)).await?;
                    if record.has_acted() {
                        text = format!("{BROKEN_OFF}\n\n{prompt}");
                    }
                }
            }
        }
    }

    pub(super) async fn compact(&mut self, cancel: &CancellationToken) -> Result<(), WorkerError> {
        let bounds = self.bounds(cancel);
        self.compact_within(&bounds).await
    }

    fn bounds<'a>(&self, cancel: &'a CancellationToken) -> Bounds<'a> {
        let limit = self.options.turn_timeout;
        Bounds { cancel, deadline: Instant::now() + limit, limit }
    }

    /// Makes sure that there is a session, with nothing running in it.
    async fn open(&mut self, bounds: &Bounds<'_>) -> Result<(), WorkerError> {
        if self.conversation.as_ref().is_some_and(|conversation| conversation.is_open) {
            self.come_to_rest(None::<Pin<&mut std::future::Pending<()>>>).await;
        }
        if self.conversation.is_some() {
            return Ok(());
        }
        let session = self.within(bounds, self.api.create_session("Ticket")).await?;
        let session = session.map_err(|error| self.not_opened(error))?.id;
        let model = self.within(bounds, self.model()).await?;
        let follower = events::follow(self.api.clone(), session.clone(), self.options.progress.clone());
        self.conversation = Some(Conversation {
            session,
            model,
            answered_by: None,
            last_message: None,
            is_open: false,
            follower: tokio::spawn(follower),
        });
        Ok(())
    }

    fn not_opened(&self, error: ApiError) -> WorkerError {
        match error {
            ApiError::Status { status, message } if status.is_client_error() => WorkerError::Workspace { message },
            error => protocol(&format!("opening a session in {}", self.options.directory.display()), &error),
        }
    }

    /// Our own server has exactly the model that it was configured with; another may know it or not.
    async fn model(&self) -> Option<ModelId> {
        let wanted = &self.options.provider.model;
        if self.server.is_some() {
            return Some(ModelId { provider: config::PROVIDER_ID.to_owned(), model: wanted.clone() });
        }
        let found = self.api.find_model(wanted).await.ok().flatten();
        if found.is_none() {
            tracing::warn!(model = wanted, "the OpenCode server does not know WORKER_MODEL, it uses its own choice");
        }
        found
    }

    /// One prompt, to its end.
    async fn attempt(&mut self, text: &str, bounds: &Bounds<'_>) -> Result<(Record, Ending), WorkerError> {
        let Some(conversation) = &mut self.conversation else { return Err(no_conversation()) };
        conversation.is_open = true;
        let (api, session, model) = (self.api.clone(), conversation.session.clone(), conversation.model.clone());
        let answer = self.undisturbed(bounds, async { api.prompt(&session, text, model.as_ref()).await }).await?;
        let lost = match answer {
            Ok(_) => None,
            Err(error @ ApiError::Status { .. }) => return Err(protocol("giving the agent its prompt", &error)),
            // The agent works on without us; its end can still be seen.
            Err(error) => Some(error),
        };
        if lost.is_some() {
            self.wait_until_idle(bounds).await?;
        }
        let messages = self.read_messages(bounds).await?;
        match lost {
            Some(error) if messages.is_empty() => Err(protocol("giving the agent its prompt", &error)),
            _ => Ok(read_turn(&messages)),
        }
    }

    async fn compact_within(&mut self, bounds: &Bounds<'_>) -> Result<(), WorkerError> {
        let Some(conversation) = &mut self.conversation else { return Ok(()) };
        let Some(model) = conversation.model.clone().or_else(|| conversation.answered_by.clone()) else {
            return Ok(());
        };
        conversation.is_open = true;
        let (api, session) = (self.api.clone(), conversation.session.clone());
        let answer = self.undisturbed(bounds, async { api.summarize(&session, &model).await }).await?;
        match answer {
            Ok(()) => {}
            Err(error @ ApiError::Status { .. }) => return Err(protocol("compacting the conversation", &error)),
            Err(_) => self.wait_until_idle(bounds).await?,
        }
        // It answers success even when compaction failed.
        let messages = self.read_messages(bounds).await?;
        let summary = messages.iter().rev().find(|message| message.info.is_summary());
        match summary.map(|message| read_turn(std::slice::from_ref(message)).1) {
            Some(Ending::Failed { kind, message }) => {
                self.forget(&messages, bounds).await?;
                let kind = if kind == ModelFailure::Other { ModelFailure::Compaction } else { kind };
                Err(WorkerError::Model { kind, message })
            }
            _ => Ok(()),
        }
    }

    /// Takes a failed compaction out of the conversation: OpenCode would try it again before the next prompt, and
    /// never come to that.
    async fn forget(&mut self, messages: &[Message], bounds: &Bounds<'_>) -> Result<(), WorkerError> {
        let Some(conversation) = &self.conversation else { return Ok(()) };
        for message in messages.iter().rev() {
            let deletion = self.api.delete_message(&conversation.session, &message.info.id);
            if let Err(error) = self.within(bounds, deletion).await? {
                tracing::warn!(%error, "a failed compaction could not be taken back");
            }
        }
        let last = self.within(bounds, self.api.newest_message(&conversation.session)).await?;
        if let (Some(conversation), Ok(last)) = (&mut self.conversation, last) {
            conversation.last_message = last;
        }
        Ok(())
    }

    /// Reads what was said since the last time, and notes it as read.
    async fn read_messages(&mut self, bounds: &Bounds<'_>) -> Result<Vec<Message>, WorkerError> {
        let Some(conversation) = &self.conversation else { return Err(no_conversation()) };
        let reading = self.api.messages_after(&conversation.session, conversation.last_message.as_deref());
        let messages = self.within(bounds, reading).await?;
        let messages = messages.map_err(|error| protocol("reading the conversation", &error))?;
        if let Some(conversation) = &mut self.conversation {
            conversation.is_open = false;
            if let Some(last) = messages.last() {
                conversation.last_message = Some(last.info.id.clone());
            }
            let answers = messages.iter().filter(|message| message.info.role == Role::Assistant);
            if let Some(model) = answers.filter_map(model_of).next_back() {
                conversation.answered_by = Some(model);
            }
        }
        Ok(messages)
    }

    /// Runs a blocking call of the server. When it is interrupted, the agent is brought to rest first.
    async fn undisturbed<T>(
        &mut self,
        bounds: &Bounds<'_>,
        call: impl Future<Output = T> + Send,
    ) -> Result<T, WorkerError> {
        tokio::pin!(call);
        match self.within(bounds, &mut call).await {
            Err(error @ (WorkerError::Cancelled | WorkerError::Timeout { .. })) => {
                self.come_to_rest(Some(call)).await;
                Err(error)
            }
            result => result,
        }
    }

    /// Waits for `future`, but not longer than the bounds allow, and not on a dead server.
    async fn within<T>(&self, bounds: &Bounds<'_>, future: impl Future<Output = T>) -> Result<T, WorkerError> {
        tokio::select! {
            biased;
            () = bounds.cancel.cancelled() => Err(WorkerError::Cancelled),
            result = future => Ok(result),
            (exit, stderr_tail) = self.server_death() => Err(WorkerError::Died { exit, stderr_tail }),
            () = tokio::time::sleep_until(bounds.deadline) => Err(WorkerError::Timeout { after: bounds.limit }),
        }
    }

    async fn server_death(&self) -> (String, String) {
        match &self.server {
            Some(server) => server.signs().died().await,
            None => std::future::pending().await,
        }
    }

    /// Aborts what the agent does until it rests: until `call`, if there is one, came back. A client that goes away
    /// does not stop the agent, and an abort that comes before the prompt was taken has no effect, hence the loop. A
    /// server that does not obey is killed.
    async fn come_to_rest<T>(&mut self, mut call: Option<Pin<&mut (impl Future<Output = T> + Send)>>) {
        let Some(conversation) = &mut self.conversation else { return };
        let (api, session) = (self.api.clone(), conversation.session.clone());
        let resting = async {
            loop {
                let _ = api.abort(&session, ABORT_LIMIT).await;
                match &mut call {
                    Some(call) => {
                        if tokio::time::timeout(ABORT_PAUSE, call.as_mut()).await.is_ok() {
                            return;
                        }
                    }
                    None => {
                        tokio::time::sleep(ABORT_PAUSE).await;
                        if api.is_busy(&session, ABORT_LIMIT).await.is_ok_and(|is_busy| !is_busy) {
                            return;
                        }
                    }
                }
            }
        };
        if tokio::time::timeout(ABORT_LIMIT, resting).await.is_ok() {
            conversation.is_open = false;
            conversation.skip_unread(&api).await;
        } else if let Some(server) = &mut self.server {
            tracing::warn!("the agent did not stop when asked to, ending its process");
            server.kill().await;
        } else {
            tracing::error!("the agent did not stop when asked to, and its server is not ours to end");
        }
    }

    /// Waits for the end of a turn whose answer was lost.
    async fn wait_until_idle(&self, bounds: &Bounds<'_>) -> Result<(), WorkerError> {
        let Some(conversation) = &self.conversation else { return Err(no_conversation()) };
        let (mut idle, mut failed) = (0, 0);
        while idle < IDLE_POLLS {
            self.within(bounds, tokio::time::sleep(POLL_PAUSE)).await?;
            match self.within(bounds, self.api.is_busy(&conversation.session, POLL_PAUSE * 5)).await? {
                Ok(true) => (idle, failed) = (0, 0),
                Ok(false) => (idle, failed) = (idle + 1, 0),
                Err(error) if failed + 1 >= FAILED_POLLS => {
                    return Err(protocol("waiting for the agent", &error));
                }
                Err(_) => failed += 1,
            }
        }
        Ok(())
    }
}

/// Tells the agent why it is asked the same again.
const BROKEN_OFF: &str = "Your last turn broke off because the connection to the model failed. Look at what you did \
    already, then carry on with this:";

fn model_of(message: &Message) -> Option<ModelId> {
    Some(ModelId { provider: message.info.provider_id.clone()?, model: message.info.model_id.clone()? })
}

/// Not reachable: every caller opens the conversation first.
fn no_conversation() -> WorkerError {
    WorkerError::Protocol { attempted: "using the session".to_owned(), message: "it was not opened".to_owned() }
}
