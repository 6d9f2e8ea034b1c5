//! Fills in the prompts. Pure.

use super::{Brief, Phase, TurnChanges};
use crate::agent::Asked;
use crate::prompts::{
    AGENT_ALONE, AGENT_ANSWER, AGENT_CONTINUE, AGENT_EXECUTION, AGENT_MESSAGES, AGENT_PERSON, AGENT_PLAN,
    AGENT_PLAN_AGAIN, AGENT_RESEARCH, AGENT_REVIEW, AGENT_RULES, AGENT_SETUP, AGENT_STUCK, AGENT_UNPROVEN,
    DIRECTOR_ASK_AGAIN, DIRECTOR_ASK_ONLY_JSON, DIRECTOR_PLAN_REVIEW, DIRECTOR_TURN_REVIEW, fenced, render, shortened,
};
use serde::{Deserialize, Serialize};

/// A turn as it is reported to the Director.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) text: String,
    pub(super) tools: Vec<String>,
    pub(super) changes: TurnChanges,
    /// What people wrote to the agent, as it was in the turn's prompt.
    pub(super) heard: Vec<String>,
}

impl Report {
    /// Adds what came before in the same turn, which the agent interrupted to ask something.
    pub(super) fn after(self, earlier: Self) -> Self {
        let both = |earlier: String, later: String| {
            let parts = [earlier, later].into_iter().filter(|part| !part.trim().is_empty());
            parts.collect::<Vec<_>>().join("\n")
        };
        let diffs = [earlier.changes.diff, self.changes.diff].into_iter().flatten();
        let diff = diffs.reduce(both);
        Self {
            text: if self.text.trim().is_empty() { earlier.text } else { self.text },
            tools: [earlier.tools, self.tools].concat(),
            changes: TurnChanges {
                changed: earlier.changes.changed || self.changes.changed,
                diffstat: both(earlier.changes.diffstat, self.changes.diffstat),
                diff,
                left_out: both(earlier.changes.left_out, self.changes.left_out),
            },
            heard: [earlier.heard, self.heard].concat(),
        }
    }
}

/// How much of each part the Director is shown, in characters.
const REPORT_CHARS: usize = 10_000;
const PLAN_CHARS: usize = 16_000;
const DIFF_CHARS: usize = 20_000;
const DIFFSTAT_CHARS: usize = 4_000;

/// How many tool calls of a turn the Director is shown: the last ones.
const TOOLS_SHOWN: usize = 40;

/// How much of the Director's answer the agent is shown. Generous: it only guards against an endless answer.
const INSTRUCTION_CHARS: usize = 16_000;

/// How much of what a person wrote the agent is shown: all that the API accepts.
const PERSON_CHARS: usize = 32_000;

/// A prompt with what people wrote in front of it.
pub(super) fn with_messages(prompt: &str, heard: &[String]) -> String {
    if heard.is_empty() {
        return prompt.to_owned();
    }
    format!("{}\n\n{prompt}", render(AGENT_MESSAGES, &[("messages", &people(heard))]))
}

/// What people wrote, one after the other.
pub(super) fn people(heard: &[String]) -> String {
    heard.iter().map(|text| fenced(&shortened(text, PERSON_CHARS))).collect::<Vec<_>>().join("\n\n")
}

/// The instructions of a turn that the agent gets only because a person wrote.
pub(super) fn person_s_turn() -> &'static str {
    AGENT_PERSON.trim()
}

/// How an agent works here. `may_ask`: a person answers its questions.
pub(super) fn rules(may_ask: bool) -> String {
    let (asks, decides) = if may_ask { ("yes", "") } else { ("", "yes") };
    render(AGENT_RULES, &[("asks", asks), ("decides", decides)])
}

/// The prompt after something that the agent asked, with what the person said, if anything.
pub(super) fn answered(asked: &Asked, said: &str) -> String {
    let text = fenced(&shortened(&asked.text(), PERSON_CHARS));
    let said = fenced(&shortened(said, PERSON_CHARS));
    let values = match asked {
        Asked::Question { .. } => [("question", text.as_str()), ("no_words", if said.is_empty() { "yes" } else { "" })],
        Asked::Permission { .. } => [("permission", text.as_str()), ("no_words", "")],
    };
    render(AGENT_ANSWER, &[&values[..], &[("words", &said)]].concat())
}

/// The prompt after something that the agent asked and that no person is asked any more.
pub(super) fn unanswered(asked: &Asked) -> String {
    render(AGENT_ANSWER, &[("unanswered", &fenced(&shortened(&asked.text(), PERSON_CHARS)))])
}

pub(super) fn research(rules: &str, ticket: &str) -> String {
    with_ticket(AGENT_RESEARCH, rules, ticket)
}

pub(super) fn setup(rules: &str, ticket: &str) -> String {
    with_ticket(AGENT_SETUP, rules, ticket)
}

pub(super) fn alone(rules: &str, ticket: &str) -> String {
    with_ticket(AGENT_ALONE, rules, ticket)
}

/// `threads` are those that get replies. `alone`: no Director writes the reply to the reviewers.
pub(super) fn review(rules: &str, ticket: &str, threads: &str, alone: bool) -> String {
    let alone = if alone { "yes" } else { "" };
    render(AGENT_REVIEW, &[("rules", rules), ("ticket", ticket), ("threads", threads), ("alone", alone)])
}

fn with_ticket(template: &str, rules: &str, ticket: &str) -> String {
    render(template, &[("rules", rules), ("ticket", ticket)])
}

pub(super) fn plan(title: &str) -> String {
    render(AGENT_PLAN, &[("title", title)])
}

pub(super) fn plan_again(title: &str, feedback: &str) -> String {
    render(AGENT_PLAN_AGAIN, &[("title", title), ("feedback", &shortened(feedback, INSTRUCTION_CHARS))])
}

/// With `context`, the rules and the ticket, these are repeated, together with the plan.
pub(super) fn execution(title: &str, context: Option<(&str, &str)>, plan: &str, objections: &str) -> String {
    let plan = if context.is_some() { fenced(&shortened(plan, PLAN_CHARS)) } else { String::new() };
    let objections = shortened(objections, INSTRUCTION_CHARS);
    let (rules, ticket) = context.unwrap_or_default();
    let values = [("title", title), ("rules", rules), ("ticket", ticket), ("plan", &plan), ("objections", &objections)];
    render(AGENT_EXECUTION, &values)
}

/// With `context`, the ticket is repeated, together with the plan.
pub(super) fn go_on(
    phase: Phase,
    title: &str,
    context: Option<(&str, &str)>,
    plan: &str,
    instructions: &str,
) -> String {
    let (rules, ticket) = context.unwrap_or_default();
    let values = [
        ("phase", phase.as_str()),
        ("title", title),
        ("rules", rules),
        ("ticket", ticket),
        ("plan", &fenced(&shortened(plan, PLAN_CHARS))),
        ("instructions", &shortened(instructions, INSTRUCTION_CHARS)),
    ];
    render(AGENT_CONTINUE, &values)
}

/// The prompt after a verification that failed. `last`: the next one that fails ends the ticket.
pub(super) fn unproven(phase: Phase, title: &str, failure: &str, last: bool) -> String {
    let last = if last { "yes" } else { "" };
    render(AGENT_UNPROVEN, &[("phase", phase.as_str()), ("title", title), ("failure", failure), ("last", last)])
}

/// The prompt for an agent that is stuck.
pub(super) fn nudged(found: &str, prompt: &str) -> String {
    render(AGENT_STUCK, &[("nudged", found), ("prompt", prompt)])
}

/// What a person is asked about an agent that is stuck.
pub(super) fn stuck_question(found: &str, number: u32) -> String {
    // The same question is asked once in a job.
    let again = if number > 1 { format!(" (question {number} of this job)") } else { String::new() };
    format!(
        "The agent {found}, and nothing that was tried has helped. What should it do? Approve with words for it, or reject \
         to end the job.{again}"
    )
}

/// The prompt once a person was asked about an agent that is stuck, with what the person said, if anything.
pub(super) fn advised(found: &str, said: &str, prompt: &str) -> String {
    let said = fenced(&shortened(said, PERSON_CHARS));
    let no_words = if said.is_empty() { "yes" } else { "" };
    render(AGENT_STUCK, &[("advised", found), ("words", &said), ("no_words", no_words), ("prompt", prompt)])
}

/// What another conversation begins with, in the place of one in which the agent was stuck.
pub(super) struct Handover<'a> {
    pub(super) found: &'a str,
    /// The rules and the ticket; empty where the prompt has them.
    pub(super) ticket: &'a str,
    pub(super) plan: &'a str,
    /// What the branch changes so far.
    pub(super) so_far: &'a str,
    /// What the agent reported after its last turns, oldest first.
    pub(super) reports: &'a [String],
    /// What people wrote to it.
    pub(super) heard: &'a [String],
}

/// The first prompt of another conversation.
pub(super) fn afresh(handover: &Handover<'_>, prompt: &str) -> String {
    let reports: Vec<String> = handover.reports.iter().map(|report| fenced(report)).collect();
    let values = [
        ("afresh", handover.found),
        ("ticket", handover.ticket),
        ("plan", &fenced(&shortened(handover.plan, PLAN_CHARS))),
        ("so_far", &fenced(&shortened(handover.so_far, DIFFSTAT_CHARS))),
        ("reports", &reports.join("\n\n")),
        ("messages", &people(handover.heard)),
        ("prompt", prompt),
    ];
    render(AGENT_STUCK, &values)
}

pub(super) fn plan_review(plan: &str, round: u32, research: &str, heard: &[String]) -> String {
    let plan = or_nothing(&fenced(&shortened(plan, PLAN_CHARS)));
    let research = fenced(&shortened(research, REPORT_CHARS));
    let (round, messages) = (round.to_string(), people(heard));
    let values = [("plan", plan.as_str()), ("round", &round), ("report", &research), ("messages", &messages)];
    render(DIRECTOR_PLAN_REVIEW, &values)
}

/// `work` is the phase of the turn, `threads` are those that get replies. The turns: which it is, how many are left, and how
/// many in a row have changed nothing.
pub(super) fn turn_review(
    work: Phase,
    brief: &Brief,
    report: &Report,
    (turn, turns_left, idle_turns): (u32, u32, u32),
    heard: &[String],
) -> String {
    let threads = brief.threads.as_str();
    let (reviewed, unreviewed) = if work == Phase::Review { ("yes", "") } else { ("", "yes") };
    let values = [
        ("reviewed", reviewed.to_owned()),
        ("unreviewed", unreviewed.to_owned()),
        ("threads", threads.to_owned()),
        ("unthreaded", if threads.is_empty() { "yes".to_owned() } else { String::new() }),
        ("turn", turn.to_string()),
        ("turns_left", turns_left.to_string()),
        ("report", or_nothing(&fenced(&shortened(&report.text, REPORT_CHARS)))),
        ("tools", tools(&report.tools)),
        ("changes", changes(report, idle_turns)),
        ("left_out", fenced(&shortened(&report.changes.left_out, DIFFSTAT_CHARS))),
        ("messages", people(heard)),
        ("acceptance", fenced(&brief.acceptance)),
        ("diff", fenced(&shortened(report.changes.diff.as_deref().unwrap_or_default(), DIFF_CHARS))),
    ];
    render(DIRECTOR_TURN_REVIEW, &values.each_ref().map(|(name, value)| (*name, value.as_str())))
}

/// `unusable` counts the answers that could not be used; the same words twice would get the same answer twice.
pub(super) fn ask_again(phase: Phase, problem: &str, shape: &str, unusable: u32) -> String {
    let template = if unusable > 1 { DIRECTOR_ASK_ONLY_JSON } else { DIRECTOR_ASK_AGAIN };
    render(template, &[("phase", phase.as_str()), ("problem", problem), ("shape", shape)])
}

fn or_nothing(text: &str) -> String {
    if text.is_empty() { "(The agent said nothing.)".to_owned() } else { text.to_owned() }
}

fn tools(tools: &[String]) -> String {
    let left_out = tools.len().saturating_sub(TOOLS_SHOWN);
    let head = if left_out > 0 { format!("({left_out} earlier calls)\n") } else { String::new() };
    fenced(&format!("{head}{}", tools[left_out..].join("\n")))
}

fn changes(report: &Report, idle_turns: u32) -> String {
    if report.changes.changed {
        return fenced(&shortened(&report.changes.diffstat, DIFFSTAT_CHARS));
    }
    match idle_turns {
        0 | 1 => "Nothing.".to_owned(),
        2 => "Nothing, for the second turn in a row.".to_owned(),
        more => format!("Nothing. The last {more} turns have all changed nothing."),
    }
}
