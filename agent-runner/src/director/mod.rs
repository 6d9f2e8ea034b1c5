//! The Director: decides the agent's next prompt, and when the ticket is complete.
//!
//! The sequence of steps (`flow`) is pure: a state and an event give the next state and one action. [`drive`] carries
//! out the actions with an agent, a chat model and the caller's hooks. Git, the forge and the API are the hooks' business.

mod acceptance;
mod answer;
mod brief;
pub mod chat;
mod drive;
mod envelope;
mod error;
mod flow;
mod history;
mod lenient;
mod objects;
mod replies;
mod saved;
#[cfg(test)]
mod shapes_tests;
mod stuck;
mod verdict;
mod words;

pub use acceptance::Judged;
pub use brief::Brief;
pub use drive::{DriveHooks, Outcome, TurnChanges, Verified, Words, drive};
pub use error::DriveError;
pub use verdict::Verdict;

use crate::stuck::Thresholds;

/// The phase of the work on a ticket. Written into every prompt as `Phase: …`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Phase {
    /// The agent reads the repository and reports.
    Research,
    /// The agent writes its plan.
    Plan,
    /// The Director reviews the plan.
    PlanReview,
    /// The agent changes the code.
    Execution,
    /// The Director reviews a turn.
    TurnReview,
    /// The agent sets up a project: the short flow.
    Setup,
    /// The agent works on what reviewers say about the pull request: the short flow.
    Review,
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
            Self::Review => "review",
        }
    }

    /// The phase as programs read it: one word.
    #[must_use]
    pub fn word(self) -> String {
        self.as_str().replace('-', "_")
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The limits of the work on one ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// How many times the plan is reviewed; after that, work starts even with objections.
    pub plan_rounds: u32,
    /// How many execution turns the agent gets.
    pub execution_turns: u32,
    /// After how many turns the agent's conversation is compacted.
    pub compact_every: u32,
    /// How many of the last questions and answers the Director is shown again.
    pub remembered_exchanges: usize,
    /// How often the verification may fail before the ticket fails; 0: nothing is verified.
    #[serde(default)]
    pub verifications: u32,
    /// From when on an agent counts as stuck.
    #[serde(default)]
    pub stuck: Thresholds,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            plan_rounds: 3,
            execution_turns: 50,
            compact_every: 30,
            remembered_exchanges: 8,
            verifications: 0,
            stuck: Thresholds::default(),
        }
    }
}
