//! Time since this machine was booted: changing the system time does not move that clock, and it keeps running while the
//! machine sleeps. Leases and deadlines count by it, since the API and an engine elsewhere do not sleep.
//!
//! A container carries its deadline as a label, so that the next coordinator knows it too. The label also names the
//! boot that the seconds are counted from; after another boot they mean nothing.

use rustix::time::{ClockId, clock_gettime};
use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

/// How long a wait may go on without a look at the clock.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The id of this boot, which the kernel picks.
static BOOT: LazyLock<String> = LazyLock::new(|| {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map(|id| id.trim().to_owned()).unwrap_or_default()
});

/// A moment of this boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// This moment.
    #[must_use]
    pub fn now() -> Self {
        Self(since_boot())
    }

    /// The moment that is this long from now.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        Self::now() + time
    }

    /// How long ago it was; zero while it is to come.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        since_boot().saturating_sub(self.0)
    }

    /// Waits until then. A machine that slept meanwhile notices within seconds of waking up.
    pub async fn reached(self) {
        loop {
            let left = self.0.saturating_sub(since_boot());
            if left.is_zero() {
                return;
            }
            // The timers of the runtime stand still while the machine sleeps.
            tokio::time::sleep(left.min(LOOK_AGAIN)).await;
        }
    }
}

impl std::ops::Add<Duration> for Moment {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time))
    }
}

#[cfg(test)]
impl std::ops::Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(time))
    }
}

/// A job's deadline: a moment after a boot of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    boot: String,
    second: u64,
}

impl Deadline {
    /// The moment that is this long from now.
    #[must_use]
    pub fn after(timeout: Duration) -> Self {
        Self { boot: BOOT.clone(), second: (since_boot() + timeout).as_secs() }
    }

    /// Reads a deadline from a label.
    #[must_use]
    pub fn parse(label: &str) -> Option<Self> {
        let (boot, second) = label.split_once('/')?;
        Some(Self { boot: boot.to_owned(), second: second.parse().ok()? })
    }

    /// How much time is left; none when it belongs to another boot.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        let same = !self.boot.is_empty() && self.boot == *BOOT;
        same.then(|| Duration::from_secs(self.second).saturating_sub(since_boot()))
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.boot, self.second)
    }
}

/// Unlike the clock of [`std::time::Instant`], this one does not stop while the machine sleeps.
fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_moment_is_reached_when_it_is_there() {
        let moment = Moment::after(Duration::from_millis(50));
        moment.reached().await;
        assert!(moment <= Moment::now() && moment.elapsed() < Duration::from_secs(10));
        // At once: it has passed already.
        moment.reached().await;
    }

    #[test]
    fn it_is_read_as_it_is_written_and_belongs_to_this_boot() {
        let deadline = Deadline::after(Duration::from_secs(600));
        assert_eq!(Deadline::parse(&deadline.to_string()), Some(deadline.clone()));
        let left = deadline.left().unwrap().as_secs();
        assert!((590..=600).contains(&left), "{left} s");
        assert_eq!(Deadline { second: 0, ..deadline.clone() }.left(), Some(Duration::ZERO));
        assert_eq!(Deadline { boot: "another".to_owned(), ..deadline }.left(), None);
    }
}
