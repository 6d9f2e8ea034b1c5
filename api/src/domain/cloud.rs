//! Agents that work in a cloud: what their states mean for a job, and how often they are looked at.

use crate::domain::jobs::outcome::Ending;
use crate::domain::words::words;
use crate::domain::work_orders::OrderStatus;
use std::time::Duration;
use terarchitect_cursor::Status;
use terarchitect_worker_api::{Reason, TicketId};
use uuid::Uuid;

/// What holds the jobs that run in a cloud.
pub const WORKER: &str = "cursor-cloud";
/// The longest pause after a call that failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How many times the pause between two looks grows while an agent works.
const MOST_PAUSES: f64 = 10.0;

words! {
    /// How far an agent in a cloud is.
    pub enum CloudState "state of a cloud agent" {
        /// It is being launched; it may be there already.
        Launching = "launching",
        /// The cloud has it.
        Working = "working",
        /// It has ended, or is not needed any more.
        Ended = "ended",
    }
}

/// What the end of an agent means for its attempt, with a sentence where it has not done its work; none while it works.
#[must_use]
pub fn ending(status: Status) -> Option<(Ending, &'static str)> {
    Some(match status {
        Status::Creating | Status::Running => return None,
        Status::Finished => (Ending::Completed, ""),
        Status::Error => (Ending::Failed(Reason::AgentFailed), "Cursor's agent failed."),
        Status::Expired => (Ending::Failed(Reason::Timeout), "Cursor ended its agent, which took too long (EXPIRED)."),
        Status::Cancelled => (Ending::Failed(Reason::Cancelled), "The agent was stopped at Cursor."),
    })
}

/// How a work order stands whose agent stands so.
#[must_use]
pub fn order_status(status: Status) -> OrderStatus {
    match status {
        Status::Creating | Status::Running => OrderStatus::Running,
        Status::Finished => OrderStatus::Completed,
        Status::Error | Status::Expired => OrderStatus::Failed,
        Status::Cancelled => OrderStatus::Cancelled,
    }
}

/// The branch for the work of a launch: its own, since a launch may be found by it.
#[must_use]
pub fn branch(ticket: TicketId, launch: Uuid) -> String {
    let launch = launch.simple().to_string();
    // The end of the id is random; its beginning is the time.
    format!("ticket-{ticket}-{}", &launch[launch.len() - 8..])
}

/// The number in a pull request's address.
#[must_use]
pub fn pull_number(url: &str) -> Option<i64> {
    let path = url.split(['?', '#']).next()?.trim_end_matches('/');
    path.rsplit('/').next()?.parse().ok().filter(|number| *number > 0)
}

/// The pause before the next look at an agent that has worked for so long: agents that take long are looked at less often.
#[must_use]
pub fn look_pause(look: Duration, age: Duration) -> Duration {
    let pauses = 1.0 + age.as_secs_f64() / (20.0 * look.as_secs_f64().max(0.001));
    look.mul_f64(pauses.min(MOST_PAUSES))
}

/// The pause after so many calls in turn that failed.
#[must_use]
pub fn retry_pause(tries: i32) -> Duration {
    let doublings = u32::try_from(tries.saturating_sub(1)).unwrap_or(0).min(10);
    Duration::from_secs(2).saturating_mul(1 << doublings).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_over_ends_an_attempt() {
        assert!(ending(Status::Creating).is_none() && ending(Status::Running).is_none());
        assert_eq!(ending(Status::Finished).unwrap().0, Ending::Completed);
        assert_eq!(ending(Status::Expired).unwrap().0, Ending::Failed(Reason::Timeout));
        assert_eq!(order_status(Status::Expired), OrderStatus::Failed);
    }

    #[test]
    fn a_pull_requests_number_is_at_the_end_of_its_address() {
        assert_eq!(pull_number("https://github.com/org/repo/pull/42"), Some(42));
        assert_eq!(pull_number("https://gitlab.com/o/r/-/merge_requests/7/?x=1"), Some(7));
        assert_eq!(pull_number("https://github.com/org/repo"), None);
    }

    #[test]
    fn pauses_grow_and_are_bounded() {
        let look = Duration::from_secs(30);
        assert_eq!(look_pause(look, Duration::ZERO), look);
        assert_eq!(look_pause(look, Duration::from_secs(86_400)), look * 10);
        assert_eq!((retry_pause(1), retry_pause(3)), (Duration::from_secs(2), Duration::from_secs(8)));
        assert_eq!(retry_pause(1_000), LONGEST_PAUSE);
    }

    #[test]
    fn each_launch_has_a_branch_of_its_own() {
        let ticket = TicketId::new();
        let one = branch(ticket, Uuid::now_v7());
        assert!(one.starts_with(&format!("ticket-{ticket}-")) && one != branch(ticket, Uuid::now_v7()));
    }
}
