//! The Director: decides what the worker is told next, and when the ticket is done.
//!
//! What happens when (`flow`) is pure: a state and an event give the next state and one action. [`run`] carries the
//! actions out with a worker, a chat model and the caller's hooks. Git, the forge and the API are the hooks' business.

mod answer;
mod brief;
pub mod chat;
mod drive;
mod error;
mod flow;
mod history;
mod words;

pub use brief::Brief;
pub use drive::{DriveHooks, Outcome, TurnChanges, run};
pub use error::DriveError;

/// Where in its life a ticket stands. Written into every prompt as `Phase: …`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The worker reads the repository and reports.
    Research,
    /// The worker writes its plan.
    Plan,
    /// The Director judges the plan.
    PlanReview,
    /// The worker changes the code.
    Execution,
    /// The Director judges a turn.
    TurnReview,
    /// The worker sets up a project: the short flow.
    Setup,
}

impl Phase {
    /// The phase as prompts and logs write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Research => "research",
            Self::Plan => "plan",
            Self::PlanReview => "plan-review",
            Self::Execution => "execution",
            Self::TurnReview => "turn-review",
            Self::Setup => "setup",
        }
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a run may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How often the plan is reviewed before work starts with what there is.
    pub plan_rounds: u32,
    /// How many execution turns the worker gets.
    pub execution_turns: u32,
    /// After how many worker turns its conversation is compacted.
    pub summarize_every: u32,
    /// How many of its last exchanges the Director remembers word for word.
    pub remembered_exchanges: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { plan_rounds: 3, execution_turns: 50, summarize_every: 30, remembered_exchanges: 8 }
    }
}
