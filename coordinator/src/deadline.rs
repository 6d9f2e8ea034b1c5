//! A job's deadline, in seconds since this machine was booted: changing the system time does not move that clock.
//!
//! A container carries its deadline as a label, so that the next coordinator knows it too. The label also names the
//! boot that the seconds are counted from; after another boot they mean nothing.

use rustix::time::{ClockId, clock_gettime};
use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

/// The id of this boot, which the kernel picks.
static BOOT: LazyLock<String> = LazyLock::new(|| {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map(|id| id.trim().to_owned()).unwrap_or_default()
});

/// A moment after a boot of this machine.
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

/// This clock keeps running while the machine sleeps, unlike that of [`std::time::Instant`].
fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

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
