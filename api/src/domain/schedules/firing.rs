//! What is to happen when a schedule is found due.

use super::{Missed, Schedule};
use chrono::{DateTime, TimeDelta, Utc};

/// How late a run may be that still counts as on time.
pub const ON_TIME: TimeDelta = TimeDelta::minutes(5);

/// What becomes of a schedule that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// The last time that was due.
    pub due_at: DateTime<Utc>,
    /// Whether it is run; otherwise it has passed.
    pub run: bool,
    /// How many times before it have passed without a run.
    pub missed: u32,
    /// When it is due again.
    pub next: Option<DateTime<Utc>>,
}

/// What becomes of a schedule whose next time was `due` and has come. Of several times that came, the last one counts: it is
/// run if it is on time, and late only if the schedule says so.
#[must_use]
pub fn firing(schedule: &Schedule, due: DateTime<Utc>, now: DateTime<Utc>, missed: Missed) -> Firing {
    let (due_at, before) = schedule.last_between(due, now);
    let run = now - due_at <= ON_TIME || missed == Missed::Run;
    Firing { due_at, run, missed: before, next: schedule.next_after(now) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fired(due: &str, now: &str, missed: Missed) -> (String, bool, u32, String) {
        let schedule = Schedule::parse("0 * * * *", "UTC").unwrap();
        let firing = firing(&schedule, due.parse().unwrap(), now.parse().unwrap(), missed);
        let shown = |time: DateTime<Utc>| time.format("%dT%H:%M").to_string();
        (shown(firing.due_at), firing.run, firing.missed, shown(firing.next.unwrap()))
    }

    #[test]
    fn a_time_that_has_just_come_is_run() {
        for missed in [Missed::Run, Missed::Skip] {
            let fired = fired("2026-06-01T10:00:00Z", "2026-06-01T10:00:03Z", missed);
            assert_eq!(fired, ("01T10:00".into(), true, 0, "01T11:00".into()));
        }
    }

    #[test]
    fn times_that_passed_are_run_once_or_not_at_all() {
        let (due, now) = ("2026-06-01T10:00:00Z", "2026-06-02T09:30:00Z");
        assert_eq!(fired(due, now, Missed::Run), ("02T09:00".into(), true, 23, "02T10:00".into()));
        assert_eq!(fired(due, now, Missed::Skip), ("02T09:00".into(), false, 23, "02T10:00".into()));
        // The last of them is on time after all.
        assert_eq!(fired(due, "2026-06-02T09:02:00Z", Missed::Skip), ("02T09:00".into(), true, 23, "02T10:00".into()));
    }
}
