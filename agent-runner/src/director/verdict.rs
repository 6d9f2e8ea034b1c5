//! What the Director decided, for those who watch.

use super::answer::TurnVerdict;

/// What the Director decided about a plan or a turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The round of the plan that it is about.
    pub round: Option<u32>,
    /// Whether it was good enough to go on.
    pub approved: bool,
    /// Whether the ticket is complete; none for a plan.
    pub complete: Option<bool>,
    /// What the Director says about it.
    pub feedback: Option<String>,
    /// What the agent has to do next.
    pub next: Option<String>,
}

impl Verdict {
    pub(super) fn of_plan(round: u32, approved: bool, feedback: &str) -> Self {
        let feedback = Some(feedback.to_owned()).filter(|text| !text.is_empty());
        Self { round: Some(round), approved, feedback, ..Self::default() }
    }

    /// A turn is approved if the ticket is complete with it; what blocks it, or the present state, is the feedback.
    pub(super) fn of_turn(verdict: &TurnVerdict) -> Self {
        let next = if verdict.complete { None } else { verdict.instructions.clone() };
        let said = verdict.blocked.as_ref().or(verdict.reason.as_ref()).or(verdict.summary.as_ref());
        Self {
            round: None,
            approved: verdict.complete,
            complete: Some(verdict.complete),
            feedback: said.cloned(),
            next,
        }
    }
}
