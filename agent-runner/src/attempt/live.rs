//! What the agent does, sent to the ticket's log while it does it: its words, its tool calls, its to-do list. Each once,
//! whether the agent's events or the end of the turn reports it first.

use crate::agent::{AgentEvent, ProgressSink, TodoItem, ToolCall, ToolStatus, TurnOutput};
use crate::progress::Progress;
use crate::report::Reporter;
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use terarchitect_worker_api::{EntryData, TodoEntry};
use tokio::sync::oneshot;

/// How many tool calls are remembered, so that none is sent twice.
const CALLS_REMEMBERED: usize = 2_000;
/// How much of what the agent said is the summary, in characters.
const SAID_CHARS: usize = 300;
/// The longest to-do list that is sent.
const MAX_TODO_ITEMS: usize = 100;

/// Shows the agent's events at a terminal, and sends them to the log.
#[derive(Clone, Debug)]
pub(super) struct Live {
    progress: Progress,
    reporter: Reporter,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// The phase and the number of the turn that runs; none between turns.
    turn: Option<(String, u32)>,
    /// What the agent said last. If it is the end of the turn, the turn's own entry has it.
    held: Option<String>,
    calls: HashSet<String>,
    calls_in_order: VecDeque<String>,
    todo: Vec<TodoItem>,
    /// Is told once the agent has accepted the prompt.
    accepted: Option<oneshot::Sender<()>>,
}

impl Live {
    pub(super) fn new(progress: Progress, reporter: Reporter) -> Self {
        Self { progress, reporter, state: Arc::default() }
    }

    /// A turn begins: what the agent does from now on belongs to it. Returns what tells that the prompt was accepted; it
    /// is closed if that never happens.
    pub(super) fn begin(&self, phase: &str, turn: u32) -> oneshot::Receiver<()> {
        let (accepted, told) = oneshot::channel();
        let mut state = self.state();
        state.turn = Some((phase.to_owned(), turn));
        state.held = None;
        state.accepted = Some(accepted);
        told
    }

    /// The turn ended with this output: sends what the events did not report.
    pub(super) fn end(&self, output: &TurnOutput) {
        let mut state = self.state();
        state.accept();
        let said = state.held.take().filter(|held| !output.text.trim().ends_with(held.trim()));
        self.said(&state, said);
        for call in &output.tools {
            self.tool(&mut state, call);
        }
        state.turn = None;
    }

    /// The turn failed: what was said last is said by no other entry.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        let said = state.held.take();
        self.said(&state, said);
        state.turn = None;
        state.accepted = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn said(&self, state: &State, text: Option<String>) {
        let (Some(text), Some((phase, turn))) = (text, state.turn.clone()) else { return };
        let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        let summary: String = first.chars().take(SAID_CHARS).collect();
        self.reporter.live("said", &summary, Some(&text), EntryData::Said { phase, turn });
    }

    fn tool(&self, state: &mut State, call: &ToolCall) {
        let Some((phase, turn)) = state.turn.clone() else { return };
        // What the turn's end left unfinished has no end of its own, and perhaps no id.
        if call.status == ToolStatus::Unfinished || !state.is_new(&call.id) {
            return;
        }
        let said = state.held.take();
        self.said(state, said);
        let raw = [call.input.as_str(), call.output.as_str()].join("\n\n");
        let data = EntryData::Tool {
            phase,
            turn,
            tool: call.name.clone(),
            title: call.title.clone(),
            status: if call.status == ToolStatus::Completed { "completed" } else { "error" }.to_owned(),
            took_ms: call.took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        };
        self.reporter.live("tool", &call.to_string(), Some(raw.trim()), data);
    }

    fn todo(&self, state: &mut State, items: &[TodoItem]) {
        if state.todo == items {
            return;
        }
        state.todo = items.to_vec();
        let done = items.iter().filter(|item| item.status == "completed").count();
        let now = items.iter().find(|item| item.status == "in_progress").map(|item| format!(": {}", item.content));
        let summary = format!("{done} of {} done{}", items.len(), now.unwrap_or_default());
        let items = items.iter().take(MAX_TODO_ITEMS);
        let items = items.map(|item| TodoEntry { content: item.content.clone(), status: item.status.clone() });
        self.reporter.live("todo", &summary, None, EntryData::Todo { items: items.collect() });
    }
}

impl State {
    fn accept(&mut self) {
        if let Some(accepted) = self.accepted.take() {
            // It is not waited for where the prompt had no messages.
            let _ = accepted.send(());
        }
    }

    fn is_new(&mut self, id: &str) -> bool {
        if !self.calls.insert(id.to_owned()) {
            return false;
        }
        self.calls_in_order.push_back(id.to_owned());
        if self.calls_in_order.len() > CALLS_REMEMBERED
            && let Some(oldest) = self.calls_in_order.pop_front()
        {
            self.calls.remove(&oldest);
        }
        true
    }
}

impl ProgressSink for Live {
    fn event(&self, event: AgentEvent) {
        {
            let mut state = self.state();
            match &event {
                AgentEvent::Accepted => state.accept(),
                AgentEvent::Launched { id, page } => {
                    let page = page.as_deref().map(|page| format!(": {page}")).unwrap_or_default();
                    self.reporter.log("cloud_agent", &format!("Cursor's agent {id} works on it{page}"), None);
                }
                AgentEvent::Said { text } => {
                    let before = state.held.replace(text.clone());
                    self.said(&state, before);
                }
                AgentEvent::ToolStarted { .. } => {
                    let said = state.held.take();
                    self.said(&state, said);
                }
                AgentEvent::ToolFinished(call) => self.tool(&mut state, call),
                AgentEvent::Todo { items } => self.todo(&mut state, items),
                AgentEvent::Stuck { found, remedy } => self.reporter.log("stuck", &remedy.described(found), None),
                _ => {}
            }
        }
        self.progress.event(event);
    }
}
