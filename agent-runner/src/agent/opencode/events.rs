//! Follows the server's events: shows progress, answers requests that would otherwise wait for a person forever, and
//! notices that the agent is stuck.
//!
//! Nothing about a turn's end is decided here, so a lost stream only costs progress: it is opened again, and open
//! requests are listed. They are also listed at intervals, in case an event was missed.

use super::api::Api;
use super::asking::{Asking, question};
use super::quiet::Quiet;
use super::turn::{call, seen, title};
use super::wire::{Event, EventMessage, EventPart, PermissionRequest, QuestionRequest, Role, SessionStatus, ToolPart};
use crate::agent::{AgentEvent, AgentOptions, Asked, ProgressSink, TodoItem};
use crate::stuck::{Calls, Found, Seen, Thresholds};
use bytes::BytesMut;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// The server sends a heartbeat about every 10 s; a stream that is silent for longer than this is dead.
const SILENCE_LIMIT: Duration = Duration::from_secs(35);

/// How long to wait before a lost stream is opened again.
const RECONNECT_WAIT: Duration = Duration::from_millis(500);

/// How often open requests are listed.
const LIST_EVERY: Duration = Duration::from_secs(15);

/// The longest event that is kept; longer ones are skipped.
const MAX_EVENT_BYTES: usize = 16 * 1024 * 1024;

/// How many ends of tools and texts are remembered, so that none counts twice.
const ENDED_REMEMBERED: usize = 200;

/// The reply when the agent requests a permission.
const NO_PERMISSION: &str = "You run unattended, so no person can grant this. Find another way, inside the workspace.";

/// The reply when the agent asks a question.
const NO_ANSWER: &str = "You run unattended, so no person can answer. Decide by \
    yourself what fits the ticket best, and say so in your report.";

/// Why the turn that runs has to be stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Interrupt {
    /// The agent is stuck.
    Stuck(Found),
    /// A person has to answer this first.
    Asked(Asked),
}

/// Stops the turn that runs; none while nothing is wrong.
pub(super) type Interrupting = watch::Sender<Option<Interrupt>>;

/// Follows the events of one session until it is dropped. Runs in parallel with the turns.
pub(super) fn follow(
    api: Api,
    session: String,
    options: &AgentOptions,
    asking: Arc<Asking>,
    interrupting: Arc<Interrupting>,
    quiet: Arc<Quiet>,
) -> impl Future<Output = ()> + Send + use<> {
    let mut follower = Follower {
        api,
        session,
        progress: options.progress.clone(),
        limits: options.stuck,
        asking,
        messages: HashMap::new(),
        text_parts: HashMap::new(),
        tools: HashSet::new(),
        ended: VecDeque::new(),
        calls: HashMap::new(),
        interrupting,
        quiet,
    };
    async move {
        loop {
            follower.answer_open_requests().await;
            if let Err(reason) = follower.read_stream().await {
                tracing::debug!(reason, "the agent's event stream ended; opening it again");
            }
            tokio::time::sleep(RECONNECT_WAIT).await;
        }
    }
}

/// A text that still grows.
#[derive(Default)]
struct Growing {
    is_reasoning: bool,
    /// The message that it belongs to.
    message: String,
    text: String,
}

struct Follower {
    api: Api,
    session: String,
    progress: Arc<dyn ProgressSink>,
    /// The messages of the conversation, and whether they are the agent's own words.
    messages: HashMap<String, bool>,
    /// Parts whose text still grows.
    text_parts: HashMap<String, Growing>,
    /// Tools that were announced as started.
    tools: HashSet<String>,
    /// The last tools and texts whose end was counted; a stream that was opened again may repeat them.
    ended: VecDeque<String>,
    /// The calls of each session, the subagents' too.
    calls: HashMap<String, Calls>,
    limits: Thresholds,
    asking: Arc<Asking>,
    interrupting: Arc<Interrupting>,
    quiet: Arc<Quiet>,
}

impl Follower {
    async fn read_stream(&mut self) -> Result<(), String> {
        let mut stream = self.api.events().await.map_err(|error| error.to_string())?;
        let mut buffer = Lines::default();
        let mut next_listing = Instant::now() + LIST_EVERY;
        let mut silent_since = Instant::now();
        loop {
            match timeout_at(next_listing, stream.chunk()).await {
                Ok(Ok(Some(chunk))) => {
                    silent_since = Instant::now();
                    for event in buffer.push(&chunk) {
                        self.handle(event).await;
                    }
                }
                Ok(Ok(None)) => return Err("it was closed".to_owned()),
                Ok(Err(error)) => return Err(error.without_url().to_string()),
                Err(_) if silent_since.elapsed() > SILENCE_LIMIT => return Err("it was silent for too long".to_owned()),
                Err(_) => {}
            }
            if Instant::now() >= next_listing {
                self.answer_open_requests().await;
                next_listing = Instant::now() + LIST_EVERY;
            }
        }
    }

    async fn handle(&mut self, event: Event) {
        match event {
            Event::PermissionAsked(request) => self.permit(&request).await,
            Event::QuestionAsked(request) => self.answer(&request).await,
            Event::Status { session_id, status: SessionStatus::Retry { attempt, message } }
                if session_id == self.session =>
            {
                self.progress.event(AgentEvent::Retrying { attempt, message });
            }
            Event::MessageUpdated { info } if info.session_id == self.session => self.message(info),
            Event::PartUpdated { part } => self.part(*part),
            Event::PartDelta { session_id, part_id, delta } if session_id == self.session => {
                match self.text_parts.get_mut(&part_id) {
                    Some(part) if part.is_reasoning => self.progress.event(AgentEvent::Reasoning { delta }),
                    Some(part) => {
                        part.text.push_str(&delta);
                        self.progress.event(AgentEvent::Text { delta });
                    }
                    None => {}
                }
            }
            Event::TodoUpdated { todos } => {
                let items = todos.into_iter().map(|todo| TodoItem { content: todo.content, status: todo.status });
                self.progress.event(AgentEvent::Todo { items: items.collect() });
            }
            Event::FileEdited { file } => self.progress.event(AgentEvent::FileEdited { path: file }),
            Event::Compacted {} => {
                self.progress.event(AgentEvent::Compacted);
                self.see(self.session.clone(), &Seen::Compacted);
            }
            Event::Status { .. } | Event::MessageUpdated { .. } | Event::PartDelta { .. } => {}
        }
        self.quiet.hear(self.tools.len());
    }

    fn message(&mut self, info: EventMessage) {
        let is_answer = info.role == Role::Assistant;
        let is_speech = is_answer && info.summary != serde_json::Value::Bool(true);
        if self.messages.insert(info.id, is_speech).is_none() && !is_answer {
            if let Some(calls) = self.calls.get_mut(&self.session) {
                calls.begin_prompt();
            }
            self.progress.event(AgentEvent::Accepted);
        }
    }

    fn part(&mut self, part: EventPart) {
        match (part.kind.as_str(), part.state) {
            ("text", _) if part.time.is_some_and(|time| time.end.is_some()) => {
                self.text_parts.remove(&part.id);
                if !part.synthetic {
                    self.said(part.id, &part.message_id, part.text);
                }
            }
            ("text" | "reasoning", _) => {
                let growing = self.text_parts.entry(part.id).or_default();
                growing.is_reasoning = part.kind == "reasoning";
                growing.message = part.message_id;
            }
            ("tool", Some(state)) if matches!(state.status.as_str(), "completed" | "error") => {
                self.tools.remove(&part.id);
                if self.is_first_end(part.id.clone()) {
                    self.end_texts(&part.session_id);
                    let tool = ToolPart { id: part.id, tool: part.tool, state };
                    self.see(part.session_id, &seen(&tool));
                    self.progress.event(AgentEvent::ToolFinished(call(&tool)));
                }
            }
            ("tool", Some(state)) if state.status == "running" && self.tools.insert(part.id) => {
                self.end_texts(&part.session_id);
                let title = title(state.title.as_deref(), &state.input);
                self.progress.event(AgentEvent::ToolStarted { name: part.tool, title });
            }
            // The step has ended, so the parts of its message no longer grow.
            ("step-finish", _) => self.text_parts.clear(),
            _ => {}
        }
    }

    /// Shows what the agent said, once, and nothing that others said in its conversation.
    fn said(&mut self, id: String, message: &str, text: String) {
        let is_speech = self.messages.get(message) == Some(&true);
        if is_speech && !text.trim().is_empty() && self.is_first_end(id) {
            self.progress.event(AgentEvent::Said { text });
        }
    }

    /// What the agent said before it calls a tool is complete, although its end may only be sent with the end of the whole
    /// answer, when the tool has ended already.
    fn end_texts(&mut self, session: &str) {
        if session != self.session {
            return;
        }
        let growing = self.text_parts.iter().filter(|(_, part)| !part.is_reasoning && !part.text.is_empty());
        let ended: Vec<String> = growing.map(|(id, _)| id.clone()).collect();
        for id in ended {
            if let Some(part) = self.text_parts.remove(&id) {
                self.said(id, &part.message, part.text);
            }
        }
    }

    /// Whether the end of this part was not seen before; it is from now on.
    fn is_first_end(&mut self, id: String) -> bool {
        if self.ended.contains(&id) {
            return false;
        }
        self.ended.push_back(id);
        if self.ended.len() > ENDED_REMEMBERED {
            self.ended.pop_front();
        }
        true
    }

    fn see(&mut self, session: String, seen: &Seen) {
        let limits = self.limits;
        if let Some(found) = self.calls.entry(session).or_insert_with(|| Calls::new(limits)).see(seen) {
            tracing::warn!("the agent {found}; stopping it");
            self.interrupting.send_replace(Some(Interrupt::Stuck(found)));
        }
    }

    async fn answer_open_requests(&mut self) {
        for request in self.api.permissions().await.unwrap_or_default() {
            self.permit(&request).await;
        }
        for request in self.api.questions().await.unwrap_or_default() {
            self.answer(&request).await;
        }
    }

    /// Stops the turn until a person has answered, once for each request.
    fn ask_people(&self, id: &str, asked: Asked) {
        if self.asking.is_new(id) {
            self.interrupting.send_replace(Some(Interrupt::Asked(asked)));
        }
    }

    async fn permit(&self, request: &PermissionRequest) {
        if self.asking.is_granted(&request.permission, &request.patterns) {
            if let Err(error) = self.api.grant_permission(&request.id).await {
                tracing::debug!(%error, "could not grant a permission; it is listed again later");
            }
            return;
        }
        if self.asking.may_ask() {
            let (permission, patterns) = (request.permission.clone(), request.patterns.clone());
            return self.ask_people(&request.id, Asked::Permission { permission, patterns });
        }
        // It may have been answered already; what is still open is listed again later.
        if let Err(error) = self.api.reject_permission(&request.id, NO_PERMISSION).await {
            tracing::debug!(%error, "could not reject a permission request; it is listed again later");
            return;
        }
        self.progress.event(AgentEvent::PermissionRejected {
            permission: request.permission.clone(),
            patterns: request.patterns.clone(),
        });
    }

    async fn answer(&self, request: &QuestionRequest) {
        let text = question(&request.questions);
        // A question without words can't be answered.
        if self.asking.may_ask() && !text.trim().is_empty() {
            return self.ask_people(&request.id, Asked::Question { text });
        }
        if let Err(error) = self.api.answer_question(&request.id, request.questions.len(), NO_ANSWER).await {
            tracing::debug!(%error, "could not answer a question; it is listed again later");
            return;
        }
        self.progress.event(AgentEvent::QuestionRejected);
    }
}

/// Cuts the stream into events. OpenCode only sends `data:` lines.
#[derive(Default)]
struct Lines {
    buffer: BytesMut,
    /// How much of the buffer was searched for the end of a line, without finding one.
    searched: usize,
    is_skipping: bool,
}

impl Lines {
    fn push(&mut self, chunk: &[u8]) -> Vec<Event> {
        self.buffer.extend_from_slice(chunk);
        let mut events = Vec::new();
        while let Some(end) = self.buffer[self.searched..].iter().position(|&byte| byte == b'\n') {
            let line = self.buffer.split_to(self.searched + end + 1);
            self.searched = 0;
            if !std::mem::take(&mut self.is_skipping) {
                events.extend(parse_line(&line));
            }
        }
        self.searched = self.buffer.len();
        if self.buffer.len() > MAX_EVENT_BYTES {
            self.buffer.clear();
            self.searched = 0;
            self.is_skipping = true;
        }
        events
    }
}

/// The event of a line, unless its type is not used here.
fn parse_line(line: &[u8]) -> Option<Event> {
    serde_json::from_slice(line.strip_prefix(b"data:")?.trim_ascii()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_however_the_stream_is_cut() {
        let text = b"data: {\"type\":\"file.edited\",\"properties\":{\"file\":\"/w/a\"}}\n\n: comment\ndata: {broken\n\
            data: {\"type\":\"server.heartbeat\",\"properties\":{}}\n\n\
            data: {\"type\":\"session.compacted\",\"properties\":{\"sessionID\":\"s\"}}\n\n";
        for cut in 1..text.len() {
            let mut lines = Lines::default();
            let mut events = lines.push(&text[..cut]);
            events.extend(lines.push(&text[cut..]));
            assert!(
                matches!(&events[..], [Event::FileEdited { file }, Event::Compacted {}] if file == "/w/a"),
                "{cut}"
            );
        }
    }
}
