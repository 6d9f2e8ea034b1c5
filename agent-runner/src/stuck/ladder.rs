//! What is tried with an agent that is stuck, step by step.

use super::Found;
use serde::{Deserialize, Serialize};

/// After so many new results an agent that was stuck before has got on, and the steps begin again.
const GOT_ON: u32 = 12;

/// What is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// The agent is told what was seen.
    #[default]
    Nudge,
    /// The conversation is compacted, and the agent is told.
    Compact,
    /// Another conversation begins, with a summary.
    Fresh,
    /// A person is asked, or the work stops with the reason.
    Stop,
}

impl Remedy {
    /// What people read about this step.
    #[must_use]
    pub fn described(self, found: &Found) -> String {
        match self {
            Self::Nudge => format!("The agent {found}; it is warned"),
            Self::Compact => format!("The agent {found}; its conversation is compacted, and it is warned again"),
            Self::Fresh => format!("The agent {found}; another conversation begins, with a summary of the work so far"),
            Self::Stop => format!("The agent {found}, and nothing that was tried has helped"),
        }
    }
}

/// What can be done with this agent.
#[derive(Clone, Copy, Debug)]
pub struct Abilities {
    /// Its conversation can be compacted.
    pub compact: bool,
    /// It can begin another conversation.
    pub fresh: bool,
}

/// What comes next. The last step remains the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    next: Remedy,
}

impl Ladder {
    /// The next step for an agent that is stuck so.
    pub fn climb(&mut self, found: &Found, can: Abilities) -> Remedy {
        if found.news >= GOT_ON {
            self.got_on();
        }
        let mut remedy = self.next;
        if remedy == Remedy::Compact && !can.compact {
            remedy = Remedy::Fresh;
        }
        if remedy == Remedy::Fresh && !can.fresh {
            remedy = Remedy::Stop;
        }
        self.next = match remedy {
            Remedy::Nudge => Remedy::Compact,
            Remedy::Compact => Remedy::Fresh,
            Remedy::Fresh | Remedy::Stop => Remedy::Stop,
        };
        remedy
    }

    /// The steps before this one were taken.
    pub fn skip_to(&mut self, remedy: Remedy) {
        self.next = self.next.max(remedy);
    }

    /// The agent has made progress.
    pub fn got_on(&mut self) {
        self.next = Remedy::Nudge;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Abilities = Abilities { compact: true, fresh: true };

    fn climb(ladder: &mut Ladder, can: Abilities) -> Vec<Remedy> {
        (0..5).map(|_| ladder.climb(&Found::silent(9), can)).collect()
    }

    #[test]
    fn each_step_is_taken_once_and_the_last_one_remains() {
        let steps = [Remedy::Nudge, Remedy::Compact, Remedy::Fresh, Remedy::Stop, Remedy::Stop];
        assert_eq!(climb(&mut Ladder::default(), ALL), steps);
    }

    #[test]
    fn what_can_t_be_done_is_left_out() {
        let neither = Abilities { compact: false, fresh: false };
        assert_eq!(climb(&mut Ladder::default(), neither)[..2], [Remedy::Nudge, Remedy::Stop]);
        let no_compaction = Abilities { compact: false, ..ALL };
        assert_eq!(climb(&mut Ladder::default(), no_compaction)[..3], [Remedy::Nudge, Remedy::Fresh, Remedy::Stop]);
    }

    #[test]
    fn progress_begins_the_steps_again() {
        let mut ladder = Ladder::default();
        climb(&mut ladder, ALL);
        ladder.got_on();
        assert_eq!(ladder.climb(&Found::silent(9), ALL), Remedy::Nudge);
        climb(&mut ladder, ALL);
        let found = Found { news: GOT_ON, ..Found::silent(9) };
        assert_eq!(ladder.climb(&found, ALL), Remedy::Nudge);
        assert_eq!(ladder.climb(&Found { news: GOT_ON - 1, ..found }, ALL), Remedy::Compact);
    }

    #[test]
    fn steps_that_were_taken_elsewhere_are_skipped() {
        let mut ladder = Ladder::default();
        ladder.skip_to(Remedy::Fresh);
        assert_eq!(climb(&mut ladder, ALL)[..2], [Remedy::Fresh, Remedy::Stop]);
        ladder.skip_to(Remedy::Fresh);
        assert_eq!(ladder.climb(&Found::silent(9), ALL), Remedy::Stop);
    }
}
