//! Notices an agent that makes the same calls in an endless loop. Pure.
//!
//! A call that brings something else each time, such as one that waits for a build, is no loop until it has been made
//! very often.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The longest sequence of calls whose repetition is noticed.
const MAX_PERIOD: usize = 4;

/// How often one call with one result is made in a row before it is a loop, and a sequence of several.
const SAME_CALLS: usize = 12;
const SAME_ROUNDS: usize = 8;

/// How often a call may be made in a row whose results differ.
const CALLS_WITH_NEWS: usize = 60;

/// The last calls of one session.
#[derive(Debug, Default)]
pub(super) struct Calls {
    last: VecDeque<Call>,
}

/// A call that has ended.
#[derive(Debug, PartialEq)]
pub(super) struct Call {
    asked: u64,
    returned: u64,
    name: String,
}

impl Calls {
    /// Adds a call that has ended. Returns the loop that it closes, in words, and begins to count again then.
    pub(super) fn add(&mut self, call: Call) -> Option<String> {
        self.last.push_back(call);
        if self.last.len() > CALLS_WITH_NEWS {
            self.last.pop_front();
        }
        let looping = self.period().map(|(period, times)| self.describe(period, times));
        if looping.is_some() {
            self.last.clear();
        }
        looping
    }

    /// How many calls repeat, and how many times they were made.
    fn period(&self) -> Option<(usize, usize)> {
        let is_same = |a: &Call, b: &Call| a.asked == b.asked && a.returned == b.returned;
        let is_asked = |a: &Call, b: &Call| a.asked == b.asked;
        let same = (1..=MAX_PERIOD).map(|period| (period, if period == 1 { SAME_CALLS } else { SAME_ROUNDS }));
        let found = same.into_iter().find(|(period, times)| self.repeats(*period, *times, is_same));
        found.or_else(|| self.repeats(1, CALLS_WITH_NEWS, is_asked).then_some((1, CALLS_WITH_NEWS)))
    }

    fn repeats(&self, period: usize, times: usize, is_same: impl Fn(&Call, &Call) -> bool) -> bool {
        let length = period * times;
        let Some(first) = self.last.len().checked_sub(length) else { return false };
        let later = self.last.range(first + period..);
        later.zip(self.last.range(first..)).all(|(later, earlier)| is_same(later, earlier))
    }

    fn describe(&self, period: usize, times: usize) -> String {
        let names: Vec<&str> = self.last.iter().rev().take(period).rev().map(|call| call.name.as_str()).collect();
        format!("“{}” {times} times", names.join("”, “"))
    }
}

impl Call {
    /// `asked` is what tells it from other calls, `returned` what came of it, and `name` what people read.
    pub(super) fn new(name: String, asked: &impl Hash, returned: &impl Hash) -> Self {
        Self { asked: hash(asked), returned: hash(returned), name }
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(command: &str, output: &str) -> Call {
        Call::new(format!("bash {command}"), &("bash", command), &("completed", output))
    }

    /// After how many of these calls a loop is noticed, and which.
    fn noticed(calls: impl IntoIterator<Item = Call>) -> Option<(usize, String)> {
        let mut last = Calls::default();
        calls.into_iter().enumerate().find_map(|(index, call)| Some((index + 1, last.add(call)?)))
    }

    #[test]
    fn the_same_call_with_the_same_result_is_a_loop() {
        let looping = noticed((0..100).map(|_| call("ls", "a")));
        assert_eq!(looping, Some((12, "“bash ls” 12 times".to_owned())));
        assert_eq!(noticed((0..11).map(|_| call("ls", "a"))), None);
    }

    #[test]
    fn a_sequence_that_repeats_is_a_loop() {
        for period in 2..=4 {
            let looping = noticed((0..100).map(|n| call(&format!("step {}", n % period), "x")));
            assert_eq!(looping.unwrap().0, 8 * period, "{period}");
        }
        let looping = noticed((0..16).map(|n| call(if n % 2 == 0 { "make" } else { "ls" }, "x"))).unwrap().1;
        assert_eq!(looping, "“bash make”, “bash ls” 8 times");
    }

    #[test]
    fn waiting_for_something_that_changes_is_no_loop_for_long() {
        assert_eq!(noticed((0..59).map(|n| call("sleep 30; tail log", &n.to_string()))), None);
        assert_eq!(noticed((0..99).map(|n| call("sleep 30; tail log", &n.to_string()))).unwrap().0, 60);
        assert_eq!(noticed((0..99).map(|n| call(&format!("cat {n}"), "x"))), None);
    }

    #[test]
    fn after_a_loop_was_noticed_the_count_begins_again() {
        let mut calls = Calls::default();
        let noticed = (0..24).filter_map(|_| calls.add(call("ls", "a"))).count();
        assert_eq!(noticed, 2);
    }
}
