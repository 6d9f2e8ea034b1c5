//! How a prompt can end, and whether it is sent again then: the same for all agents. Pure.

use super::{AgentError, ModelFailure};
use crate::stuck::{Abilities, Found, Ladder, Remedy};
use std::time::Duration;

/// The pause before a prompt is retried after the model's server failed.
pub(super) const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// What an agent is told whose turn broke off.
pub(super) const BROKEN_OFF: &str = "Your last turn was interrupted because the connection to the model failed. Check what you \
    have already done, then continue with this:";

/// How one prompt ended.
#[derive(Debug, PartialEq)]
pub(super) enum Ending {
    /// The agent finished.
    Finished,
    /// The conversation was too long; the agent compacted it and lost the prompt.
    PromptLost,
    /// The model failed.
    Failed { kind: ModelFailure, message: String },
}

/// The prompt for an agent that is stuck.
pub(super) fn nudged(found: &Found, prompt: &str) -> String {
    format!(
        "You were stopped because you {found}. Do not go on in that way. Check what you have already done, find another \
         way, then continue with this:\n\n{prompt}"
    )
}

/// What was already tried in this turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tries {
    has_compacted: bool,
    has_waited: bool,
    stuck: Ladder,
}

impl Tries {
    /// What is tried within the turn with an agent that is stuck; none once all of that was tried.
    pub(super) fn remedy(&mut self, found: &Found, can_compact: bool) -> Option<Remedy> {
        let can = Abilities { compact: can_compact, fresh: true };
        Some(self.stuck.climb(found, can)).filter(|remedy| *remedy < Remedy::Fresh)
    }
}

/// What follows a prompt.
#[derive(Debug)]
pub(super) enum Next {
    /// The turn is over.
    Done,
    /// Send the same prompt again.
    AskAgain,
    /// Compact the conversation, then send the same prompt again.
    CompactAndAskAgain,
    /// Wait a little, then continue.
    WaitAndAskAgain,
    /// The turn has failed.
    GiveUp(AgentError),
}

/// Each remedy is tried once per turn: agents and the gateway have retried before a failure is reported.
pub(super) fn after(ending: Ending, tries: &mut Tries) -> Next {
    match ending {
        Ending::Finished => Next::Done,
        Ending::PromptLost if !std::mem::replace(&mut tries.has_compacted, true) => Next::AskAgain,
        Ending::PromptLost => Next::GiveUp(AgentError::Model {
            kind: ModelFailure::ContextOverflow,
            message: "compacting the conversation did not help".to_owned(),
        }),
        Ending::Failed { kind: ModelFailure::ContextOverflow, .. }
            if !std::mem::replace(&mut tries.has_compacted, true) =>
        {
            Next::CompactAndAskAgain
        }
        Ending::Failed { kind, .. } if kind.may_pass() && !std::mem::replace(&mut tries.has_waited, true) => {
            Next::WaitAndAskAgain
        }
        Ending::Failed { kind, message } => Next::GiveUp(AgentError::Model { kind, message }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(kind: ModelFailure) -> Ending {
        Ending::Failed { kind, message: "no".to_owned() }
    }

    #[test]
    fn a_failure_that_may_pass_is_retried_once_and_then_counts_as_infrastructure() {
        let mut tries = Tries::default();
        assert!(matches!(after(failed(ModelFailure::Unavailable), &mut tries), Next::WaitAndAskAgain));
        let Next::GiveUp(error) = after(failed(ModelFailure::RateLimited), &mut tries) else { panic!() };
        assert!(error.is_infrastructure() && !error.is_misconfiguration());
    }

    #[test]
    fn an_agent_that_is_stuck_is_told_and_compacted_and_then_the_turn_ends() {
        let found = Found::silent(60);
        let mut tries = Tries::default();
        let tried: Vec<_> = (0..3).map(|_| tries.remedy(&found, true)).collect();
        assert_eq!(tried, [Some(Remedy::Nudge), Some(Remedy::Compact), None]);
        let mut tries = Tries::default();
        let tried: Vec<_> = (0..2).map(|_| tries.remedy(&found, false)).collect();
        assert_eq!(tried, [Some(Remedy::Nudge), None]);
    }

    #[test]
    fn a_wrong_key_is_not_retried() {
        let Next::GiveUp(error) = after(failed(ModelFailure::Unauthorized), &mut Tries::default()) else { panic!() };
        assert!(error.is_misconfiguration() && !error.is_infrastructure());
    }

    #[test]
    fn a_conversation_that_is_too_long_is_compacted_once() {
        let mut tries = Tries::default();
        assert!(matches!(after(failed(ModelFailure::ContextOverflow), &mut tries), Next::CompactAndAskAgain));
        assert!(matches!(after(Ending::PromptLost, &mut tries), Next::GiveUp(_)));
        assert!(matches!(after(Ending::PromptLost, &mut Tries::default()), Next::AskAgain));
    }
}
