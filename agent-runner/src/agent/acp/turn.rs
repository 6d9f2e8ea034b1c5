//! Turns of the one conversation: begin it, prompt, watch, stop.

use super::ending::ending;
use super::peer::{Message, Refusal};
use super::recipes::Reopen;
use super::record::Record;
use super::{Acp, asking, boot};
use crate::agent::retry::{BROKEN_OFF, Ending, Next, RETRY_PAUSE, Tries, after, nudged};
use crate::agent::{AgentError, AgentEvent, ModelFailure, TurnOutput};
use crate::stuck::{Found, Remedy};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long an agent that was told to stop may take, before its process is killed.
const ABORT_LIMIT: Duration = Duration::from_millis(3500);

/// When a turn has to end.
#[derive(Clone, Copy)]
pub(super) struct Bounds<'a> {
    cancel: &'a CancellationToken,
    deadline: Instant,
    limit: Duration,
    /// For how many seconds the agent may be silent while no tool runs; 0: for as long as it likes.
    silent_sec: u32,
}

/// What a request came to.
type Answer = Result<Value, Refusal>;

impl Acp {
    pub(super) async fn run_turn(
        &mut self,
        prompt: &str,
        cancel: &CancellationToken,
    ) -> Result<TurnOutput, AgentError> {
        let started = Instant::now();
        let bounds = self.bounds(cancel);
        let (mut record, mut tries) = (Record::new(self.options.stuck), Tries::default());
        let mut text = prompt.to_owned();
        loop {
            let ending = match self.ask(&text, &mut record, &bounds).await {
                // An agent that is stuck often continues once it knows.
                Err(AgentError::Stuck { found }) => {
                    let remedy = tries.remedy(&found, self.recipe.compact.is_some());
                    let Some(remedy) = remedy else { return Err(AgentError::Stuck { found }) };
                    text = nudged(&found, prompt);
                    self.options.progress.event(AgentEvent::Stuck { found, remedy });
                    if remedy == Remedy::Compact {
                        self.compact_if_possible(&bounds).await?;
                    }
                    continue;
                }
                Err(AgentError::Asked { asked }) => {
                    return Ok(TurnOutput { asked: Some(*asked), ..record.into_output(started.elapsed()) });
                }
                asked => asked?,
            };
            match after(ending, &mut tries) {
                Next::Done => return Ok(record.into_output(started.elapsed())),
                Next::GiveUp(error) => return Err(error),
                Next::AskAgain => {}
                Next::CompactAndAskAgain => self.make_room(&bounds).await?,
                Next::WaitAndAskAgain => {
                    tokio::select! {
                        () = tokio::time::sleep(RETRY_PAUSE) => {}
                        error = bounds.reached() => return Err(error),
                    }
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

    /// After the model has refused a conversation for its length.
    async fn make_room(&mut self, bounds: &Bounds<'_>) -> Result<(), AgentError> {
        if self.recipe.compact.is_some() {
            return self.compact_within(bounds).await;
        }
        tracing::warn!("{} begins a new conversation: the earlier one is too long for its model", self.recipe.name);
        self.session = None;
        self.open(bounds).await
    }

    async fn compact_within(&mut self, bounds: &Bounds<'_>) -> Result<(), AgentError> {
        if self.session.is_none() {
            return Ok(());
        }
        let Some(compact) = self.recipe.compact else {
            let message = format!("{} has no command for it, and does it by itself when it has to", self.recipe.name);
            return Err(AgentError::Model { kind: ModelFailure::Compaction, message });
        };
        match self.give(compact, &mut Record::default(), bounds).await? {
            Ending::Failed { kind, message } => {
                let kind = if kind == ModelFailure::Other { ModelFailure::Compaction } else { kind };
                Err(AgentError::Model { kind, message })
            }
            Ending::Finished | Ending::PromptLost => {
                self.options.progress.event(AgentEvent::Compacted);
                Ok(())
            }
        }
    }

    fn bounds<'a>(&self, cancel: &'a CancellationToken) -> Bounds<'a> {
        let limit = self.options.turn_timeout;
        Bounds { cancel, deadline: Instant::now() + limit, limit, silent_sec: 0 }
    }

    /// Starts another process in the place of one that was ended, and goes on with the conversation.
    async fn begin_again(&mut self, bounds: &Bounds<'_>) -> Result<(), AgentError> {
        if !self.is_ended {
            return Ok(());
        }
        let started = tokio::select! {
            biased;
            error = bounds.reached() => return Err(error),
            started = boot::start(self.kind, self.recipe, self.options.clone(), false) => started?,
        };
        (self.process, self.peer, self.is_ended) = (started.process, started.peer, false);
        if let Some(session) = self.session.take()
            && !self.reopen(&session, bounds).await?
        {
            tracing::warn!("{} begins a new conversation: it has not kept the one that was stopped", self.recipe.name);
        }
        Ok(())
    }

    /// Begins the conversation, where there is none.
    async fn open(&mut self, bounds: &Bounds<'_>) -> Result<(), AgentError> {
        self.begin_again(bounds).await?;
        if self.session.is_some() {
            return Ok(());
        }
        let mut params = self.place();
        let meta = (self.recipe.meta)();
        if !meta.is_null() {
            params["_meta"] = meta;
        }
        let answer = self.call("session/new", &params, bounds).await?;
        let begun = answer.map_err(|refusal| self.refused("beginning a conversation", refusal))?;
        let Some(session) = begun["sessionId"].as_str().map(str::to_owned) else {
            return Err(self.protocol("beginning a conversation", "it named no conversation"));
        };
        self.enter(session, bounds).await
    }

    /// Goes on with a conversation whose files are there. Returns false where the agent does not know it.
    pub(super) async fn reopen(&mut self, session: &str, bounds: &Bounds<'_>) -> Result<bool, AgentError> {
        if let Err(error) = (self.recipe.before_reopening)(&self.own, session) {
            tracing::warn!(%error, "could not prepare the earlier conversation of {}", self.recipe.name);
        }
        let mut params = self.place();
        params["sessionId"] = json!(session);
        let meta = (self.recipe.meta)();
        if !meta.is_null() {
            params["_meta"] = meta;
        }
        let method = match self.recipe.reopen {
            Reopen::Resume => "session/resume",
            Reopen::Load => "session/load",
        };
        match self.call(method, &params, bounds).await? {
            Ok(_) => self.enter(session.to_owned(), bounds).await.map(|()| true),
            Err(refusal) => {
                tracing::warn!(
                    error = refusal.message,
                    "{} did not read the earlier conversation in",
                    self.recipe.name
                );
                Ok(false)
            }
        }
    }

    pub(super) fn startup_bounds<'a>(&self, never: &'a CancellationToken) -> Bounds<'a> {
        let limit = self.options.startup_timeout;
        Bounds { cancel: never, deadline: Instant::now() + limit, limit, silent_sec: 0 }
    }

    fn place(&self) -> Value {
        json!({ "cwd": self.options.directory, "mcpServers": [] })
    }

    async fn enter(&mut self, session: String, bounds: &Bounds<'_>) -> Result<(), AgentError> {
        if let Some(mode) = self.recipe.mode {
            let params = json!({ "sessionId": session, "modeId": mode });
            let answer = self.call("session/set_mode", &params, bounds).await?;
            answer.map_err(|refusal| self.refused("setting the mode", refusal))?;
        }
        self.session = Some(session);
        Ok(())
    }

    /// Gives one prompt and waits for its end.
    async fn ask(&mut self, text: &str, record: &mut Record, bounds: &Bounds<'_>) -> Result<Ending, AgentError> {
        // What begins so is a command to the agent's program.
        let text =
            if text.trim_start().starts_with('/') { format!("This is the task:\n\n{text}") } else { text.to_owned() };
        record.begin_prompt();
        self.give(&text, record, &Bounds { silent_sec: self.options.stuck.silent_sec, ..*bounds }).await
    }

    async fn give(&mut self, text: &str, record: &mut Record, bounds: &Bounds<'_>) -> Result<Ending, AgentError> {
        self.open(bounds).await?;
        let session = self.session.clone().unwrap_or_default();
        let prompt = json!({ "sessionId": session, "prompt": [{ "type": "text", "text": text }] });
        let id = self.peer.request("session/prompt", &prompt);
        self.options.progress.event(AgentEvent::Accepted);
        let answer = match self.until_answered(id, record, bounds).await {
            Err(error @ AgentError::Died { .. }) => return Err(error),
            Err(error) => {
                self.make_idle(id, &session, record).await;
                // What waits for an answer goes on with it.
                if !matches!(error, AgentError::Asked { .. }) {
                    self.end().await;
                }
                return Err(error);
            }
            Ok(answer) => answer,
        };
        let progress = self.options.progress.clone();
        record.end_prompt(&mut |event| progress.event(event));
        let trouble = self.options.last_trouble.as_ref().and_then(|trouble| trouble());
        Ok(ending(answer, trouble, self.recipe.tells_failures))
    }

    /// Asks something that is no turn. What the agent tells meanwhile was said before.
    async fn call(&mut self, method: &str, params: &Value, bounds: &Bounds<'_>) -> Result<Answer, AgentError> {
        let id = self.peer.request(method, params);
        self.until_answered(id, &mut Record::unheard(), bounds).await
    }

    /// Handles what the agent says and asks, until it has answered, or the turn has to end.
    async fn until_answered(
        &mut self,
        id: u64,
        record: &mut Record,
        bounds: &Bounds<'_>,
    ) -> Result<Answer, AgentError> {
        let mut heard = Instant::now();
        loop {
            let message = tokio::select! {
                biased;
                error = bounds.reached() => return Err(error),
                message = self.peer.next() => message,
                found = bounds.silent_since(heard), if !record.is_running() => {
                    tracing::warn!("the agent {found}; stopping it");
                    return Err(AgentError::Stuck { found });
                }
            };
            heard = Instant::now();
            match message {
                None => {
                    let (exit, stderr_tail) = self.process.signs().died().await;
                    return Err(AgentError::Died { exit, stderr_tail });
                }
                Some(Message::Answer { id: of, result }) if of == id => return Ok(result),
                Some(Message::Answer { .. }) => {}
                Some(Message::Request { id, method, params }) => {
                    let asked = (&id, method.as_str(), &params);
                    let is_for_a_step = self.recipe.asks_for_each_step && method == "session/request_permission";
                    let may_ask = self.options.may_ask && !is_for_a_step;
                    if let Some(asked) = asking::answer(&self.peer, asked, may_ask, &self.granted) {
                        return Err(AgentError::Asked { asked: Box::new(asked) });
                    }
                }
                Some(Message::Notification { method, params }) if method == "session/update" => {
                    let progress = self.options.progress.clone();
                    if let Some(found) = record.update(&params["update"], &mut |event| progress.event(event)) {
                        tracing::warn!("the agent {found}; stopping it");
                        return Err(AgentError::Stuck { found });
                    }
                }
                Some(Message::Notification { .. }) => {}
            }
        }
    }

    /// Stops the turn. What is still said about it counts.
    async fn make_idle(&mut self, id: u64, session: &str, record: &mut Record) {
        self.peer.notify("session/cancel", &json!({ "sessionId": session }));
        let never = CancellationToken::new();
        let deadline = Instant::now() + ABORT_LIMIT;
        let bounds = Bounds { cancel: &never, deadline, limit: ABORT_LIMIT, silent_sec: 0 };
        loop {
            match self.until_answered(id, record, &bounds).await {
                Ok(_) | Err(AgentError::Died { .. }) => break,
                // It asks or repeats itself once more.
                Err(AgentError::Asked { .. } | AgentError::Stuck { .. }) => {}
                Err(_) => {
                    tracing::warn!("{} does not stop; killing it", self.recipe.name);
                    self.end().await;
                    break;
                }
            }
        }
        let progress = self.options.progress.clone();
        record.end_prompt(&mut |event| progress.event(event));
    }

    /// Ends the process, with all that it started. One that says that it has stopped may still go on: commands of Codex outlive a
    /// cancel, and Claude Code overlooks one that comes as its first call begins, and then gives what comes of that call as the
    /// answer to the next prompt.
    async fn end(&mut self) {
        self.process.kill().await;
        self.is_ended = true;
    }

    fn refused(&self, attempted: &str, refusal: Refusal) -> AgentError {
        match ending(Err(refusal), None, true) {
            Ending::Failed { kind: ModelFailure::Unauthorized, message } => {
                AgentError::Model { kind: ModelFailure::Unauthorized, message }
            }
            Ending::Failed { message, .. } => self.protocol(attempted, &message),
            Ending::Finished | Ending::PromptLost => self.protocol(attempted, "it gave no reason"),
        }
    }

    fn protocol(&self, attempted: &str, message: &str) -> AgentError {
        AgentError::Protocol { attempted: format!("{attempted} of {}", self.recipe.name), message: message.to_owned() }
    }
}

impl Bounds<'_> {
    /// Waits until the agent has been silent for too long.
    async fn silent_since(&self, heard: Instant) -> Found {
        if self.silent_sec == 0 {
            return std::future::pending().await;
        }
        tokio::time::sleep_until(heard + Duration::from_secs(self.silent_sec.into())).await;
        Found::silent(self.silent_sec)
    }

    /// Waits until the turn has to end, and says why.
    async fn reached(&self) -> AgentError {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => AgentError::Cancelled,
            () = tokio::time::sleep_until(self.deadline) => AgentError::Timeout { after: self.limit },
        }
    }
}
