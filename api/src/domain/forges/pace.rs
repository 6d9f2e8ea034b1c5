//! How often a forge is asked by itself: often where something happens, seldom where nothing does.

use std::time::Duration;

/// The longest pause between two questions for what has changed in a repository.
const LONGEST_SWEEP: Duration = Duration::from_secs(300);
/// After so many responses in turn without anything new, the pause doubles.
const QUIET_ROUNDS: u32 = 4;
/// While something is about to change: checks that run, or a forge that is still finding out.
const SOON: Duration = Duration::from_secs(30);
/// A pull request changes without a word when its checks or its base do.
const SELDOM: Duration = Duration::from_secs(900);
/// For how long after a change checks are expected to begin.
const EXPECT_CHECKS: Duration = Duration::from_secs(300);
/// For how long after a change running checks are watched closely.
const WATCH_CHECKS: Duration = Duration::from_secs(1_800);
const FIRST_RETRY: Duration = Duration::from_secs(15);

/// The pause before a repository's forge is asked for changes again, after so many responses without any.
#[must_use]
pub fn sweep_pause(interval: Duration, quiet: u32) -> Duration {
    let doublings = (quiet / QUIET_ROUNDS).min(16);
    interval.saturating_mul(1 << doublings).min(LONGEST_SWEEP.max(interval))
}

/// The pause before a forge that gave no response is asked again.
#[must_use]
pub fn retry_pause(failures: u32) -> Duration {
    FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(SELDOM)
}

/// What decides when an open pull request is read again.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// How many checks its head has.
    pub checks: usize,
    /// Whether one of them is not done.
    pub is_pending: bool,
    /// Whether the forge is still finding out if it can be merged.
    pub is_unknown: bool,
    /// How long ago anything in it changed.
    pub age: Duration,
}

/// The pause before an open pull request is read again, if nothing says so earlier.
#[must_use]
pub fn look_pause(now: &Standing) -> Duration {
    let is_new = now.age < EXPECT_CHECKS;
    if (now.is_pending && now.age < WATCH_CHECKS) || (is_new && (now.checks == 0 || now.is_unknown)) {
        return SOON;
    }
    if now.is_pending { LONGEST_SWEEP } else { SELDOM }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_repository_is_asked_less_and_less_but_never_seldom() {
        let pause = |quiet| sweep_pause(Duration::from_secs(30), quiet).as_secs();
        assert_eq!([pause(0), pause(3), pause(4), pause(8), pause(12), pause(16)], [30, 30, 60, 120, 240, 300]);
        assert_eq!(pause(u32::MAX), 300);
        assert_eq!(sweep_pause(Duration::from_secs(600), 50).as_secs(), 600);
    }

    #[test]
    fn a_forge_that_does_not_respond_is_left_alone_for_longer_and_longer() {
        let pause = |failures| retry_pause(failures).as_secs();
        assert_eq!([pause(0), pause(1), pause(2), pause(7), pause(u32::MAX)], [15, 15, 30, 900, 900]);
    }

    #[test]
    fn a_pull_request_is_watched_while_its_checks_run() {
        let pause = |checks, is_pending, is_unknown, age| {
            look_pause(&Standing { checks, is_pending, is_unknown, age: Duration::from_secs(age) }).as_secs()
        };
        assert_eq!(pause(2, true, false, 60), 30);
        assert_eq!(pause(2, true, false, 7_200), 300);
        assert_eq!((pause(0, false, false, 10), pause(0, false, false, 600)), (30, 900));
        assert_eq!((pause(1, false, true, 10), pause(1, false, true, 600)), (30, 900));
        assert_eq!(pause(1, false, false, 10), 900);
    }
}
