//! Reads what an agent says about its turn: what people see of it meanwhile, and what it came to. Pure.

use crate::agent::turns::{CALL_CHARS, line};
use crate::agent::{AgentEvent, TodoItem, ToolCall, ToolStatus, TurnOutput};
use crate::prompts::shortened;
use crate::stuck::{Call, Calls, Found, Seen, Thresholds};
use serde_json::Value;
use std::time::{Duration, Instant};

/// What the agent said and did since its prompt.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The message that is being written.
    text: String,
    /// The last one that was written to its end.
    said: String,
    calls: Vec<Running>,
    /// How many calls are of earlier prompts of the turn.
    earlier: usize,
    seen: Calls,
    /// Nothing that is said counts.
    is_unheard: bool,
}

#[derive(Debug)]
struct Running {
    call: ToolCall,
    since: Instant,
    /// The whole of what it was given, of which `call` has a part.
    input: Value,
}

impl Record {
    pub(super) fn new(limits: Thresholds) -> Self {
        Self { seen: Calls::new(limits), ..Self::default() }
    }

    /// For what is no turn: agents that read a conversation in tell all of it once more.
    pub(super) fn unheard() -> Self {
        Self { is_unheard: true, ..Self::default() }
    }

    /// Takes an update. `tell` is called for each thing that people see. Returns how the agent is stuck, if it is.
    pub(super) fn update(&mut self, update: &Value, tell: &mut dyn FnMut(AgentEvent)) -> Option<Found> {
        if self.is_unheard {
            return None;
        }
        match update["sessionUpdate"].as_str().unwrap_or_default() {
            "agent_message_chunk" => {
                let delta = update["content"]["text"].as_str().unwrap_or_default();
                self.text.push_str(delta);
                tell(AgentEvent::Text { delta: delta.to_owned() });
            }
            "agent_thought_chunk" => {
                let delta = update["content"]["text"].as_str().unwrap_or_default().to_owned();
                tell(AgentEvent::Reasoning { delta });
            }
            "tool_call" | "tool_call_update" => return self.tool(update, tell),
            "plan" => tell(AgentEvent::Todo { items: todo(&update["entries"]) }),
            "compaction_update" if update["status"] == "completed" => {
                tell(AgentEvent::Compacted);
                return self.seen.see(&Seen::Compacted);
            }
            "session_info_update" => {
                let failure = failure(update);
                if failure["severity"] == "warning" {
                    let message = failure["title"].as_str().unwrap_or_default().to_owned();
                    tell(AgentEvent::Retrying { attempt: 1, message });
                }
            }
            _ => {}
        }
        None
    }

    fn tool(&mut self, update: &Value, tell: &mut dyn FnMut(AgentEvent)) -> Option<Found> {
        let id = update["toolCallId"].as_str()?;
        let place = self.calls.iter().position(|running| running.call.id == id);
        let place = place.unwrap_or_else(|| {
            self.end_text(tell);
            self.calls.push(Running::new(id, update));
            let call = &self.calls[self.calls.len() - 1].call;
            tell(AgentEvent::ToolStarted { name: call.name.clone(), title: call.title.clone() });
            self.calls.len() - 1
        });
        let running = &mut self.calls[place];
        let was_open = running.call.status == ToolStatus::Unfinished;
        running.read(update);
        if !was_open || running.call.status == ToolStatus::Unfinished {
            return None;
        }
        running.call.took = Some(running.since.elapsed());
        tell(AgentEvent::ToolFinished(running.call.clone()));
        for path in edited(update) {
            tell(AgentEvent::FileEdited { path });
        }
        let name = [Some(running.call.name.clone()), running.call.title.clone()];
        let name = name.into_iter().flatten().collect::<Vec<_>>().join(" ");
        self.seen.see(&Seen::Call(Call {
            name,
            input: running.input.to_string(),
            output: running.call.output.clone(),
            failed: matches!(running.call.status, ToolStatus::Failed { .. }),
            took_ms: u64::try_from(running.since.elapsed().as_millis()).unwrap_or(u64::MAX),
        }))
    }

    fn end_text(&mut self, tell: &mut dyn FnMut(AgentEvent)) {
        let text = std::mem::take(&mut self.text).trim().to_owned();
        if !text.is_empty() {
            tell(AgentEvent::Said { text: text.clone() });
            self.said = text;
        }
    }

    /// Whether a tool runs.
    pub(super) fn is_running(&self) -> bool {
        self.calls.iter().skip(self.earlier).any(|running| running.call.status == ToolStatus::Unfinished)
    }

    /// Another prompt of the same turn begins. What the last one left open was stopped with it.
    pub(super) fn begin_prompt(&mut self) {
        self.earlier = self.calls.len();
        self.seen.begin_prompt();
    }

    /// Whether the agent called any tool.
    pub(super) fn has_acted(&self) -> bool {
        !self.calls.is_empty()
    }

    /// The end of a prompt. A further one of the same turn may follow; its text replaces the earlier one.
    pub(super) fn end_prompt(&mut self, tell: &mut dyn FnMut(AgentEvent)) {
        self.end_text(tell);
    }

    pub(super) fn into_output(self, duration: Duration) -> TurnOutput {
        let tools = self.calls.into_iter().map(|running| running.call).collect();
        TurnOutput { text: self.said, tools, duration, ..TurnOutput::default() }
    }
}

impl Running {
    fn new(id: &str, update: &Value) -> Self {
        let name = update.pointer("/_meta/claudeCode/toolName").or_else(|| update.get("kind"));
        let call = ToolCall {
            id: id.to_owned(),
            name: name.and_then(Value::as_str).unwrap_or("tool").to_owned(),
            title: None,
            status: ToolStatus::Unfinished,
            input: String::new(),
            output: String::new(),
            took: None,
        };
        let mut running = Self { call, since: Instant::now(), input: Value::Null };
        running.read(update);
        // Whether it has ended already is seen after its start was told.
        running.call.status = ToolStatus::Unfinished;
        running
    }

    /// Takes what an update says; what it does not say stays.
    fn read(&mut self, update: &Value) {
        if let Some(title) = update["title"].as_str().filter(|title| !title.trim().is_empty()) {
            self.call.title = Some(line(title));
        }
        if update["rawInput"].as_object().is_some_and(|input| !input.is_empty()) {
            self.input = update["rawInput"].clone();
            self.call.input = shortened(&format!("{:#}", self.input), CALL_CHARS);
        }
        if self.input.is_null()
            && let Some(places) = update["locations"].as_array().filter(|places| !places.is_empty())
        {
            let paths = places.iter().filter_map(|place| place["path"].as_str()).collect::<Vec<_>>().join("\n");
            self.call.input = shortened(&paths, CALL_CHARS);
        }
        let output = output(update);
        if !output.is_empty() {
            self.call.output = shortened(&output, CALL_CHARS);
        }
        match update["status"].as_str() {
            Some("completed") => self.call.status = ToolStatus::Completed,
            Some("failed") => {
                let why = if self.call.output.is_empty() { "no reason given" } else { &self.call.output };
                self.call.status = ToolStatus::Failed { error: line(why) };
            }
            _ => {}
        }
    }
}

fn output(update: &Value) -> String {
    let parts = update["content"].as_array().into_iter().flatten();
    let texts: Vec<&str> = parts.filter_map(|part| part["content"]["text"].as_str()).collect();
    if !texts.is_empty() {
        return texts.join("\n");
    }
    let raw = &update["rawOutput"];
    let named = ["formatted_output", "aggregated_output", "output", "stdout", "content"];
    let text = raw.as_str().or_else(|| named.iter().find_map(|name| raw[*name].as_str()));
    text.map(str::to_owned).unwrap_or_else(|| if raw.is_null() { String::new() } else { raw.to_string() })
}

fn edited(update: &Value) -> Vec<String> {
    let parts = update["content"].as_array().into_iter().flatten();
    let diffs = parts.filter(|part| part["type"] == "diff");
    diffs.filter_map(|part| part["path"].as_str().map(str::to_owned)).collect()
}

fn todo(entries: &Value) -> Vec<TodoItem> {
    let entries = entries.as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    entries.map(|entry| TodoItem { content: text(&entry["content"]), status: text(&entry["status"]) }).collect()
}

/// The failure of a model that an agent reports beside an answer; null where there is none.
pub(super) fn failure(value: &Value) -> &Value {
    value.pointer("/_meta/jetbrains/air/sessionFailure").unwrap_or(&Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(updates: &[Value]) -> (Record, Vec<AgentEvent>) {
        let (mut record, mut events) = (Record::default(), Vec::new());
        for update in updates {
            assert_eq!(record.update(update, &mut |event| events.push(event)), None);
        }
        record.end_prompt(&mut |event| events.push(event));
        (record, events)
    }

    fn says(text: &str) -> Value {
        json!({ "sessionUpdate": "agent_message_chunk", "content": { "type": "text", "text": text } })
    }

    #[test]
    fn a_turn_has_the_last_message_and_all_tools() {
        let call = json!({ "sessionUpdate": "tool_call", "toolCallId": "1", "title": "Write a.txt", "kind": "edit",
            "status": "pending", "rawInput": {}, "_meta": { "claudeCode": { "toolName": "Write" } } });
        let more =
            json!({ "sessionUpdate": "tool_call_update", "toolCallId": "1", "rawInput": { "file_path": "/w/a.txt" } });
        let end = json!({ "sessionUpdate": "tool_call_update", "toolCallId": "1", "status": "completed",
            "content": [{ "type": "diff", "path": "/w/a.txt", "oldText": null, "newText": "x" }] });
        let (record, events) = record(&[says("I "), says("will."), call, more, end, says("Done.")]);
        let said: Vec<_> = events.iter().filter(|event| matches!(event, AgentEvent::Said { .. })).collect();
        assert_eq!(said.len(), 2, "{events:?}");
        assert!(events.contains(&AgentEvent::FileEdited { path: "/w/a.txt".to_owned() }));
        let output = record.into_output(Duration::ZERO);
        assert_eq!(output.text, "Done.");
        assert_eq!(output.tools[0].to_string(), "Write Write a.txt");
        assert!(output.tools[0].input.contains("/w/a.txt"));
    }

    #[test]
    fn a_tool_that_fails_says_why_and_one_without_an_end_is_unfinished() {
        let failed = json!({ "sessionUpdate": "tool_call", "toolCallId": "1", "title": "ls", "kind": "execute",
            "status": "failed", "rawOutput": { "formatted_output": "no such file\nx" } });
        let open = json!({ "sessionUpdate": "tool_call", "toolCallId": "2", "title": "sleep", "kind": "execute" });
        let output = record(&[failed, open]).0.into_output(Duration::ZERO);
        assert_eq!(output.tools[0].to_string(), "execute ls (failed: no such file)");
        assert_eq!(output.tools[1].status, ToolStatus::Unfinished);
    }

    #[test]
    fn the_same_call_with_the_same_result_again_and_again_is_a_loop() {
        let mut record = Record::default();
        let found = (0..20).find_map(|number| {
            let call = json!({ "sessionUpdate": "tool_call", "toolCallId": number.to_string(), "title": "ls",
                "kind": "execute", "status": "completed", "rawInput": { "command": "ls" } });
            record.update(&call, &mut |_| {})
        });
        let words = "made the same call 4 times in a row, with the same result: “execute ls”";
        assert_eq!(found.unwrap().to_string(), words);
    }

    #[test]
    fn a_failure_beside_an_answer_is_found() {
        let result = json!({ "stopReason": "end_turn", "_meta": { "jetbrains": { "air": {
            "sessionFailure": { "category": "service", "severity": "error", "title": "it is down" } } } } });
        assert_eq!(failure(&result)["title"], "it is down");
        assert_eq!(failure(&json!({ "stopReason": "end_turn" })), &Value::Null);
    }
}
