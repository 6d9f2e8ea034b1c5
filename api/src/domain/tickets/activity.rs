//! What an entry of a runner's log says about the work on its ticket right now: what a board shows of it. Pure.

use serde_json::{Value, json};
use terarchitect_worker_api::{EntryData, JobId};

/// How much of a summary is the last line, in characters.
const LINE_CHARS: usize = 300;
/// The longest name of a phase, in characters.
const PHASE_CHARS: usize = 40;

/// The attempt that something comes from, as far as it is known: a runner that is started from a shell has no job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptOf {
    /// The job.
    pub job: Option<JobId>,
    /// The attempt.
    pub attempt: Option<i32>,
}

/// How many files and lines changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Changed files.
    pub files: i32,
    /// Added lines.
    pub added: i32,
    /// Removed lines.
    pub removed: i32,
}

/// What an entry changes; what it does not mention stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Activity {
    /// What happens now.
    pub phase: Option<String>,
    /// The agent's turn.
    pub turn: Option<i32>,
    /// What happened last, in one line.
    pub last_line: Option<String>,
    /// What changed.
    pub counts: Option<Counts>,
    /// The agent's to-do list.
    pub todo: Option<Value>,
}

impl Activity {
    /// What an entry with this step, summary and data changes.
    #[must_use]
    pub fn after(step: &str, summary: &str, data: Option<&EntryData>) -> Self {
        let line = summary.lines().map(str::trim).find(|line| !line.is_empty());
        let last_line = line.map(|line| line.chars().take(LINE_CHARS).collect());
        // Written down before anything is pushed: the agent's part is over.
        let phase = (step == terarchitect_worker_api::FinishedWork::STEP).then(|| OPENING_PR.to_owned());
        let plain = Self { phase, last_line, ..Self::default() };
        let Some(data) = data else { return plain };
        let turn = data.turn().and_then(|turn| i32::try_from(turn).ok());
        match data {
            EntryData::TurnStarted { phase, .. } => Self { phase: Some(word(phase)), turn, ..plain },
            EntryData::TurnEnded { phase, .. } => Self { phase: Some(after_turn(phase)), turn, ..plain },
            EntryData::Verdict { complete: Some(true), .. } => {
                Self { phase: Some(OPENING_PR.to_owned()), turn, ..plain }
            }
            EntryData::Commit { files, added, removed, .. } => {
                let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
                let counts = Counts { files: number(*files), added: number(*added), removed: number(*removed) };
                Self { counts: Some(counts), turn, ..plain }
            }
            EntryData::Todo { items } => Self { todo: Some(json!(items)), ..plain },
            _ => Self { turn, ..plain },
        }
    }
}

/// The agent is done, and its work is pushed, opened and reported.
const OPENING_PR: &str = "opening_pr";

/// What follows a turn of this phase: what it brought is reviewed.
fn after_turn(phase: &str) -> String {
    match phase {
        "plan" => "plan_review".to_owned(),
        "execution" | "setup" | "review" => "turn_review".to_owned(),
        other => word(other),
    }
}

fn word(phase: &str) -> String {
    phase.chars().take(PHASE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(data: Value) -> Activity {
        Activity::after("x", "\n  A line\nand more", Some(&serde_json::from_value(data).unwrap()))
    }

    #[test]
    fn the_phase_is_what_happens_now() {
        let phase = |data: Value| after(data).phase;
        assert_eq!(phase(json!({"kind": "turn_started", "phase": "plan", "turn": 2})).as_deref(), Some("plan"));
        assert_eq!(phase(json!({"kind": "turn_ended", "phase": "plan", "turn": 2})).as_deref(), Some("plan_review"));
        let verdict = json!({"kind": "verdict", "phase": "turn_review", "turn": 3, "approved": true, "complete": true});
        assert_eq!(phase(verdict).as_deref(), Some("opening_pr"));
        assert_eq!(
            phase(json!({"kind": "tool", "phase": "plan", "turn": 2, "tool": "read", "status": "completed"})),
            None
        );
        assert_eq!(Activity::after("work_finished", "Done", None).phase.as_deref(), Some("opening_pr"));
    }

    #[test]
    fn what_an_entry_does_not_mention_stays() {
        let activity = after(json!({"kind": "later", "turn": 9}));
        let expected = Activity { turn: Some(9), last_line: Some("A line".to_owned()), ..Activity::default() };
        assert_eq!(activity, expected);
        assert_eq!(Activity::after("x", " \n", None), Activity::default());
        let commit = after(json!({"kind": "commit", "turn": 3, "commit": "a", "files": 1, "added": 2, "removed": 3}));
        assert_eq!(commit.counts, Some(Counts { files: 1, added: 2, removed: 3 }));
    }
}
