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

/// What the entry says, and how it is meant. The words are those of the page.
fn told(entry: &LogEntry) -> (String, Tone) {
    let none = Value::Null;
    let data = entry.data.as_ref().unwrap_or(&none);
    let word = |name: &str| data[name].as_str().unwrap_or_default();
    let number = |name: &str| data[name].as_i64().unwrap_or(0);
    let turn = || turn_title(word("phase"), number("turn"));
    match kind(entry) {
        "turn_started" => (format!("{} begins", turn()), Tone::Busy),
        "turn_ended" => {
            let took = text::span(number("took_ms") / 1000);
            (format!("{} ended: {}, {took}", turn(), text::plural(number("tools"), "tool call")), Tone::Plain)
        }
        "tool" => tool(data),
        "todo" => todo(data),
        "plan" => (format!("Plan, round {}: {}", number("round"), entry.summary), Tone::Plain),
        "verdict" => verdict(data),
        "commit" => {
            let commit: String = word("commit").chars().take(8).collect();
            let (files, added, removed) = (text::plural(number("files"), "file"), number("added"), number("removed"));
            (format!("Committed {files}: {commit} +{added} −{removed}"), Tone::Good)
        }
        "pull_request" => (format!("Pull request: {}", word("url")), Tone::Good),
        // Unknown kinds, and entries that are only text.
        _ => {
            let tone = if entry.success { Tone::Plain } else { Tone::Bad };
            let step = entry.step.replace('_', " ");
            let text = if entry.summary.is_empty() { step } else { format!("{step}: {}", entry.summary) };
            (text, tone)
        }
    }
}

/// Turns are counted over all phases, but for those that only resolve conflicts.
fn turn_title(phase: &str, turn: i64) -> String {
    match phase {
        "execution" => format!("Turn {turn}"),
        "conflicts" => "Conflicts".to_owned(),
        phase => format!("{} (turn {turn})", text::capital(&phase.replace('_', " "))),
    }
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
    (format!("To-do: {done} of {} done{now}", items.len()), Tone::Plain)
}

/// A plan is approved or refused. A turn is complete or not, which is no fault of it: most tickets take several.
fn verdict(data: &Value) -> (String, Tone) {
    let word = |name: &str| data[name].as_str().filter(|text| !text.is_empty());
    let what = match (data["phase"].as_str(), data["round"].as_i64()) {
        (Some("plan_review"), Some(round)) => format!("the plan, round {round}"),
        (Some("plan_review"), None) => "the plan".to_owned(),
        _ => format!("turn {}", data["turn"].as_i64().unwrap_or(0)),
    };
    let (decision, tone, reason) = match (data["complete"] == true, data["phase"] == "turn_review") {
        (true, _) => ("Complete", Tone::Good, "Because"),
        (false, true) => ("Not complete", Tone::Warn, "Because"),
        (false, false) if data["approved"] == true => ("Approved", Tone::Good, "Because"),
        (false, false) => ("Refused", Tone::Bad, "Why not"),
    };
    let feedback = word("feedback").map(|text| format!(" {reason}: {}", sentence(text))).unwrap_or_default();
    let next = word("next").map(|text| format!(" Asked for: {}", sentence(text))).unwrap_or_default();
    (format!("Director on {what}: {decision}.{feedback}{next}"), tone)
}

/// Text that ends like a sentence, so that another one can follow.
fn sentence(text: &str) -> String {
    let text = text::line(text);
    if text.ends_with(['.', '!', '?', ':']) { text } else { format!("{text}.") }
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
        assert_eq!(told(json!({"kind": "turn_started", "phase": "plan", "turn": 2})), "Plan (turn 2) begins");
        let ended = json!({"kind": "turn_ended", "phase": "execution", "turn": 3, "tools": 1, "took_ms": 2000});
        assert_eq!(told(ended), "Turn 3 ended: 1 tool call, 2 s");
        let tool = json!({"kind": "tool", "tool": "bash", "title": "cargo test\u{1b}]0;x\u{7}", "status": "error", "took_ms": 61_000});
        assert_eq!(told(tool), "bash cargo test\\e]0;x\\u{7} failed (1 min 1 s)");
        let items = json!([{"content": "a", "status": "completed"}, {"content": "b", "status": "in_progress"}]);
        assert_eq!(told(json!({"kind": "todo", "items": items})), "To-do: 1 of 2 done, now: b");
        let commit = json!({"kind": "commit", "commit": "0123456789abcdef", "files": 2, "added": 10, "removed": 1});
        assert_eq!(told(commit), "Committed 2 files: 01234567 +10 −1");
    }

    /// The words of `judgement` in the page's timeline.
    #[test]
    fn the_director_s_verdicts_have_the_page_s_words() {
        let verdict = |more: Value| {
            let mut data = json!({"kind": "verdict", "turn": 4, "round": null, "approved": false, "complete": null});
            data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            told(data)
        };
        let turn = json!({"phase": "turn_review", "feedback": "no test", "next": "write one\nnow"});
        assert_eq!(verdict(turn), "Director on turn 4: Not complete. Because: no test. Asked for: write one now.");
        let done = json!({"phase": "turn_review", "approved": true, "complete": true, "feedback": "All is there."});
        assert_eq!(verdict(done), "Director on turn 4: Complete. Because: All is there.");
        let plan = json!({"phase": "plan_review", "round": 2, "approved": true});
        assert_eq!(verdict(plan), "Director on the plan, round 2: Approved.");
        let refused = json!({"phase": "plan_review", "feedback": "too large"});
        assert_eq!(verdict(refused), "Director on the plan: Refused. Why not: too large.");
    }

    #[test]
    fn an_entry_of_an_unknown_kind_or_none_is_its_summary() {
        for data in [json!(null), json!({"kind": "a newer one"}), json!({"kind": 7})] {
            assert_eq!(told(data), "some step: in words\\e[2J");
        }
    }
}
