//! What the flow does about an agent that is stuck, in a turn or over several. Pure.

use super::Phase;
use super::flow::{Action, At, Failure, MAX_QUESTIONS, State, Step};
use super::words::{self, Handover, Report};
use crate::agent::Asked;
use crate::prompts::shortened;
use crate::stuck::{Abilities, Found, Ladder, Remedy, Thresholds, Turn, Turns};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Of how many turns another conversation gets the reports, and how much of each, in characters.
const REPORTS: usize = 3;
const REPORT_CHARS: usize = 3_000;

/// What is known about an agent that gets nowhere.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Stuck {
    turns: Turns,
    ladder: Ladder,
    /// How it is stuck after the turn that is reviewed.
    found: Option<Found>,
    /// The prompt of the turn that runs, as the flow made it.
    given: String,
    /// What was reported after the last turns of work, oldest first.
    reports: VecDeque<String>,
    /// What the log has yet to say.
    #[serde(skip)]
    note: Option<String>,
}

impl Stuck {
    /// Takes a turn of work that has ended.
    pub(super) fn see_turn(&mut self, report: &Report, limits: &Thresholds) {
        let changes = &report.changes;
        let diff = match &changes.diff {
            _ if !changes.changed => "",
            Some(diff) if !diff.is_empty() => diff,
            _ if !changes.diffstat.is_empty() => &changes.diffstat,
            _ => "changed",
        };
        self.found = self.turns.see(&Turn { tools: report.tools.len(), diff: diff.to_owned() }, limits);
        if self.turns.is_news() {
            self.got_on();
        }
        self.reports.push_back(shortened(report.text.trim(), REPORT_CHARS));
        if self.reports.len() > REPORTS {
            self.reports.pop_front();
        }
    }

    /// The agent has made progress.
    pub(super) fn got_on(&mut self) {
        self.ladder.got_on();
    }

    /// The agent gets this prompt.
    pub(super) fn given(&mut self, prompt: &str) {
        prompt.clone_into(&mut self.given);
    }

    /// How it is stuck after the turn that was reviewed.
    pub(super) fn found(&mut self) -> Option<Found> {
        self.found.take()
    }

    /// What the log has yet to say.
    pub(super) fn take_note(&mut self) -> Option<String> {
        self.note.take()
    }
}

impl State {
    /// The agent was stopped in its turn, after it was told and its conversation was compacted.
    pub(super) fn after_stuck_turn(mut self, at: At, found: Found, heard: Vec<String>) -> Step {
        let Some(phase) = at.turn() else { return self.fail(Failure::OutOfOrder) };
        self.heard.extend_from_slice(&heard);
        self.stuck.ladder.skip_to(Remedy::Fresh);
        let prompt = std::mem::take(&mut self.stuck.given);
        self.treat((phase, at), found, prompt, heard)
    }

    /// Takes the next step with an agent that is stuck. In the end it gets this prompt.
    pub(super) fn treat(mut self, turn: (Phase, At), found: Found, prompt: String, heard: Vec<String>) -> Step {
        let (phase, then) = turn;
        let remedy = self.stuck.ladder.climb(&found, Abilities { compact: true, fresh: true });
        if remedy == Remedy::Stop {
            return self.stop((phase, then), found, prompt);
        }
        if remedy == Remedy::Fresh {
            self.at = At::BeginningAfresh { phase, prompt, found, heard, then: Box::new(then) };
            return Step { state: self, action: Action::BeginAfresh, note: None };
        }
        self.stuck.note = Some(remedy.described(&found));
        let prompt = words::nudged(&found.to_string(), &prompt);
        if remedy == Remedy::Nudge {
            return self.prompt(phase, prompt, then);
        }
        let prompt = format!("{}{prompt}", self.what_is_missing_in(&prompt));
        self.stuck.given(&prompt);
        self.at = At::Compacting { phase, prompt, then: Box::new(then) };
        Step { state: self, action: Action::Compact, note: None }
    }

    /// Another conversation begins, or the agent can't do that.
    pub(super) fn after_beginning(
        mut self,
        could: bool,
        turn: (Phase, At),
        found: Found,
        prompt: String,
        (so_far, heard): (&str, &[String]),
    ) -> Step {
        if !could {
            return self.stop(turn, found, prompt);
        }
        self.stuck.note = Some(Remedy::Fresh.described(&found));
        self.stuck.given(&prompt);
        self.turns_since_compaction = 0;
        let (phase, then) = turn;
        self.at = then;
        let handover = Handover {
            found: &found.to_string(),
            ticket: &self.what_is_missing_in(&prompt),
            plan: if prompt.contains(&self.plan) { "" } else { &self.plan },
            so_far,
            reports: self.stuck.reports.make_contiguous(),
            heard,
        };
        let prompt = words::afresh(&handover, &prompt);
        Step { action: Action::PromptAgent { phase, prompt }, state: self, note: None }
    }

    /// Nothing has helped: asks a person, where one answers what the agent asks, or fails.
    fn stop(mut self, (phase, then): (Phase, At), found: Found, prompt: String) -> Step {
        self.stuck.note = Some(Remedy::Stop.described(&found));
        if !self.brief.may_ask || self.questions >= MAX_QUESTIONS {
            return self.fail(Failure::Stuck { found });
        }
        self.questions += 1;
        let asked = Asked::Question { text: words::stuck_question(&found.to_string(), self.questions) };
        let action = Action::AskPeople { phase, asked: asked.clone() };
        self.at = At::Asking { phase, asked, then: Box::new(then), stuck: Some((found, prompt)) };
        Step { state: self, action, note: None }
    }

    /// A person was asked, so the steps begin again.
    pub(super) fn after_advice(mut self, turn: (Phase, At), found: &Found, prompt: &str, said: &str) -> Step {
        self.stuck.got_on();
        let (phase, then) = turn;
        let prompt = words::advised(&found.to_string(), said, prompt);
        self.prompt(phase, prompt, then)
    }

    /// The rules and the ticket, unless the prompt has them.
    fn what_is_missing_in(&self, prompt: &str) -> String {
        if prompt.contains(self.ticket.trim()) {
            return String::new();
        }
        format!("{}\n\n{}\n\n", self.rules().trim(), self.ticket.trim())
    }
}
