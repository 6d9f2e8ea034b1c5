//! Turns and compactions of the one conversation: start, wait, interrupt, read the result.

use super::api::{Api, ApiError, ModelId};
use super::quiet::Quiet;
use super::turn::{Record, read_turn};
use super::wire::{Message, Role};
use super::{OpenCode, config, events, protocol};
use crate::agent::retry::{BROKEN_OFF, Ending, Next, RETRY_PAUSE, Tries, after, nudged};
use crate::agent::{AgentError, AgentEvent, ModelFailure, TurnOutput};
use crate::stuck::Remedy;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long an interrupted agent may take to become idle, before its server is killed.
const ABORT_LIMIT: Duration = Duration::from_millis(3500);

/// How long one abort may take to have an effect, before the next one is sent.
const ABORT_PAUSE: Duration = Duration::from_millis(400);

/// The pause between two status checks after the connection was lost in a turn.
const POLL_PAUSE: Duration = Duration::from_secs(1);

/// How many checks in a row must show the agent as idle, since its status lags behind; also how many in a row may fail.
const IDLE_POLLS: u32 = 3;
const FAILED_POLLS: u32 = 10;

/// A session of the server.
pub(super) struct Conversation {
    pub(super) session: String,
    /// Which model to use; the server's default if unset.
    model: Option<ModelId>,
    /// Which model answered last.
    answered_by: Option<ModelId>,
    /// The newest message that was read.
    last_message: Option<String>,
    /// Whether a turn was started whose end was not seen, because its caller was dropped.
    is_open: bool,
    follower: JoinHandle<()>,
    interrupting: Arc<events::Interrupting>,
    quiet: Arc<Quiet>,
}

impl Conversation {
    /// Stops a turn that still runs on a server that the runner did not start.
    pub(super) async fn leave(self, api: &Api) {
        if self.is_open {
            let _ = api.abort(&self.session, ABORT_LIMIT).await;
        }
    }

    /// Marks the messages of an interrupted turn as read, so that they do not count for the next one.
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
    ) -> Result<TurnOutput, AgentError> {
        let started = Instant::now();
        let bounds = self.bounds(cancel);
        self.open(&bounds).await?;
        let mut record = Record::default();
        let mut tries = Tries::default();
        let mut text = prompt.to_owned();
        loop {
            let (said, ending) = match self.ask(&text, &bounds).await {
                // An agent that is stuck often continues once it knows.
                Err(AgentError::Stuck { found }) => {
                    let Some(remedy) = tries.remedy(&found, true) else { return Err(AgentError::Stuck { found }) };
                    text = nudged(&found, prompt);
                    self.options.progress.event(AgentEvent::Stuck { found, remedy });
                    if remedy == Remedy::Compact {
                        self.compact_if_possible(&bounds).await?;
                    }
                    continue;
                }
                Err(AgentError::Asked { asked }) => {
                    if let Some(conversation) = &self.conversation {
                        conversation.interrupting.send_replace(None);
                    }
                    record.extend(read_turn(&self.read_messages(&bounds).await?).0);
                    return Ok(TurnOutput { asked: Some(*asked), ..record.into_output(started.elapsed()) });
                }
                asked => asked?,
            };
            record.extend(said);
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

    pub(super) async fn run_compaction(&mut self, cancel: &CancellationToken) -> Result<(), AgentError> {
        let bounds = self.bounds(cancel);
        self.compact_within(&bounds).await
    }

    /// What fails to be compacted goes on as it is.
    async fn compact_if_possible(&mut self, bounds: &Bounds<'_>) -> Result<(), AgentError> {
        match self.compact_within(bounds).await {
            Err(error @ AgentError::Model { .. }) if !error.is_budget() => {
                tracing::warn!(%error, "the conversation of an agent that is stuck could not be compacted");
                Ok(())
            }
            done => done,
        }
    }

    /// The next turn begins another conversation.
    pub(super) async fn leave_conversation(&mut self) {
        if self.conversation.as_ref().is_some_and(|conversation| conversation.is_open) {
            self.make_idle(None::<Pin<&mut std::future::Pending<()>>>).await;
        }
        (self.conversation, self.resumed) = (None, None);
    }

    fn bounds<'a>(&self, cancel: &'a CancellationToken) -> Bounds<'a> {
        let limit = self.options.turn_timeout;
        Bounds { cancel, deadline: Instant::now() + limit, limit }
    }

    /// Makes sure that there is a session, with nothing running in it.
    async fn open(&mut self, bounds: &Bounds<'_>) -> Result<(), AgentError> {
        if self.conversation.as_ref().is_some_and(|conversation| conversation.is_open) {
            self.make_idle(None::<Pin<&mut std::future::Pending<()>>>).await;
        }
        if self.conversation.is_some() {
            return Ok(());
        }
        let (session, last_message) = match self.resumed.take() {
            Some(session) => {
                let newest = self.within(bounds, self.api.newest_message(&session)).await?;
                (session, newest.map_err(|error| protocol("reading the conversation that goes on", &error))?)
            }
            None => {
                let session = self.within(bounds, self.api.create_session("Ticket")).await?;
                (session.map_err(|error| self.not_opened(error))?.id, None)
            }
        };
        let model = self.within(bounds, self.model()).await?;
        let interrupting = Arc::new(events::Interrupting::new(None));
        let (asking, quiet) = (self.asking.clone(), Arc::new(Quiet::new(self.options.stuck.silent_sec)));
        let (api, of) = (self.api.clone(), session.clone());
        let follower = events::follow(api, of, &self.options, asking, interrupting.clone(), quiet.clone());
        self.conversation = Some(Conversation {
            session,
            model,
            answered_by: None,
            last_message,
            is_open: false,
            follower: tokio::spawn(follower),
            interrupting,
            quiet,
        });
        Ok(())
    }

    fn not_opened(&self, error: ApiError) -> AgentError {
        match error {
            ApiError::Status { status, message } if status.is_client_error() => {
                AgentError::Workspace { files: "opencode.json and .opencode/", message }
            }
            error => protocol(&format!("opening a session in {}", self.options.directory.display()), &error),
        }
    }

    /// The runner's own server has exactly the model that it was configured with; another may not know it.
    async fn model(&self) -> Option<ModelId> {
        let wanted = &self.options.provider.model;
        if self.server.is_some() {
            return Some(ModelId { provider: config::PROVIDER_ID.to_owned(), model: wanted.clone() });
        }
        let found = self.api.find_model(wanted).await.ok().flatten();
        if found.is_none() {
            tracing::warn!(
                model = wanted,
                "the OpenCode server does not have the model that WORKER_MODEL names, so it uses its default model"
            );
        }
        found
    }

    /// Gives one prompt and waits for the end of it.
    async fn ask(&mut self, text: &str, bounds: &Bounds<'_>) -> Result<(Record, Ending), AgentError> {
        let Some(conversation) = &mut self.conversation else { return Err(no_conversation()) };
        conversation.is_open = true;
        conversation.interrupting.send_replace(None);
        conversation.quiet.begin();
        let (api, session, model) = (self.api.clone(), conversation.session.clone(), conversation.model.clone());
        let response = self.undisturbed(bounds, async { api.prompt(&session, text, model.as_ref()).await }).await?;
        let lost = match response {
            Ok(_) => None,
            Err(error @ ApiError::Status { .. }) => return Err(protocol("giving the agent its prompt", &error)),
            // The agent continues without this connection; the end of its turn can still be seen.
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

    async fn compact_within(&mut self, bounds: &Bounds<'_>) -> Result<(), AgentError> {
        let Some(conversation) = &mut self.conversation else { return Ok(()) };
        let Some(model) = conversation.model.clone().or_else(|| conversation.answered_by.clone()) else {
            return Ok(());
        };
        conversation.is_open = true;
        conversation.interrupting.send_replace(None);
        conversation.quiet.end();
        let (api, session) = (self.api.clone(), conversation.session.clone());
        let response = self.undisturbed(bounds, async { api.summarize(&session, &model).await }).await?;
        match response {
            Ok(()) => {}
            Err(error @ ApiError::Status { .. }) => return Err(protocol("compacting the conversation", &error)),
            Err(_) => self.wait_until_idle(bounds).await?,
        }
        // The server reports success even when compaction failed.
        let messages = self.read_messages(bounds).await?;
        let summary = messages.iter().rev().find(|message| message.info.is_summary());
        match summary.map(|message| read_turn(std::slice::from_ref(message)).1) {
            Some(Ending::Failed { kind, message }) => {
                self.forget(&messages, bounds).await?;
                let kind = if kind == ModelFailure::Other { ModelFailure::Compaction } else { kind };
                Err(AgentError::Model { kind, message })
            }
            _ => Ok(()),
        }
    }

    /// Removes a failed compaction from the conversation: OpenCode would retry it before the next prompt, and never
    /// reach that.
    async fn forget(&mut self, messages: &[Message], bounds: &Bounds<'_>) -> Result<(), AgentError> {
        let Some(conversation) = &self.conversation else { return Ok(()) };
        for message in messages.iter().rev() {
            let deletion = self.api.delete_message(&conversation.session, &message.info.id);
            if let Err(error) = self.within(bounds, deletion).await? {
                tracing::warn!(%error, "could not remove a failed compaction from the conversation");
            }
        }
        let last = self.within(bounds, self.api.newest_message(&conversation.session)).await?;
        if let (Some(conversation), Ok(last)) = (&mut self.conversation, last) {
            conversation.last_message = last;
        }
        Ok(())
    }

    /// Reads the messages since the last time, and marks them as read.
    async fn read_messages(&mut self, bounds: &Bounds<'_>) -> Result<Vec<Message>, AgentError> {
        let Some(conversation) = &self.conversation else { return Err(no_conversation()) };
        let reading = self.api.messages_after(&conversation.session, conversation.last_message.as_deref());
        let messages = self.within(bounds, reading).await?;
        let messages = messages.map_err(|error| protocol("reading the conversation", &error))?;
        if let Some(conversation) = &mut self.conversation {
            conversation.is_open = false;
            conversation.quiet.end();
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

    /// Runs a blocking call of the server. When it is interrupted, the agent is made idle before this returns.
    async fn undisturbed<T>(
        &mut self,
        bounds: &Bounds<'_>,
        call: impl Future<Output = T> + Send,
    ) -> Result<T, AgentError> {
        tokio::pin!(call);
        match self.within(bounds, &mut call).await {
            Err(error @ (AgentError::Cancelled | AgentError::Timeout { .. } | AgentError::Stuck { .. })) => {
                self.make_idle(Some(call)).await;
                Err(error)
            }
            Err(error @ AgentError::Asked { .. }) => {
                let read = self.conversation.as_ref().and_then(|conversation| conversation.last_message.clone());
                self.make_idle(Some(call)).await;
                // What the agent did before it asked counts.
                if let Some(conversation) = &mut self.conversation {
                    conversation.last_message = read;
                }
                Err(error)
            }
            result => result,
        }
    }

    /// Waits for `future` until it is done, the bounds are reached, or the server has died.
    async fn within<T>(&self, bounds: &Bounds<'_>, future: impl Future<Output = T>) -> Result<T, AgentError> {
        tokio::select! {
            biased;
            () = bounds.cancel.cancelled() => Err(AgentError::Cancelled),
            result = future => Ok(result),
            interrupt = self.interrupted() => Err(match interrupt {
                events::Interrupt::Stuck(found) => AgentError::Stuck { found },
                events::Interrupt::Asked(asked) => AgentError::Asked { asked: Box::new(asked) },
            }),
            (exit, stderr_tail) = self.server_death() => Err(AgentError::Died { exit, stderr_tail }),
            () = tokio::time::sleep_until(bounds.deadline) => Err(AgentError::Timeout { after: bounds.limit }),
        }
    }

    /// Waits until the turn has to be stopped, and returns why.
    async fn interrupted(&self) -> events::Interrupt {
        let Some(conversation) = &self.conversation else { return std::future::pending().await };
        let mut interrupting = conversation.interrupting.subscribe();
        tokio::select! {
            why = interrupting.wait_for(Option::is_some) => {
                if let Some(why) = why.ok().and_then(|why| why.clone()) {
                    return why;
                }
            }
            found = conversation.quiet.too_long() => return events::Interrupt::Stuck(found),
        }
        std::future::pending().await
    }

    async fn server_death(&self) -> (String, String) {
        match &self.server {
            Some(server) => server.signs().died().await,
            None => std::future::pending().await,
        }
    }

    /// Aborts what the agent does until it is idle: until `call`, if there is one, has returned. Closing the connection
    /// does not stop the agent, and an abort that arrives before the prompt was accepted has no effect, hence the
    /// loop. A server that does not stop is killed.
    async fn make_idle<T>(&mut self, mut call: Option<Pin<&mut (impl Future<Output = T> + Send)>>) {
        let Some(conversation) = &mut self.conversation else { return };
        let (api, session) = (self.api.clone(), conversation.session.clone());
        let stopping = async {
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
        if tokio::time::timeout(ABORT_LIMIT, stopping).await.is_ok() {
            conversation.is_open = false;
            conversation.skip_unread(&api).await;
        } else if let Some(server) = &mut self.server {
            tracing::warn!("the agent did not stop when asked to; killing its process");
            server.kill().await;
        } else {
            tracing::error!(
                "the agent did not stop when asked to, and the runner can't stop a server that it did not start: restart that server"
            );
        }
    }

    /// Waits for the end of a turn whose response was lost.
    async fn wait_until_idle(&self, bounds: &Bounds<'_>) -> Result<(), AgentError> {
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

fn model_of(message: &Message) -> Option<ModelId> {
    Some(ModelId { provider: message.info.provider_id.clone()?, model: message.info.model_id.clone()? })
}

/// Not reachable: every caller opens the conversation first.
fn no_conversation() -> AgentError {
    AgentError::Protocol { attempted: "using the session".to_owned(), message: "it was not opened".to_owned() }
}
