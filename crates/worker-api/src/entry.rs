//! What an entry of a ticket's log is about, for programs: `AppendLogRequest.data`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an entry is about. A kind that this version does not know, or knows in another form, is kept as it came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EntryData {
    /// The agent was given a prompt.
    TurnStarted {
        /// `research`, `plan`, `execution`, `setup` or `conflicts`.
        phase: String,
        /// Counts the agent's turns of an attempt from 1; those that resolve conflicts are counted apart.
        turn: u32,
        /// How long the prompt is.
        #[serde(default)]
        prompt_bytes: u64,
        /// The messages of people that stand in it.
        #[serde(default)]
        messages: Vec<uuid::Uuid>,
    },
    /// The agent ended its turn. `raw_output` is its last text.
    TurnEnded {
        /// The phase.
        phase: String,
        /// The turn.
        turn: u32,
        /// How many tools it called.
        #[serde(default)]
        tools: u64,
        /// How long the turn took.
        #[serde(default)]
        took_ms: u64,
    },
    /// A tool call ended. `raw_output` has its input and output, shortened.
    Tool {
        /// The phase.
        phase: String,
        /// The turn.
        turn: u32,
        /// The tool, such as `write`.
        tool: String,
        /// What it was called for.
        #[serde(default)]
        title: Option<String>,
        /// `completed` or `error`.
        status: String,
        /// How long it took.
        #[serde(default)]
        took_ms: Option<u64>,
    },
    /// The agent said something before its turn's end: `raw_output`.
    Said {
        /// The phase.
        phase: String,
        /// The turn.
        turn: u32,
    },
    /// The agent's to-do list changed.
    Todo {
        /// The whole list.
        items: Vec<TodoEntry>,
    },
    /// The agent's plan: `raw_output`.
    Plan {
        /// Counts the plans of an attempt from 1.
        round: u32,
    },
    /// What the Director decided.
    Verdict {
        /// `plan_review` or `turn_review`.
        phase: String,
        /// The turn that it is about.
        turn: u32,
        /// The round of a plan.
        #[serde(default)]
        round: Option<u32>,
        /// Whether what it saw was good enough to go on.
        approved: bool,
        /// Whether the ticket is complete.
        #[serde(default)]
        complete: Option<bool>,
        /// What it says about it.
        #[serde(default)]
        feedback: Option<String>,
        /// What it wants next.
        #[serde(default)]
        next: Option<String>,
    },
    /// A commit was made.
    Commit {
        /// The turn whose changes it has.
        turn: u32,
        /// Its id.
        commit: String,
        /// How many files it changes.
        files: u32,
        /// How many lines it adds.
        added: u32,
        /// How many lines it removes.
        removed: u32,
    },
    /// The pull request was opened or updated.
    PullRequest {
        /// Its address.
        url: String,
        /// Its number at its forge.
        #[serde(default)]
        number: Option<i64>,
    },
    /// A command ran that prepares a checkout, or that shows whether the work is done. `raw_output` is the end of its output.
    Command {
        /// `setup` or `verification`.
        purpose: String,
        /// The command.
        command: String,
        /// The commit in whose clean checkout it ran; none: in the agent's workspace.
        #[serde(default)]
        commit: Option<String>,
        /// Counts the verifications of an attempt from 1; 0 before the agent's first turn.
        round: u32,
        /// Its exit code; none if it has none, since it was stopped.
        #[serde(default)]
        exit_code: Option<i32>,
        /// Whether it was stopped because it took too long.
        timed_out: bool,
        /// How long it took.
        took_ms: u64,
    },
    /// What the Director says about each acceptance line, once the work is done.
    Acceptance {
        /// The lines, in their order.
        lines: Vec<AcceptanceEntry>,
    },
    /// What the calls of a model came to, in all of an attempt.
    ModelUsage {
        /// Whose model it is: `agent` or `director`.
        whose: String,
        /// The model.
        model: String,
        /// How many calls it answered.
        calls: u64,
        /// How many of them have no count of tokens.
        uncounted: u64,
        /// How many calls failed, repeated ones too.
        failed: u64,
        /// Tokens that it read, without those from its cache.
        input: u64,
        /// Tokens that it wrote, without its thinking.
        output: u64,
        /// Tokens of its thinking.
        reasoning: u64,
        /// Tokens that it read from its cache.
        cache_read: u64,
        /// Tokens that it wrote to its cache.
        cache_write: u64,
    },
    /// Anything else.
    #[serde(untagged)]
    Other(Value),
}

/// An item of the agent's to-do list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TodoEntry {
    /// What is to be done.
    pub content: String,
    /// `pending`, `in_progress`, `completed` or `cancelled`.
    pub status: String,
}

/// An acceptance line with what the Director says about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AcceptanceEntry {
    /// The line.
    pub line: String,
    /// Whether it holds; none if the Director did not say.
    #[serde(default)]
    pub met: Option<bool>,
    /// Where that shows, such as a file; empty if it did not say.
    #[serde(default)]
    pub place: String,
}

impl EntryData {
    /// The largest data of an entry, in bytes of JSON.
    pub const MAX_BYTES: usize = 32 * 1024;

    /// The kind's word; none if it has none.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        Some(match self {
            Self::TurnStarted { .. } => "turn_started",
            Self::TurnEnded { .. } => "turn_ended",
            Self::Tool { .. } => "tool",
            Self::Said { .. } => "said",
            Self::Todo { .. } => "todo",
            Self::Plan { .. } => "plan",
            Self::Verdict { .. } => "verdict",
            Self::Commit { .. } => "commit",
            Self::PullRequest { .. } => "pull_request",
            Self::Command { .. } => "command",
            Self::Acceptance { .. } => "acceptance",
            Self::ModelUsage { .. } => "model_usage",
            Self::Other(value) => return value.get("kind")?.as_str(),
        })
    }

    /// The turn that it belongs to, where it names one.
    #[must_use]
    pub fn turn(&self) -> Option<u32> {
        match self {
            Self::TurnStarted { turn, .. }
            | Self::TurnEnded { turn, .. }
            | Self::Tool { turn, .. }
            | Self::Said { turn, .. }
            | Self::Verdict { turn, .. }
            | Self::Commit { turn, .. } => Some(*turn),
            Self::Todo { .. }
            | Self::Plan { .. }
            | Self::PullRequest { .. }
            | Self::Command { .. }
            | Self::Acceptance { .. }
            | Self::ModelUsage { .. } => None,
            Self::Other(value) => value.get("turn")?.as_u64().and_then(|turn| u32::try_from(turn).ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn known_kinds_are_read_and_unknown_ones_survive() {
        let tool = json!({"kind": "tool", "phase": "execution", "turn": 3, "tool": "write", "title": "a.txt",
            "status": "completed", "took_ms": 7});
        let read: EntryData = serde_json::from_value(tool.clone()).unwrap();
        assert_eq!((read.kind(), read.turn()), (Some("tool"), Some(3)));
        assert_eq!(serde_json::to_value(&read).unwrap(), tool);
        for odd in [
            json!({"kind": "checkpoint", "turn": 4, "more": [1, 2]}),
            json!({"kind": "tool", "turn": "three"}),
            json!({"a": 1}),
        ] {
            let read: EntryData = serde_json::from_value(odd.clone()).unwrap();
            assert!(matches!(read, EntryData::Other(_)), "{odd}");
            assert_eq!(serde_json::to_value(&read).unwrap(), odd);
        }
        let read: EntryData = serde_json::from_value(json!({"kind": "checkpoint", "turn": 4})).unwrap();
        assert_eq!((read.kind(), read.turn()), (Some("checkpoint"), Some(4)));
    }

    #[test]
    fn every_kind_has_the_word_that_it_is_written_with() {
        for data in [
            EntryData::TurnStarted { phase: "plan".into(), turn: 1, prompt_bytes: 2, messages: Vec::new() },
            EntryData::TurnEnded { phase: "plan".into(), turn: 1, tools: 0, took_ms: 1 },
            EntryData::Said { phase: "plan".into(), turn: 1 },
            EntryData::Todo { items: vec![TodoEntry { content: "x".into(), status: "pending".into() }] },
            EntryData::Plan { round: 1 },
            EntryData::Commit { turn: 1, commit: "a".into(), files: 1, added: 1, removed: 0 },
            EntryData::PullRequest { url: "https://forge.example/1".into(), number: Some(1) },
            EntryData::Command {
                purpose: "setup".into(),
                command: "npm ci".into(),
                commit: None,
                round: 0,
                exit_code: Some(0),
                timed_out: false,
                took_ms: 7,
            },
        ] {
            let written = serde_json::to_value(&data).unwrap();
            assert_eq!(written["kind"].as_str(), data.kind());
            assert_eq!(serde_json::from_value::<EntryData>(written).unwrap(), data);
        }
    }
}
