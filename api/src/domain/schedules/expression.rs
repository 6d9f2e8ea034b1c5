//! Cron expressions in a time zone: when a schedule is due.
//!
//! A time of day that the clocks skip in spring is due when they have been set; one that comes twice in autumn is due at its
//! first. What is due at intervals, such as every 30 minutes, is due as often as the clocks show it.

use crate::domain::refusal::Refusal;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use std::iter::successors;

/// The longest expression, in bytes.
const MAX_BYTES: usize = 200;
/// How far back the last due time is looked for: the longest is more than the eight years between some leap days.
const WINDOWS_DAYS: [i64; 4] = [1, 32, 367, 9 * 366];
/// How many due times that passed are counted.
const MAX_COUNTED: u32 = 1_000;

/// An expression in a time zone.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
    zone: Tz,
}

impl Schedule {
    /// Reads an expression of five fields, or a nickname such as `@daily`, in a time zone such as `Europe/Berlin`.
    ///
    /// # Errors
    /// A sentence that says what is wrong, also about an expression that never is due.
    pub fn parse(expression: &str, timezone: &str) -> Result<Self, Refusal> {
        let zone: Tz = timezone.trim().parse().map_err(|_| {
            Refusal::invalid(format!(
                "'timezone' must be a name of the tz database, such as Europe/Berlin or UTC; '{}' is not one.",
                shown(timezone)
            ))
        })?;
        let said = expression.trim();
        if said.len() > MAX_BYTES {
            return Err(Refusal::invalid(format!("'cron_expression' is longer than {MAX_BYTES} bytes.")));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(said).map_err(|error| {
            Refusal::invalid(format!(
                "'cron_expression' must have five fields (minute, hour, day of the month, month, day of the week), such as \
                 '0 3 * * 1-5'; '{}' can't be read: {}.",
                shown(said),
                error.to_string().trim_end_matches('.')
            ))
        })?;
        let schedule = Self { cron, zone };
        // A leap year is never more than eight years away; any start does.
        if schedule.next_after(DateTime::UNIX_EPOCH).is_none() {
            return Err(Refusal::invalid(format!(
                "'cron_expression' is never due: no date of the calendar fits '{}'.",
                shown(said)
            )));
        }
        Ok(schedule)
    }

    /// The first time after this one.
    #[must_use]
    pub fn next_after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = self.cron.find_next_occurrence(&time.with_timezone(&self.zone), false).ok()?;
        Some(next.with_timezone(&Utc))
    }

    /// The next times after this one, at most so many.
    #[must_use]
    pub fn next_times(&self, after: DateTime<Utc>, count: usize) -> Vec<DateTime<Utc>> {
        successors(self.next_after(after), |time| self.next_after(*time)).take(count).collect()
    }

    /// The last due time in the span from `first`, which is due itself, to `now`, and how many come before it there: counted
    /// up to a thousand.
    #[must_use]
    pub fn last_between(&self, first: DateTime<Utc>, now: DateTime<Utc>) -> (DateTime<Utc>, u32) {
        let until_now = |from: Option<DateTime<Utc>>| {
            successors(from.filter(|time| *time <= now), |time| self.next_after(*time).filter(|next| *next <= now))
        };
        // Searching forwards from not too long ago, since a search backwards sees changes of the clocks otherwise.
        let begins = WINDOWS_DAYS.iter().filter_map(|days| now.checked_sub_signed(TimeDelta::days(*days)));
        let last = begins.filter(|begin| *begin > first).find_map(|begin| until_now(self.next_after(begin)).last());
        let last = last.or_else(|| until_now(Some(first)).last()).unwrap_or(first);
        let before = until_now(Some(first)).take_while(|time| *time < last).take(MAX_COUNTED as usize).count();
        (last, u32::try_from(before).unwrap_or(MAX_COUNTED))
    }
}

/// A text in a sentence: not long, and on one line.
fn shown(text: &str) -> String {
    text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn times(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::parse(expression, zone).unwrap();
        let times = schedule.next_times(at(after), count).into_iter();
        times.map(|time| time.format("%Y-%m-%dT%H:%MZ").to_string()).collect()
    }

    #[test]
    fn a_time_of_day_that_is_skipped_is_due_when_the_clocks_have_been_set() {
        assert_eq!(
            times("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
            ["2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"]
        );
        assert_eq!(
            times("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 3),
            ["2026-03-29T00:30Z", "2026-03-29T01:00Z", "2026-03-29T01:30Z"]
        );
    }

    #[test]
    fn a_time_of_day_that_comes_twice_is_due_once_and_an_interval_twice() {
        assert_eq!(
            times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]
        );
        assert_eq!(
            times("0 * * * *", "Europe/Berlin", "2026-10-24T23:00:00Z", 3),
            ["2026-10-25T00:00Z", "2026-10-25T01:00Z", "2026-10-25T02:00Z"]
        );
        // In the southern hemisphere the clocks go back in April.
        assert_eq!(
            times("30 2 * * *", "Australia/Sydney", "2026-04-04T00:00:00Z", 2),
            ["2026-04-04T15:30Z", "2026-04-05T16:30Z"]
        );
    }

    #[test]
    fn leap_days_and_ends_of_months() {
        assert_eq!(times("0 0 29 2 *", "UTC", "2026-11-29T00:00:00Z", 2), ["2028-02-29T00:00Z", "2032-02-29T00:00Z"]);
        // 2100 has no leap day.
        assert_eq!(times("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", 1), ["2104-02-29T00:00Z"]);
        assert_eq!(times("0 9 L * *", "UTC", "2026-02-01T00:00:00Z", 2), ["2026-02-28T09:00Z", "2026-03-31T09:00Z"]);
    }

    #[test]
    fn what_is_never_due_or_can_not_be_read_gets_a_sentence() {
        for never in ["0 0 30 2 *", "0 0 31 4,6,9,11 *"] {
            let refusal = Schedule::parse(never, "UTC").unwrap_err();
            assert!(refusal.message.contains("is never due"), "{}", refusal.message);
        }
        for wrong in ["", "x", "* * * *", "0 0 * * * *", "61 * * * *", "*/0 * * * *", "5-1 * * * *", "@reboot"] {
            let refusal = Schedule::parse(wrong, "UTC").unwrap_err();
            assert!(refusal.message.contains("must have five fields"), "{}", refusal.message);
        }
        let refusal = Schedule::parse("@daily", "Mars/Olympus").unwrap_err();
        assert!(refusal.message.contains("such as Europe/Berlin"), "{}", refusal.message);
    }

    #[test]
    fn the_last_time_that_passed_is_found_and_the_others_are_counted() {
        let last = |expression: &str, first: &str, now: &str| {
            let schedule = Schedule::parse(expression, "Europe/Berlin").unwrap();
            let (last, before) = schedule.last_between(at(first), at(now));
            (last.format("%Y-%m-%dT%H:%MZ").to_string(), before)
        };
        assert_eq!(
            last("0 * * * *", "2026-06-01T10:00:00Z", "2026-06-01T10:00:00Z"),
            ("2026-06-01T10:00Z".to_owned(), 0)
        );
        assert_eq!(
            last("0 * * * *", "2026-06-01T10:00:00Z", "2026-06-02T10:30:00Z"),
            ("2026-06-02T10:00Z".to_owned(), 24)
        );
        assert_eq!(
            last("0 0 29 2 *", "2024-02-28T23:00:00Z", "2031-01-01T00:00:00Z"),
            ("2028-02-28T23:00Z".to_owned(), 1)
        );
        // The day on which the time is skipped.
        assert_eq!(
            last("30 2 * * *", "2026-03-28T01:30:00Z", "2026-03-29T01:10:00Z"),
            ("2026-03-29T01:00Z".to_owned(), 1)
        );
        // Years of minutes are not counted one by one.
        assert_eq!(
            last("* * * * *", "2020-01-01T00:00:00Z", "2026-06-01T10:30:20Z"),
            ("2026-06-01T10:30Z".to_owned(), 1_000)
        );
    }
}
