//! Puts a new state between the entries of the log, where it belongs in time. Pure.
//!
//! The API says of a running ticket since when it is claimed, not since when the phase lasts. So a state is dated by its
//! own time where that is news, else by the entry that it came with, else by when it was seen.

use chrono::{DateTime, Utc};
use terarchitect_client::{LogEntry, State};

/// A line of a watch.
#[derive(Debug)]
pub(super) enum Line {
    /// An entry of the log.
    Entry(LogEntry),
    /// The new state, which began then.
    State(DateTime<Utc>),
}

/// A state that was not shown yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewState {
    /// Since when it lasts, as the API says.
    pub(super) since: Option<DateTime<Utc>>,
    /// The time of the newest entry that the API knew when it said the state.
    pub(super) spoke_at: Option<DateTime<Utc>>,
}

impl NewState {
    pub(super) fn new(state: &State, spoke_at: Option<DateTime<Utc>>) -> Self {
        Self { since: state.since, spoke_at }
    }
}

/// The time of the last line.
#[derive(Debug, Default)]
pub(super) struct Order {
    last: Option<DateTime<Utc>>,
}

impl Order {
    /// The lines for entries, and for a state that was read before them; `now` is when it was read.
    pub(super) fn lines(
        &mut self,
        mut entries: Vec<LogEntry>,
        state: Option<NewState>,
        now: DateTime<Utc>,
    ) -> Vec<Line> {
        let Some(state) = state else {
            return self.entries(entries).collect();
        };
        let known = state.since.max(state.spoke_at);
        let is_before = |entry: &LogEntry| known.is_none() || entry.created_at.is_none_or(|at| Some(at) <= known);
        let after = entries.split_off(entries.iter().take_while(|entry| is_before(entry)).count());
        let came_with_entries = !entries.is_empty();
        let mut lines: Vec<Line> = self.entries(entries).collect();
        let at = match (state.since, self.last) {
            (Some(since), last) if Some(since) > last => since,
            (_, Some(last)) if came_with_entries => last,
            (_, last) => last.map_or(now, |last| last.max(now)),
        };
        self.last = Some(at);
        lines.push(Line::State(at));
        lines.extend(self.entries(after));
        lines
    }

    fn entries(&mut self, entries: Vec<LogEntry>) -> impl Iterator<Item = Line> {
        self.last = entries.iter().filter_map(|entry| entry.created_at).max().max(self.last);
        entries.into_iter().map(Line::Entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(second: u32) -> DateTime<Utc> {
        format!("2026-01-01T10:00:{second:02}Z").parse().unwrap()
    }

    fn entries(seconds: &[u32]) -> Vec<LogEntry> {
        let one = |second: &u32| {
            let id = format!("ab000000-0000-4000-8000-0000000000{second:02}");
            serde_json::from_value(json!({"id": id, "step": "s", "created_at": at(*second)})).unwrap()
        };
        seconds.iter().map(one).collect()
    }

    fn told(lines: Vec<Line>) -> String {
        let one = |line: Line| match line {
            Line::Entry(entry) => entry.created_at.unwrap().format("e%-S").to_string(),
            Line::State(at) => at.format("state%-S").to_string(),
        };
        lines.into_iter().map(one).collect::<Vec<_>>().join(" ")
    }

    fn state(since: u32, spoke_at: Option<u32>) -> Option<NewState> {
        Some(NewState { since: Some(at(since)), spoke_at: spoke_at.map(at) })
    }

    #[test]
    fn a_running_ticket_s_state_is_not_dated_by_its_claim() {
        let mut order = Order::default();
        assert_eq!(told(order.lines(vec![], state(1, None), at(1))), "state1");
        assert_eq!(told(order.lines(vec![], state(3, None), at(4))), "state3");
        // Claimed at 3, the turn began with the entry at 5, and the one at 8 came after the state was read.
        assert_eq!(told(order.lines(entries(&[5, 8]), state(3, Some(5)), at(9))), "e5 state5 e8");
        // A state without an entry is dated by when it was seen.
        assert_eq!(told(order.lines(vec![], state(3, Some(8)), at(12))), "state12");
        assert_eq!(told(order.lines(entries(&[13, 14]), None, at(15))), "e13 e14");
        // A state with a time of its own keeps it.
        assert_eq!(told(order.lines(entries(&[15]), state(20, Some(15)), at(21))), "e15 state20");
    }

    #[test]
    fn a_watch_that_begins_in_the_middle_says_when_it_saw_the_state() {
        let mut order = Order::default();
        assert_eq!(told(order.lines(entries(&[5, 6]), None, at(30))), "e5 e6");
        assert_eq!(told(order.lines(vec![], state(3, Some(6)), at(30))), "state30");
        // Also where this machine's clock is behind: the lines stay in order.
        assert_eq!(told(order.lines(vec![], state(3, Some(6)), at(10))), "state30");
    }
}
