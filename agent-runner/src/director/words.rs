//! Fills in the prompts. Pure.

use super::{Phase, TurnChanges};
use crate::prompts::{
    AGENT_ALONE, AGENT_CONTINUE, AGENT_EXECUTION, AGENT_MESSAGES, AGENT_PERSON, AGENT_PLAN, AGENT_PLAN_AGAIN,
    AGENT_RESEARCH, AGENT_REVIEW, AGENT_RULES, AGENT_SETUP, DIRECTOR_ASK_AGAIN, DIRECTOR_ASK_ONLY_JSON,
    DIRECTOR_PLAN_REVIEW, DIRECTOR_TURN_REVIEW, fenced, render, shortened,
};

/// A turn as it is reported to the Director.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Report {
    pub(super) text: String,
    pub(super) tools: Vec<String>,
    pub(super) changes: TurnChanges,
    /// What people wrote to the agent, as it was in the turn's prompt.
    pub(super) heard: Vec<String>,
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

pub(super) fn research(ticket: &str) -> String {
    with_ticket(AGENT_RESEARCH, ticket)
}

pub(super) fn setup(ticket: &str) -> String {
    with_ticket(AGENT_SETUP, ticket)
}

pub(super) fn alone(ticket: &str) -> String {
    with_ticket(AGENT_ALONE, ticket)
}

/// `threads` are those that get replies. `alone`: no Director writes the reply to the reviewers.
pub(super) fn review(ticket: &str, threads: &str, alone: bool) -> String {
    let alone = if alone { "yes" } else { "" };
    render(AGENT_REVIEW, &[("rules", AGENT_RULES), ("ticket", ticket), ("threads", threads), ("alone", alone)])
}

fn with_ticket(template: &str, ticket: &str) -> String {
    render(template, &[("rules", AGENT_RULES), ("ticket", ticket)])
}

pub(super) fn plan(title: &str) -> String {
    render(AGENT_PLAN, &[("title", title)])
}

pub(super) fn plan_again(title: &str, feedback: &str) -> String {
    render(AGENT_PLAN_AGAIN, &[("title", title), ("feedback", &shortened(feedback, INSTRUCTION_CHARS))])
}

/// With `context`, the ticket is repeated, together with the plan.
pub(super) fn execution(title: &str, context: Option<&str>, plan: &str, objections: &str) -> String {
    let plan = if context.is_some() { fenced(&shortened(plan, PLAN_CHARS)) } else { String::new() };
    let objections = shortened(objections, INSTRUCTION_CHARS);
    let values = [
        ("title", title),
        ("rules", AGENT_RULES),
        ("ticket", context.unwrap_or_default()),
        ("plan", &plan),
        ("objections", &objections),
    ];
    render(AGENT_EXECUTION, &values)
}

/// With `context`, the ticket is repeated, together with the plan.
pub(super) fn go_on(phase: Phase, title: &str, context: Option<&str>, plan: &str, instructions: &str) -> String {
    let values = [
        ("phase", phase.as_str()),
        ("title", title),
        ("rules", AGENT_RULES),
        ("ticket", context.unwrap_or_default()),
        ("plan", &fenced(&shortened(plan, PLAN_CHARS))),
        ("instructions", &shortened(instructions, INSTRUCTION_CHARS)),
    ];
    render(AGENT_CONTINUE, &values)
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
    threads: &str,
    report: &Report,
    (turn, turns_left, idle_turns): (u32, u32, u32),
    heard: &[String],
) -> String {
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
