//! Looks at the calls of a turn while it runs.
//!
//! A call that waits, or that brings something else each time, such as one that looks how a build is, is no loop until it has been
//! made very often. What is new is a result that these calls did not bring before.

use super::{Found, Kind, Thresholds, hash};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The longest sequence of calls whose repetition is noticed.
const MAX_PERIOD: usize = 4;

/// How many calls are remembered at least, to tell what is new.
const REMEMBERED: usize = 200;

/// A call that took so long waits for something, in milliseconds.
const WAITS_MS: u64 = 2_000;

/// What a call has in its name or input that waits for something, or looks at something that runs.
const WAITING_WORDS: &[&str] = &["sleep", "wait", "poll", "bashoutput", "taskoutput", "write_stdin", "tail "];

/// The shortest error that tells one failure from another, in bytes: "Exit code 1" does not.
const MIN_ERROR_BYTES: usize = 16;

/// How much of an error people read, in characters.
const ERROR_CHARS: usize = 160;

/// Something that happens in a turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Seen {
    /// A call has ended.
    Call(Call),
    /// The conversation was compacted.
    Compacted,
}

/// A call that has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Call {
    /// What people read: the tool, and what it was called for.
    pub name: String,
    /// What it was given.
    pub input: String,
    /// What came of it: its output, or its error.
    pub output: String,
    /// Whether it failed.
    pub failed: bool,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// The last calls of one conversation.
#[derive(Debug, Default)]
pub struct Calls {
    thresholds: Thresholds,
    last: VecDeque<Made>,
    /// How many of the last ones have not counted for a finding.
    fresh: usize,
    /// The last error, and how often it came since something was new.
    error: Option<(u64, u32)>,
    /// Compactions since something was new.
    compactions: u32,
    /// New results since the last finding.
    news: u32,
}

/// A call as it is remembered.
#[derive(Debug)]
struct Made {
    asked: u64,
    returned: u64,
    waits: bool,
    name: String,
}

impl Calls {
    /// No calls yet.
    #[must_use]
    pub fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, ..Self::default() }
    }

    /// Another prompt was given: the same call may be made for it.
    pub fn begin_prompt(&mut self) {
        (self.fresh, self.error) = (0, None);
    }

    /// Takes what happened. Returns how the agent is stuck, if it is, and begins to count again then.
    pub fn see(&mut self, seen: &Seen) -> Option<Found> {
        let found = match seen {
            Seen::Call(call) => self.call(call),
            Seen::Compacted => self.compacted(),
        };
        found.map(|(kind, times, what)| {
            (self.fresh, self.error, self.compactions) = (0, None, 0);
            Found { kind, times, what, news: std::mem::take(&mut self.news) }
        })
    }

    fn compacted(&mut self) -> Option<(Kind, u32, Vec<String>)> {
        self.compactions += 1;
        let is_stuck = reached(self.compactions, self.thresholds.compactions);
        is_stuck.then(|| (Kind::Compactions, self.compactions, Vec::new()))
    }

    fn call(&mut self, call: &Call) -> Option<(Kind, u32, Vec<String>)> {
        let made = Made::of(call);
        let is_known = |earlier: &Made| (earlier.asked, earlier.returned) == (made.asked, made.returned);
        let is_new = !call.failed && !self.last.iter().any(is_known);
        if is_new {
            (self.error, self.compactions) = (None, 0);
            self.news = self.news.saturating_add(1);
        }
        let times = self.fails(call);
        self.last.push_back(made);
        self.fresh += 1;
        if self.last.len() > self.remembered() {
            self.last.pop_front();
        }
        self.fresh = self.fresh.min(self.last.len());
        if reached(times, self.thresholds.same_errors) {
            return Some((Kind::SameError, times, vec![first_line(&call.output)]));
        }
        self.repeated()
    }

    /// How often this error came, if it is one that tells something.
    fn fails(&mut self, call: &Call) -> u32 {
        let text = call.output.trim();
        if !call.failed || text.len() < MIN_ERROR_BYTES {
            return 0;
        }
        let error = hash(text);
        let times = self.error.filter(|(last, _)| *last == error).map_or(1, |(_, times)| times.saturating_add(1));
        self.error = Some((error, times));
        times
    }

    /// All that can be noticed has to fit.
    fn remembered(&self) -> usize {
        let longest = self.thresholds.waiting_calls.max(self.thresholds.same_calls);
        let rounds = size(self.thresholds.same_rounds).saturating_mul(MAX_PERIOD);
        size(longest).max(rounds).clamp(REMEMBERED, 10_000)
    }

    fn repeated(&self) -> Option<(Kind, u32, Vec<String>)> {
        let is_same = |a: &Made, b: &Made| a.asked == b.asked && a.returned == b.returned && !a.waits;
        let is_asked = |a: &Made, b: &Made| a.asked == b.asked;
        let limits = self.thresholds;
        if self.repeats(1, limits.same_calls, is_same) {
            return Some((Kind::SameCall, limits.same_calls, self.names(1)));
        }
        let rounds = (2..=MAX_PERIOD).find(|period| self.repeats(*period, limits.same_rounds, is_same));
        if let Some(period) = rounds {
            return Some((Kind::SameRounds, limits.same_rounds, self.names(period)));
        }
        let waits = self.repeats(1, limits.waiting_calls, is_asked);
        waits.then(|| (Kind::Waiting, limits.waiting_calls, self.names(1)))
    }

    fn repeats(&self, period: usize, times: u32, is_same: impl Fn(&Made, &Made) -> bool) -> bool {
        let length = period.saturating_mul(size(times));
        if length <= period || length > self.fresh {
            return false;
        }
        let first = self.last.len() - length;
        let later = self.last.range(first + period..);
        later.zip(self.last.range(first..)).all(|(later, earlier)| is_same(later, earlier))
    }

    fn names(&self, period: usize) -> Vec<String> {
        self.last.iter().rev().take(period).rev().map(|call| call.name.clone()).collect()
    }
}

impl Made {
    fn of(call: &Call) -> Self {
        let said = format!("{} {}", call.name, call.input).to_lowercase();
        Self {
            asked: hash(&format!("{}\0{}", call.name, call.input)),
            returned: hash(&format!("{}\0{}", call.failed, call.output)),
            waits: call.took_ms >= WAITS_MS || WAITING_WORDS.iter().any(|word| said.contains(word)),
            name: call.name.clone(),
        }
    }
}

pub(super) fn reached(times: u32, limit: u32) -> bool {
    limit > 0 && times >= limit
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn first_line(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    line.chars().take(ERROR_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(command: &str, output: &str) -> Seen {
        let name = format!("bash {command}");
        Seen::Call(Call { name, input: command.to_owned(), output: output.to_owned(), ..Call::default() })
    }

    fn fails(command: &str, error: &str) -> Seen {
        let Seen::Call(call) = call(command, error) else { panic!() };
        Seen::Call(Call { failed: true, ..call })
    }

    /// After how much of this an agent was found to be stuck, and how.
    fn noticed(seen: impl IntoIterator<Item = Seen>) -> Option<(usize, Found)> {
        let mut calls = Calls::default();
        seen.into_iter().enumerate().find_map(|(index, seen)| Some((index + 1, calls.see(&seen)?)))
    }

    fn kind(seen: impl IntoIterator<Item = Seen>) -> Option<(usize, Kind)> {
        noticed(seen).map(|(index, found)| (index, found.kind))
    }

    #[test]
    fn the_same_call_with_the_same_result_four_times() {
        let (index, found) = noticed((0..9).map(|_| call("ls", "a"))).unwrap();
        assert_eq!((index, found.kind), (4, Kind::SameCall));
        assert_eq!(found.to_string(), "made the same call 4 times in a row, with the same result: “bash ls”");
        assert_eq!(kind((0..3).map(|_| call("ls", "a"))), None);
    }

    #[test]
    fn a_few_calls_in_turn() {
        for period in 2..=4 {
            let found = kind((0..100).map(|n| call(&format!("step {}", n % period), "x")));
            assert_eq!(found, Some((4 * period, Kind::SameRounds)), "{period}");
        }
        let found = noticed((0..8).map(|n| call(if n % 2 == 0 { "make" } else { "ls" }, "x"))).unwrap().1;
        let words = "made the same 2 calls in turn 4 times, with the same results: “bash make”, “bash ls”";
        assert_eq!(found.to_string(), words);
    }

    #[test]
    fn waiting_is_no_loop_for_long() {
        for output in ["not yet".to_owned(), String::new()] {
            assert_eq!(kind((0..59).map(|_| call("sleep 30; tail log", &output))), None);
            let found = kind((0..99).map(|_| call("sleep 30; tail log", &output)));
            assert_eq!(found, Some((60, Kind::Waiting)));
        }
        assert_eq!(kind((0..59).map(|n| call("cat log", &n.to_string()))), None);
        assert_eq!(kind((0..99).map(|n| call(&format!("cat {n}"), "x"))), None);
        let slow = Call { name: "bash make".to_owned(), took_ms: 60_000, ..Call::default() };
        assert_eq!(kind((0..20).map(|_| Seen::Call(slow.clone()))), None);
    }

    #[test]
    fn the_same_error_three_times() {
        let error = "oldString was not found in the file";
        assert_eq!(kind((0..9).map(|n| fails(&format!("edit {n}"), error))), Some((3, Kind::SameError)));
        // What was read before brings nothing new.
        let reads = (0..9).map(|n| if n % 2 == 0 { fails(&format!("edit {n}"), error) } else { call("read", "x") });
        assert_eq!(kind(reads), Some((7, Kind::SameError)), "the first look was new");
        // Something new each time.
        let edits =
            (0..30).map(|n| if n % 2 == 0 { fails("make test", error) } else { call(&format!("edit {n}"), "ok") });
        assert_eq!(kind(edits), None);
        // Each search that finds nothing fails so.
        assert_eq!(kind((0..9).map(|n| fails(&format!("grep {n}"), "Exit code 1"))), None);
    }

    #[test]
    fn compactions_in_circles() {
        let circle = |n: usize| if n.is_multiple_of(2) { call("read big", "x") } else { Seen::Compacted };
        assert_eq!(kind((0..20).map(circle)), Some((6, Kind::Compactions)));
        let goes_on = |n: usize| if n.is_multiple_of(2) { call(&format!("read {n}"), "x") } else { Seen::Compacted };
        assert_eq!(kind((0..60).map(goes_on)), None);
    }

    #[test]
    fn after_it_was_noticed_the_count_begins_again() {
        let mut calls = Calls::default();
        let found: Vec<Found> = (0..8).filter_map(|_| calls.see(&call("ls", "a"))).collect();
        assert_eq!(found.iter().map(|found| found.news).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn with_nothing_set_nothing_is_noticed() {
        let none = Thresholds {
            same_calls: 0,
            same_rounds: 0,
            same_errors: 0,
            waiting_calls: 0,
            compactions: 0,
            ..Thresholds::default()
        };
        let mut calls = Calls::new(none);
        let seen = [fails("ls", "no such file or directory"), Seen::Compacted];
        assert!((0..300).all(|n| calls.see(&seen[n % 2]).is_none()));
    }
}
