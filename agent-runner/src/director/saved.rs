//! Where the work on a ticket stands, for another attempt that goes on from there.

use super::Limits;
use super::flow::{Action, State, Step};
use serde::{Deserialize, Serialize};

/// The form of what is saved; another version's is not read.
const VERSION: u32 = 1;

/// What is saved, as it is written.
#[derive(Serialize)]
struct Writing<'a> {
    version: u32,
    agent_turns: u32,
    cost_usd: Option<f64>,
    state: &'a State,
    action: &'a Action,
}

/// What was saved.
#[derive(Deserialize)]
pub(super) struct Saved {
    version: u32,
    pub(super) agent_turns: u32,
    pub(super) cost_usd: Option<f64>,
    state: State,
    action: Action,
}

/// Where the work stands before this step, as JSON.
pub(super) fn write(step: &Step, agent_turns: u32, cost_usd: Option<f64>) -> String {
    let (state, action) = (&step.state, &step.action);
    // Made of texts, numbers and words: it can always be written.
    serde_json::to_string(&Writing { version: VERSION, agent_turns, cost_usd, state, action }).unwrap_or_default()
}

impl Saved {
    /// Reads what was saved, if this version can go on from it: with a Director as before, or without as before. The limits are
    /// those of now.
    pub(super) fn read(text: &str, limits: Limits, has_director: bool) -> Option<Self> {
        let mut saved: Self = serde_json::from_str(text).ok()?;
        if saved.version != VERSION || saved.state.has_director != has_director {
            return None;
        }
        saved.state.limits = limits;
        Some(saved)
    }

    /// The step that comes next.
    pub(super) fn into_step(self) -> Step {
        Step { state: self.state, action: self.action, note: None }
    }
}
