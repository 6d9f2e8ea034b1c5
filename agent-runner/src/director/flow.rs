//! The work on a ticket as a state machine: an event goes in, and the next action comes out. Pure.
//!
//! Full flow: research → plan → plan review (again, if rejected) → execution turns, each reviewed, until complete.
//! Short flow, for a new project's setup and for what reviewers say: turns that work, each reviewed. Without a Director:
//! one turn that does it all.

use super::acceptance::Judgement;
use super::answer::{PLAN_SHAPE, PlanVerdict, REVIEW_SHAPE, TURN_SHAPE, TurnVerdict};
use super::chat::ChatMessage;
use super::history::History;
use super::replies::{self, Replies};
use super::stuck::Stuck;
use super::verdict::Verdict;
use super::words::{self, Report};
use super::{Brief, Limits, Phase, Verified};
use crate::agent::Asked;
use crate::stuck::Found;
use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    /// The agent finished its turn.
    AgentDone(Report),
    /// The Director answered.
    DirectorSaid(String),
    /// The agent's conversation was compacted, or that failed and is left for later.
    Compacted,
    /// Whether people wrote something that no prompt had yet.
    PeopleWrote(bool),
    /// The agent asked something in the middle of its turn, and is idle; with the turn so far.
    AgentAsked(Asked, Report),
    /// What a person said about that; empty if nothing.
    PeopleAnswered(String),
    /// The work was verified.
    Verified(Verified),
    /// The agent is stuck in its turn, and was stopped; with what people wrote to it in that turn's prompt.
    AgentStuck(Found, Vec<String>),
    /// The agent's next turn begins another conversation, if it could; with what the branch changes so far.
    BegunAfresh { could: bool, so_far: String },
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Action {
    PromptAgent {
        phase: Phase,
        prompt: String,
    },
    AskDirector {
        phase: Phase,
        messages: Vec<ChatMessage>,
    },
    Compact,
    /// Leave the agent's conversation.
    BeginAfresh,
    /// Look whether people wrote something, before the ticket counts as complete.
    HearPeople,
    /// Ask people what the agent asked.
    AskPeople {
        phase: Phase,
        asked: Asked,
    },
    /// Verify what the branch has.
    Verify {
        phase: Phase,
    },
    Finish {
        summary: String,
        reason: Option<String>,
    },
    Fail(Failure),
}

/// Why the flow ends without a complete ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Failure {
    UnusableAnswer {
        phase: Phase,
        problem: String,
    },
    TurnLimit {
        limit: u32,
    },
    Blocked {
        reason: String,
    },
    Unproven {
        rounds: u32,
        failure: String,
    },
    Stuck {
        found: Found,
    },
    /// An event that can't follow the last action: a bug in this program.
    OutOfOrder,
}

/// What was decided, for the ticket's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) phase: Phase,
    pub(super) text: String,
    pub(super) verdict: Option<Verdict>,
}

/// The next state, with the action to take and the note for the log.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) state: State,
    pub(super) action: Action,
    pub(super) note: Option<Note>,
}

/// Where the work on the ticket stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) brief: Brief,
    pub(super) ticket: String,
    pub(super) limits: Limits,
    pub(super) has_director: bool,
    pub(super) at: At,
    history: History,
    research: String,
    pub(super) plan: String,
    plan_round: u32,
    /// Turns so far that change files, the running one included.
    work_turns: u32,
    pub(super) turns_since_compaction: u32,
    idle_turns: u32,
    /// What people wrote to the agent since the Director's last question.
    pub(super) heard: Vec<String>,
    /// Of a review: what is replied in each thread, as far as that was said.
    pub(super) replies: Replies,
    /// How much the agent has asked so far.
    #[serde(default)]
    pub(super) questions: u32,
    /// The turn that runs, as far as it went before the agent asked something.
    #[serde(default)]
    so_far: Option<Report>,
    /// How often the verification has failed.
    #[serde(default)]
    failed_verifications: u32,
    /// What the Director said last about each acceptance line.
    #[serde(default)]
    pub(super) acceptance: Judgement,
    /// What is known about an agent that gets nowhere.
    #[serde(default)]
    pub(super) stuck: Stuck,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum At {
    Research,
    Planning,
    PlanReview(Question),
    Working(Phase),
    TurnReview(Question, Phase),
    /// Everything is done, unless people wrote something meanwhile.
    Finishing {
        phase: Phase,
        summary: String,
        reason: Option<String>,
        /// Whether it was verified, and passed.
        #[serde(default)]
        verified: bool,
    },
    /// Everything is done, if that passes.
    Verifying {
        phase: Phase,
        summary: String,
        reason: Option<String>,
    },
    /// The conversation is compacted before this prompt.
    Compacting {
        phase: Phase,
        prompt: String,
        then: Box<At>,
    },
    /// A person is asked what the agent asked in this turn.
    Asking {
        phase: Phase,
        asked: Asked,
        then: Box<At>,
        /// How the agent is stuck, and its prompt, where that is why a person is asked.
        #[serde(default)]
        stuck: Option<(Found, String)>,
    },
    /// Another conversation begins, whose first prompt goes on with this one.
    BeginningAfresh {
        phase: Phase,
        prompt: String,
        found: Found,
        /// What people wrote to the agent that was stopped.
        heard: Vec<String>,
        then: Box<At>,
    },
    End,
}

impl At {
    /// The phase of the agent's turn that runs; none: no turn runs.
    pub(super) fn turn(&self) -> Option<Phase> {
        match self {
            Self::Research => Some(Phase::Research),
            Self::Planning => Some(Phase::Plan),
            Self::Working(phase) => Some(*phase),
            _ => None,
        }
    }
}

/// How often people are asked what the agent asks in one job.
pub(super) const MAX_QUESTIONS: u32 = 10;

/// How often the Director is asked before its answers count as unusable.
const MAX_ASKS: u32 = 3;

/// What the Director is asked, and how many of its answers were unusable.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Question {
    text: String,
    unusable: u32,
}

/// The first step.
pub(super) fn start(brief: Brief, limits: Limits, has_director: bool) -> Step {
    let state = State {
        ticket: brief.render(),
        has_director,
        at: At::End,
        history: History::new(limits.remembered_exchanges),
        research: String::new(),
        plan: String::new(),
        plan_round: 1,
        work_turns: 0,
        turns_since_compaction: 0,
        idle_turns: 0,
        heard: Vec::new(),
        replies: Replies::new(),
        questions: 0,
        so_far: None,
        failed_verifications: 0,
        acceptance: Judgement::new(),
        stuck: Stuck::default(),
        brief,
        limits,
    };
    if state.brief.is_review() {
        let prompt = words::review(&state.rules(), &state.ticket, &state.brief.threads, !has_director);
        state.work(Phase::Review, prompt)
    } else if state.brief.is_project_setup() {
        let prompt = words::setup(&state.rules(), &state.ticket);
        let mut step = state.work(Phase::Setup, prompt);
        step.note = Some(Note {
            phase: Phase::Setup,
            text: "This ticket sets up the project, so it takes the short flow".to_owned(),
            verdict: None,
        });
        step
    } else if has_director {
        let prompt = words::research(&state.rules(), &state.ticket);
        state.prompt(Phase::Research, prompt, At::Research)
    } else {
        let prompt = words::alone(&state.rules(), &state.ticket);
        state.work(Phase::Execution, prompt)
    }
}

/// The step after an event.
pub(super) fn next(mut state: State, mut event: Event) -> Step {
    if let Event::AgentDone(report) | Event::AgentAsked(_, report) = &mut event
        && let Some(earlier) = state.so_far.take()
    {
        *report = std::mem::take(report).after(earlier);
    }
    match (std::mem::replace(&mut state.at, At::End), event) {
        (At::Compacting { phase, prompt, then }, Event::Compacted) => {
            state.turns_since_compaction = 0;
            state.at = *then;
            Step { state, action: Action::PromptAgent { phase, prompt }, note: None }
        }
        (At::Finishing { phase, summary, reason, verified }, Event::PeopleWrote(wrote)) => {
            if wrote {
                state.work_for_people(phase)
            } else if verified || state.limits.verifications == 0 {
                state.finish(summary, reason)
            } else {
                state.at = At::Verifying { phase, summary, reason };
                Step { state, action: Action::Verify { phase }, note: None }
            }
        }
        (At::Verifying { phase, summary, reason }, Event::Verified(verified)) => {
            state.after_verification(phase, (summary, reason), verified)
        }
        (At::Asking { phase, then, stuck: Some((found, prompt)), .. }, Event::PeopleAnswered(said)) => {
            state.after_advice((phase, *then), &found, &prompt, &said)
        }
        (At::BeginningAfresh { phase, prompt, found, heard, then }, Event::BegunAfresh { could, so_far }) => {
            state.after_beginning(could, (phase, *then), found, prompt, (&so_far, &heard))
        }
        (at, Event::AgentStuck(found, heard)) => state.after_stuck_turn(at, found, heard),
        (At::Asking { phase, asked, then, stuck: None }, Event::PeopleAnswered(said)) => {
            state.at = *then;
            let prompt = words::answered(&asked, &said);
            Step { state, action: Action::PromptAgent { phase, prompt }, note: None }
        }
        (at, Event::AgentAsked(asked, report)) => state.after_question(at, asked, report),
        (At::Research, Event::AgentDone(report)) => state.after_research(report),
        (At::Planning, Event::AgentDone(report)) => state.after_plan(report),
        (At::Working(phase), Event::AgentDone(report)) => state.after_work(phase, &report),
        (At::PlanReview(question), Event::DirectorSaid(answer)) => state.after_plan_review(question, &answer),
        (At::TurnReview(question, phase), Event::DirectorSaid(answer)) => {
            state.after_turn_review(question, phase, &answer)
        }
        _ => state.fail(Failure::OutOfOrder),
    }
}

impl State {
    /// How the agent works here.
    pub(super) fn rules(&self) -> String {
        words::rules(self.brief.may_ask)
    }

    fn after_question(mut self, at: At, asked: Asked, report: Report) -> Step {
        let Some(phase) = at.turn() else { return self.fail(Failure::OutOfOrder) };
        self.so_far = Some(report);
        self.questions += 1;
        if self.questions > MAX_QUESTIONS {
            self.at = at;
            let prompt = words::unanswered(&asked);
            let text = format!("The agent asked more than {MAX_QUESTIONS} times, so no person is asked");
            return Step { state: self, action: Action::PromptAgent { phase, prompt }, note: None }.noting(phase, text);
        }
        let action = Action::AskPeople { phase, asked: asked.clone() };
        self.at = At::Asking { phase, asked, then: Box::new(at), stuck: None };
        Step { state: self, action, note: None }
    }

    fn after_research(mut self, report: Report) -> Step {
        self.turns_since_compaction += 1;
        self.stuck.got_on();
        self.heard.extend(report.heard);
        self.research = report.text;
        let prompt = words::plan(&self.brief.title_line());
        self.prompt(Phase::Plan, prompt, At::Planning)
    }

    fn after_plan(mut self, report: Report) -> Step {
        self.turns_since_compaction += 1;
        self.stuck.got_on();
        self.heard.extend(report.heard);
        self.plan = report.text;
        let research = if self.plan_round == 1 { self.research.as_str() } else { "" };
        let question = words::plan_review(&self.plan, self.plan_round, research, &self.heard);
        // This question contains the plan, so it is not shown a second time as the current plan.
        self.ask(Phase::PlanReview, Question { text: question, unusable: 0 }, None)
    }

    fn after_plan_review(mut self, question: Question, answer: &str) -> Step {
        let verdict = match PlanVerdict::parse(answer) {
            Ok(verdict) => verdict,
            Err(problem) => return self.ask_again(Phase::PlanReview, question, answer, problem, PLAN_SHAPE),
        };
        self.history.remember(&question.text, answer);
        self.history.remember_people(&mut self.heard);
        let feedback = verdict.feedback.unwrap_or_default();
        let decided = Verdict::of_plan(self.plan_round, verdict.approved, &feedback);
        let rounds_left = self.limits.plan_rounds.saturating_sub(self.plan_round);
        if !verdict.approved && rounds_left > 0 {
            let text = format!("The Director rejected the plan in round {}: {feedback}", self.plan_round);
            self.plan_round += 1;
            let prompt = words::plan_again(&self.brief.title_line(), &feedback);
            return self.prompt(Phase::Plan, prompt, At::Planning).deciding(Phase::PlanReview, text, decided);
        }
        let text = match (verdict.approved, feedback.is_empty()) {
            (true, true) => format!("The Director approved the plan in round {}", self.plan_round),
            (true, false) => format!("The Director approved the plan in round {}: {feedback}", self.plan_round),
            (false, _) => format!(
                "The Director still has objections after {} rounds; the agent starts anyway and is given these objections: {feedback}",
                self.plan_round
            ),
        };
        let context = self.refreshed();
        let context = context.as_ref().map(|(rules, ticket)| (rules.as_str(), ticket.as_str()));
        let prompt = words::execution(&self.brief.title_line(), context, &self.plan, &feedback);
        self.work(Phase::Execution, prompt).deciding(Phase::PlanReview, text, decided)
    }

    fn after_work(mut self, phase: Phase, report: &Report) -> Step {
        self.turns_since_compaction += 1;
        self.heard.extend_from_slice(&report.heard);
        self.stuck.see_turn(report, &self.limits.stuck);
        self.idle_turns = if report.changes.changed { 0 } else { self.idle_turns + 1 };
        if !self.has_director {
            let mut summary = report.text.trim().to_owned();
            if phase == Phase::Review && !self.brief.threads.is_empty() {
                let (rest, replies) = replies::of_message(&summary);
                self.replies.extend(replies);
                summary = rest;
            }
            return self.finish_unless_people_wrote(phase, summary, None);
        }
        let turns_left = self.limits.execution_turns.saturating_sub(self.work_turns);
        let rounds = (self.work_turns, turns_left, self.idle_turns);
        let question = words::turn_review(phase, &self.brief, report, rounds, &self.heard);
        self.ask(Phase::TurnReview, Question { text: question, unusable: 0 }, Some(phase))
    }

    fn after_turn_review(mut self, question: Question, phase: Phase, answer: &str) -> Step {
        let verdict = match TurnVerdict::parse(answer) {
            Ok(verdict) => verdict,
            Err(problem) => {
                self.at = At::Working(phase);
                let shape = if self.brief.threads.is_empty() { TURN_SHAPE } else { REVIEW_SHAPE };
                return self.ask_again(Phase::TurnReview, question, answer, problem, shape);
            }
        };
        self.history.remember(&question.text, answer);
        self.history.remember_people(&mut self.heard);
        let decided = Verdict::of_turn(&verdict);
        if !verdict.acceptance.is_empty() {
            self.acceptance.clone_from(&verdict.acceptance);
        }
        let turn = self.work_turns;
        if verdict.complete {
            self.replies.extend(verdict.replies);
            let summary = verdict.summary.unwrap_or_default();
            let what = if phase == Phase::Review {
                "everything the reviewers said is dealt with"
            } else {
                "the ticket is complete"
            };
            let text = format!("The Director says that {what} after turn {turn}: {summary}");
            let step = self.finish_unless_people_wrote(phase, summary, verdict.reason);
            return step.deciding(Phase::TurnReview, text, decided);
        }
        if let Some(reason) = verdict.blocked {
            let text = format!("The Director says that the ticket can't be completed: {reason}");
            return self.fail(Failure::Blocked { reason }).deciding(Phase::TurnReview, text, decided);
        }
        let instructions = verdict.instructions.unwrap_or_default();
        let text = format!("The Director asks for more work after turn {turn}: {instructions}");
        if turn >= self.limits.execution_turns {
            let limit = self.limits.execution_turns;
            return self.fail(Failure::TurnLimit { limit }).deciding(Phase::TurnReview, text, decided);
        }
        let prompt = self.go_on(phase, &instructions);
        let step = match self.stuck.found() {
            Some(found) => self.work_of_stuck(phase, found, prompt),
            None => self.work(phase, prompt),
        };
        step.deciding(Phase::TurnReview, text, decided)
    }

    /// What failed goes back to the agent, for a bounded number of times. Verifying takes a while, so people may have written
    /// meanwhile.
    fn after_verification(
        mut self,
        phase: Phase,
        (summary, reason): (String, Option<String>),
        verified: Verified,
    ) -> Step {
        if verified.failure.is_empty() {
            self.at = At::Finishing { phase, summary, reason, verified: true };
            return Step { state: self, action: Action::HearPeople, note: None };
        }
        self.failed_verifications += 1;
        let (rounds, failure) = (self.failed_verifications, verified.failure);
        let text = format!("The verification failed: {failure}");
        if rounds >= self.limits.verifications {
            return self.fail(Failure::Unproven { rounds, failure }).noting(phase, text);
        }
        let last = rounds + 1 == self.limits.verifications;
        let prompt = words::unproven(phase, &self.brief.title_line(), &verified.for_agent, last);
        self.work(phase, prompt).noting(phase, text)
    }

    fn finish_unless_people_wrote(mut self, phase: Phase, summary: String, reason: Option<String>) -> Step {
        self.at = At::Finishing { phase, summary, reason, verified: false };
        Step { state: self, action: Action::HearPeople, note: None }
    }

    /// A turn beyond what the Director asked for, beyond the limit too: a person asked for it. Their words are put in
    /// front of its prompt.
    fn work_for_people(self, phase: Phase) -> Step {
        let prompt = self.go_on(phase, words::person_s_turn());
        let text = "A person wrote to the agent meanwhile, so the agent gets another turn".to_owned();
        self.work(phase, prompt).noting(phase, text)
    }

    /// A turn that changes files, and is reviewed if there is a Director.
    fn work(mut self, phase: Phase, prompt: String) -> Step {
        self.work_turns += 1;
        self.prompt(phase, prompt, At::Working(phase))
    }

    /// The same for an agent that is stuck.
    fn work_of_stuck(mut self, phase: Phase, found: Found, prompt: String) -> Step {
        self.work_turns += 1;
        self.treat((phase, At::Working(phase)), found, prompt, Vec::new())
    }

    pub(super) fn prompt(mut self, phase: Phase, prompt: String, then: At) -> Step {
        self.stuck.given(&prompt);
        if self.is_compaction_due() {
            self.at = At::Compacting { phase, prompt, then: Box::new(then) };
            return Step { state: self, action: Action::Compact, note: None };
        }
        self.at = then;
        Step { state: self, action: Action::PromptAgent { phase, prompt }, note: None }
    }

    fn is_compaction_due(&self) -> bool {
        self.limits.compact_every > 0 && self.turns_since_compaction >= self.limits.compact_every
    }

    fn go_on(&self, phase: Phase, instructions: &str) -> String {
        let context = self.refreshed();
        let context = context.as_ref().map(|(rules, ticket)| (rules.as_str(), ticket.as_str()));
        words::go_on(phase, &self.brief.title_line(), context, &self.plan, instructions)
    }

    /// The rules and the ticket again, if the conversation is compacted before the next prompt.
    fn refreshed(&self) -> Option<(String, String)> {
        self.is_compaction_due().then(|| (self.rules(), self.ticket.clone()))
    }

    fn ask(mut self, phase: Phase, question: Question, work: Option<Phase>) -> Step {
        let plan = if phase == Phase::PlanReview { "" } else { self.plan.as_str() };
        let messages = self.history.messages(&self.ticket, plan, &question.text, None);
        self.at = match work {
            Some(work) => At::TurnReview(question, work),
            None => At::PlanReview(question),
        };
        Step { state: self, action: Action::AskDirector { phase, messages }, note: None }
    }

    /// An unusable answer is sent back with the reason, the second time with shorter words.
    fn ask_again(mut self, phase: Phase, question: Question, answer: &str, problem: String, shape: &str) -> Step {
        let unusable = question.unusable + 1;
        if unusable >= MAX_ASKS {
            return self.fail(Failure::UnusableAnswer { phase, problem });
        }
        let plan = if phase == Phase::PlanReview { "" } else { self.plan.as_str() };
        let complaint = words::ask_again(phase, &problem, shape, unusable);
        let messages = self.history.messages(&self.ticket, plan, &question.text, Some((answer, &complaint)));
        let question = Question { unusable, ..question };
        self.at = match self.at {
            At::Working(work) => At::TurnReview(question, work),
            _ => At::PlanReview(question),
        };
        let text = format!("The Director's answer is unusable; asking again: {problem}");
        Step { state: self, action: Action::AskDirector { phase, messages }, note: None }.noting(phase, text)
    }

    fn finish(self, summary: String, reason: Option<String>) -> Step {
        Step { state: self, action: Action::Finish { summary, reason }, note: None }
    }

    pub(super) fn fail(self, failure: Failure) -> Step {
        Step { state: self, action: Action::Fail(failure), note: None }
    }
}

impl Step {
    fn noting(mut self, phase: Phase, text: String) -> Self {
        self.note = Some(Note { phase, text, verdict: None });
        self
    }

    fn deciding(mut self, phase: Phase, text: String, verdict: Verdict) -> Self {
        self.note = Some(Note { phase, text, verdict: Some(verdict) });
        self
    }
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
