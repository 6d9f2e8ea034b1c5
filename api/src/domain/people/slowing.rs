//! How failed sign-ins slow down those that follow, per account and per address.

use std::time::Duration;

/// Failures that cost an account nothing: people mistype.
const FREE_OF_ACCOUNT: u32 = 5;
/// Failures that cost an address nothing: a whole office may share one.
const FREE_OF_ADDRESS: u32 = 20;
/// The longest an account waits. Short, so that no one can keep another person out for long.
const MAX_OF_ACCOUNT: Duration = Duration::from_secs(60);
/// The longest an address waits.
const MAX_OF_ADDRESS: Duration = Duration::from_secs(900);
/// After this long without a failure, those before it are forgotten.
pub const FORGET_AFTER: Duration = Duration::from_secs(3_600);

/// What failures are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An account, who tries.
    Account,
    /// An address, whichever account is tried.
    Address,
}

/// How long the next sign-in has to wait after so many failures, the last of which was so long ago; zero: not at all.
#[must_use]
pub fn wait(subject: Subject, failures: u32, since_last: Duration) -> Duration {
    let (free, most) = match subject {
        Subject::Account => (FREE_OF_ACCOUNT, MAX_OF_ACCOUNT),
        Subject::Address => (FREE_OF_ADDRESS, MAX_OF_ADDRESS),
    };
    let Some(beyond) = failures.checked_sub(free) else { return Duration::ZERO };
    let whole = Duration::from_secs(2u64.saturating_pow(beyond.min(30))).min(most);
    whole.saturating_sub(since_last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_wait_up_to_a_limit() {
        let wait = |failures| wait(Subject::Account, failures, Duration::ZERO).as_secs();
        assert_eq!([0, 4, 5, 6, 7, 10, 11, 4_000_000_000].map(wait), [0, 0, 1, 2, 4, 32, 60, 60]);
    }

    #[test]
    fn waiting_counts_from_the_last_failure() {
        assert_eq!(wait(Subject::Account, 8, Duration::from_secs(3)), Duration::from_secs(5));
        assert_eq!(wait(Subject::Account, 8, Duration::from_secs(9)), Duration::ZERO);
        assert_eq!(wait(Subject::Address, 19, Duration::ZERO), Duration::ZERO);
        assert_eq!(wait(Subject::Address, 90, Duration::ZERO), Duration::from_secs(900));
    }
}
