//! Positions in the event log.
//!
//! Sequence order is not commit order: a reader that remembers the last sequence number loses every event that took its
//! number early and was committed late. And the order of transaction ids is not the order of changes: a transaction
//! with a lower id may have waited for a row that one with a higher id had changed. So a position is what a reader has
//! *seen*: a snapshot of Postgres, which records for every transaction whether its events were visible. The next events
//! are those that are visible now and were not visible then, by sequence number: an event takes its number while its
//! transaction holds the rows that it changed, so that this order never contradicts a row's history. Nothing waits for
//! transactions that are still open, and any replica understands every position.

use std::fmt;
use std::str::FromStr;

/// The most transactions that a position may name as open. Postgres allows fewer connections than this.
const MAX_OPEN: usize = 100_000;

/// What was visible at one moment: Postgres's `pg_snapshot`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// All transactions below this had ended.
    pub xmin: u64,
    /// No transaction from this on had begun.
    pub xmax: u64,
    /// The transactions in between that were still open, in ascending order.
    pub open: Vec<u64>,
}

impl Snapshot {
    /// Whether what this transaction committed was visible.
    #[must_use]
    pub fn sees(&self, transaction: u64) -> bool {
        transaction < self.xmin || (transaction < self.xmax && self.open.binary_search(&transaction).is_err())
    }

    /// Parses Postgres's own text form, `xmin:xmax:open,open`.
    #[must_use]
    pub fn from_postgres(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (xmin, xmax) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let open = parts.next()?.split(',').filter(|id| !id.is_empty()).map(|id| id.parse().ok());
        Self { xmin, xmax, open: open.collect::<Option<_>>()? }.checked()
    }

    /// Postgres's own text form.
    #[must_use]
    pub fn to_postgres(&self) -> String {
        let open: Vec<_> = self.open.iter().map(u64::to_string).collect();
        format!("{}:{}:{}", self.xmin.max(1), self.xmax.max(1), open.join(","))
    }

    /// The snapshot, if it is one that Postgres accepts.
    fn checked(self) -> Option<Self> {
        let ordered = self.open.is_sorted_by(|a, b| a < b);
        let inside = self.open.iter().all(|id| (self.xmin..self.xmax).contains(id));
        let sane = self.xmin <= self.xmax && self.xmax < 1 << 62 && self.open.len() <= MAX_OPEN;
        (ordered && inside && sane).then_some(self)
    }
}

/// The short form in positions: `xmin.length.offset.offset…`, all relative to `xmin`.
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.xmin, self.xmax - self.xmin)?;
        self.open.iter().try_for_each(|id| write!(f, ".{}", id - self.xmin))
    }
}

impl FromStr for Snapshot {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let mut numbers = text.split('.').map(|number| number.parse::<u64>().map_err(|_| InvalidPosition));
        let mut next = || numbers.next().unwrap_or(Err(InvalidPosition));
        let (xmin, length) = (next()?, next()?);
        let after = |offset: u64| xmin.checked_add(offset).ok_or(InvalidPosition);
        let xmax = after(length)?;
        let open = numbers.map(|offset| after(offset?)).collect::<Result<_, _>>()?;
        Self { xmin, xmax, open }.checked().ok_or(InvalidPosition)
    }
}

/// The text is not a position of this log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a position in the event log; use the 'id' of an event, 'next' of a page, 'start' or 'now'")]
pub struct InvalidPosition;

/// What a reader of the log has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Everything that was visible then.
    pub seen: Snapshot,
    /// And of what became visible up to a later moment, the events up to this sequence number.
    pub partly: Option<(Snapshot, i64)>,
}

impl Position {
    /// Before the first event.
    #[must_use]
    pub fn start() -> Self {
        Self::default()
    }

    /// After everything that was visible at this moment.
    #[must_use]
    pub fn after(seen: Snapshot) -> Self {
        Self { seen, partly: None }
    }

    /// Whether the reader has seen an event of this transaction with this sequence number.
    #[must_use]
    pub fn has_seen(&self, transaction: u64, seq: i64) -> bool {
        self.seen.sees(transaction)
            || self.partly.as_ref().is_some_and(|(until, last)| seq <= *last && until.sees(transaction))
    }

    /// The position after the event with this sequence number, of what became visible up to a later moment.
    #[must_use]
    pub fn within(&self, until: &Snapshot, seq: i64) -> Self {
        Self { seen: self.seen.clone(), partly: Some((until.clone(), seq)) }
    }

    /// The newest moment that the position knows of.
    #[must_use]
    pub fn newest(&self) -> &Snapshot {
        self.partly.as_ref().map_or(&self.seen, |(until, _)| until)
    }
}

/// `seen`, or `seen-until-seq`.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.partly {
            None => self.seen.fmt(f),
            Some((until, seq)) => write!(f, "{}-{until}-{seq}", self.seen),
        }
    }
}

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let mut parts = text.split('-');
        let seen = parts.next().ok_or(InvalidPosition)?.parse()?;
        let partly = match (parts.next(), parts.next(), parts.next()) {
            (None, None, None) => None,
            (Some(until), Some(seq), None) => Some((until.parse()?, seq.parse().map_err(|_| InvalidPosition)?)),
            _ => return Err(InvalidPosition),
        };
        Ok(Self { seen, partly })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(text: &str) -> Snapshot {
        Snapshot::from_postgres(text).unwrap()
    }

    #[test]
    fn a_snapshot_sees_what_had_ended() {
        let now = snapshot("10:20:12,15");
        let seen: Vec<u64> = (8..23).filter(|&id| now.sees(id)).collect();
        assert_eq!(seen, [8, 9, 10, 11, 13, 14, 16, 17, 18, 19]);
        assert_eq!(now.to_postgres(), "10:20:12,15");
        assert!(!Snapshot::default().sees(3));
    }

    #[test]
    fn positions_survive_the_wire() {
        for position in [
            Position::start(),
            Position::after(snapshot("10:20:12,15")),
            Position { seen: snapshot("10:20:12,15"), partly: Some((snapshot("15:15:"), 77)) },
        ] {
            assert_eq!(position.to_string().parse(), Ok(position));
        }
        let position: Position = "10.10.2.5-15.0-77".parse().unwrap();
        assert!(position.has_seen(11, 900), "seen at the first moment");
        assert!(position.has_seen(12, 77) && !position.has_seen(12, 78), "seen in part");
        assert!(!position.has_seen(15, 1), "not begun");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "x",
            "1",
            "1.",
            "-1.2",
            "5.3.9",
            "5.3.2.1",
            "1.2-3.4",
            "1.2-3.4-x",
            "1.2-3.4-5-6",
            "1.99999999999999999999",
        ] {
            assert_eq!(text.parse::<Position>(), Err(InvalidPosition), "{text}");
        }
    }
}
