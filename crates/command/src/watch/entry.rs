//! A log entry as one line for people.

use crate::output::Tone;
use crate::text;
use chrono::{DateTime, Local, Utc};
use serde_json::Value;
use terarchitect_client::LogEntry;

/// The longest line.
const MAX_CHARS: usize = 400;

/// The entry with its time. What it says comes from an agent and is made harmless.
pub(crate) fn line(entry: &LogEntry, paint: impl Fn(&str, Tone) -> String) -> String {
    let (what, tone) = told(entry);
    // What an agent does stands below the turn in which it does it.
    let indent = if kind(entry) == "tool" { "  " } else { "" };
    format!("{}  {indent}{}", paint(&time(entry.created_at), Tone::Dim), paint(&text::short(&what, MAX_CHARS), tone))
}

/// A time of day, for the beginning of a line.
pub(super) fn time(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| " ".repeat(8), |at| at.with_timezone(&Local).format("%H:%M:%S").to_string())
}

fn kind(entry: &LogEntry) -> &str {
    entry.data.as_ref().and_then(|data| data["kind"].as_str()).unwrap_or_default()
}

/// What the entry says, and how it is meant.
fn told(entry: &LogEntry) -> (String, Tone) {
    let none = Value::Null;
    let data = entry.data.as_ref().unwrap_or(&none);
    let word = |name: &str| data[name].as_str().unwrap_or_default();
    let number = |name: &str| data[name].as_i64().unwrap_or(0);
    match kind(entry) {
        "turn_started" => (format!("turn {} begins: {}", number("turn"), phase(word("phase"))), Tone::Busy),
        "turn_ended" => {
            let took = text::span(number("took_ms") / 1000);
            (format!("turn {} ended after {took}, {} tool calls", number("turn"), number("tools")), Tone::Plain)
        }
        "tool" => tool(data),
        "todo" => todo(data),
        "verdict" => verdict(data),
        "commit" => {
            let commit: String = word("commit").chars().take(10).collect();
            let (files, added, removed) = (number("files"), number("added"), number("removed"));
            (format!("commit {commit}: {files} files, +{added} −{removed}"), Tone::Good)
        }
        "pull_request" => (format!("pull request: {}", word("url")), Tone::Good),
        // Unknown kinds, and entries that are only text.
        _ => {
            let tone = if entry.success { Tone::Plain } else { Tone::Bad };
            let step = entry.step.replace('_', " ");
            let text = if entry.summary.is_empty() { step } else { format!("{step}: {}", entry.summary) };
            (text, tone)
        }
    }
}

fn phase(phase: &str) -> String {
    phase.replace('_', " ")
}

fn tool(data: &Value) -> (String, Tone) {
    let title = data["title"].as_str().filter(|title| !title.is_empty());
    let title = title.map(|title| format!(" {title}")).unwrap_or_default();
    let took = data["took_ms"].as_i64().filter(|ms| *ms >= 1000);
    let took = took.map(|ms| format!(" ({})", text::span(ms / 1000))).unwrap_or_default();
    let failed = data["status"] == "error";
    let word = if failed { " failed" } else { "" };
    let tool = data["tool"].as_str().unwrap_or("tool");
    (format!("{tool}{title}{word}{took}"), if failed { Tone::Bad } else { Tone::Dim })
}

fn todo(data: &Value) -> (String, Tone) {
    let items = data["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let done = items.iter().filter(|item| item["status"] == "completed").count();
    let now = items.iter().find(|item| item["status"] == "in_progress").and_then(|item| item["content"].as_str());
    let now = now.map(|now| format!(", now: {now}")).unwrap_or_default();
    (format!("to do: {done} of {} done{now}", items.len()), Tone::Plain)
}

fn verdict(data: &Value) -> (String, Tone) {
    let approved = data["approved"] == true;
    let what = if data["phase"] == "plan_review" { "the plan" } else { "the turn" };
    let said = ["feedback", "next"].iter().filter_map(|name| data[*name].as_str()).find(|text| !text.is_empty());
    let said = said.map(|said| format!(": {said}")).unwrap_or_default();
    let complete = if data["complete"] == true { ", the work is complete" } else { "" };
    let word = if approved { "approves" } else { "refuses" };
    (format!("Director {word} {what}{complete}{said}"), if approved { Tone::Good } else { Tone::Warn })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(data: Value) -> String {
        let entry = json!({"id": "ab000000-0000-4000-8000-000000000001", "step": "some_step", "summary": "in words\u{1b}[2J",
            "success": true, "data": data});
        let line = line(&serde_json::from_value(entry).unwrap(), |text, _| text.to_owned());
        line.trim().to_owned()
    }

    #[test]
    fn typed_entries_are_told_in_words() {
        assert_eq!(told(json!({"kind": "turn_started", "phase": "plan", "turn": 2})), "turn 2 begins: plan");
        let tool = json!({"kind": "tool", "tool": "bash", "title": "cargo test\u{1b}]0;x\u{7}", "status": "error", "took_ms": 61_000});
        assert_eq!(told(tool), "bash cargo test\\e]0;x\\u{7} failed (1 min 1 s)");
        let items = json!([{"content": "a", "status": "completed"}, {"content": "b", "status": "in_progress"}]);
        assert_eq!(told(json!({"kind": "todo", "items": items})), "to do: 1 of 2 done, now: b");
        let verdict = json!({"kind": "verdict", "phase": "turn_review", "approved": false, "feedback": "no test"});
        assert_eq!(told(verdict), "Director refuses the turn: no test");
        let commit = json!({"kind": "commit", "commit": "0123456789abcdef", "files": 2, "added": 10, "removed": 1});
        assert_eq!(told(commit), "commit 0123456789: 2 files, +10 −1");
    }

    #[test]
    fn an_entry_of_an_unknown_kind_or_none_is_its_summary() {
        for data in [json!(null), json!({"kind": "a newer one"}), json!({"kind": 7})] {
            assert_eq!(told(data), "some step: in words\\e[2J");
        }
    }
}
