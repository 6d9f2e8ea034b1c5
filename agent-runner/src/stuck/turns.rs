//! Looks at turns of work that have ended.

use super::calls::reached;
use super::{Found, Kind, Thresholds, hash};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How many changes are remembered.
const REMEMBERED: usize = 64;

/// A turn of work that has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Turn {
    /// How many tools were called.
    pub tools: usize,
    /// What it changed, as a diff; empty if nothing.
    pub diff: String,
}

/// The last turns of work.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Turns {
    /// What the last turns changed, as hashes.
    changes: VecDeque<u64>,
    /// How many of the last turns made and undid the same changes.
    undoing: u32,
    idle: Counted,
    talking: Counted,
}

/// How many turns in a row there were, and how many at the last finding.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Counted {
    turns: u32,
    found_at: u32,
}

impl Turns {
    /// Takes a turn. Returns how the agent is stuck, if it is. Once it was found, half as many more turns are enough.
    pub fn see(&mut self, turn: &Turn, limits: &Thresholds) -> Option<Found> {
        let changed = !turn.diff.is_empty();
        self.idle.count(!changed);
        self.talking.count(!changed && turn.tools == 0);
        let undoing = changed && self.undoes(hash(&turn.diff), limits.undoing_turns);
        let (kind, times) = if undoing {
            (Kind::UndoingTurns, self.undoing)
        } else if self.talking.is_found(limits.talking_turns) {
            self.idle.found_at = self.idle.turns;
            (Kind::TalkingTurns, self.talking.turns)
        } else if self.idle.is_found(limits.idle_turns) {
            (Kind::IdleTurns, self.idle.turns)
        } else {
            return None;
        };
        Some(Found { kind, times, what: Vec::new(), news: 0 })
    }

    /// Whether the last turn brought a change that the turns before it did not bring.
    #[must_use]
    pub fn is_news(&self) -> bool {
        self.idle.turns == 0 && self.undoing == 0
    }

    /// Whether this change and the ones before are the same two in turn. A change and its opposite have different diffs.
    fn undoes(&mut self, change: u64, limit: u32) -> bool {
        let back = |turns: usize| self.changes.len().checked_sub(turns).and_then(|place| self.changes.get(place));
        let again = back(2) == Some(&change) && back(1) != Some(&change);
        // The two that are made again count, too.
        self.undoing = if again { self.undoing.max(2) + 1 } else { 0 };
        self.changes.push_back(change);
        if self.changes.len() > REMEMBERED {
            self.changes.pop_front();
        }
        reached(self.undoing, limit)
    }
}

impl Counted {
    fn count(&mut self, goes_on: bool) {
        *self = if goes_on { Self { turns: self.turns.saturating_add(1), ..*self } } else { Self::default() };
    }

    fn is_found(&mut self, limit: u32) -> bool {
        let due = if self.found_at == 0 { limit } else { (limit / 2).max(1) };
        let is_found = limit > 0 && self.turns >= limit && self.turns - self.found_at >= due;
        if is_found {
            self.found_at = self.turns;
        }
        is_found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(tools: usize, diff: &str) -> Turn {
        Turn { tools, diff: diff.to_owned() }
    }

    /// The turns after which it was found to be stuck, from 1, and how.
    fn noticed(turns: impl IntoIterator<Item = Turn>) -> Vec<(usize, Kind)> {
        let (mut seen, limits) = (Turns::default(), Thresholds::default());
        let found = turns.into_iter().enumerate();
        found.filter_map(|(index, turn)| Some((index + 1, seen.see(&turn, &limits)?.kind))).collect()
    }

    #[test]
    fn no_change_in_many_turns() {
        let found = noticed((0..13).map(|_| turn(5, "")));
        assert_eq!(found, [(6, Kind::IdleTurns), (9, Kind::IdleTurns), (12, Kind::IdleTurns)]);
        assert_eq!(noticed((0..30).map(|n| turn(5, if n % 6 == 5 { ["+a", "+b", "+c"][n / 6 % 3] } else { "" }))), []);
    }

    #[test]
    fn words_without_deeds() {
        let found = noticed((0..6).map(|_| turn(0, "")));
        assert_eq!(
            found,
            [(3, Kind::TalkingTurns), (4, Kind::TalkingTurns), (5, Kind::TalkingTurns), (6, Kind::TalkingTurns)]
        );
        assert_eq!(noticed((0..5).map(|n| turn(n % 3, ""))), []);
    }

    #[test]
    fn the_same_two_changes_in_turn() {
        let found = noticed((0..5).map(|n| turn(2, ["+x", "-x"][n % 2])));
        assert_eq!(found, [(4, Kind::UndoingTurns), (5, Kind::UndoingTurns)]);
        assert_eq!(noticed((0..20).map(|n| turn(2, &format!("+{n}")))), []);
        assert_eq!(noticed([turn(1, "+x"), turn(1, "-x"), turn(1, "+x"), turn(1, "+y"), turn(1, "-x")]), []);
    }

    #[test]
    fn what_was_seen_outlives_an_attempt() {
        let (mut seen, limits) = (Turns::default(), Thresholds::default());
        let found = (0..6).find_map(|_| {
            let found = seen.see(&turn(3, ""), &limits);
            seen = serde_json::from_str(&serde_json::to_string(&seen).unwrap()).unwrap();
            found
        });
        assert_eq!(found.unwrap().times, 6);
    }
}
