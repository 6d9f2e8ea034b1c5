//! Until when a job may run, on a clock that no change of the time moves: the seconds since this machine was started.
//!
//! A container carries its deadline as a label, so that the next coordinator knows it too. The label names the run of the
//! machine that the seconds belong to; in another one they mean nothing.

use crate::engine::{Found, State};
use crate::spec::LABEL_PREFIX;
use chrono::Utc;
use rustix::time::{ClockId, clock_gettime};
use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

/// Which run of the machine this is; the kernel makes one up at each start.
static BOOT: LazyLock<String> = LazyLock::new(|| {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map(|id| id.trim().to_owned()).unwrap_or_default()
});

/// A moment in a run of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    boot: String,
    second: u64,
}

impl Deadline {
    /// So long from now.
    #[must_use]
    pub fn after(timeout: Duration) -> Self {
        Self { boot: BOOT.clone(), second: (since_boot() + timeout).as_secs() }
    }

    fn parse(label: &str) -> Option<Self> {
        let (boot, second) = label.split_once('/')?;
        Some(Self { boot: boot.to_owned(), second: second.parse().ok()? })
    }

    /// How long it still is; none when it belongs to another run of the machine.
    fn left(&self) -> Option<Duration> {
        let same = !self.boot.is_empty() && self.boot == *BOOT;
        same.then(|| Duration::from_secs(self.second).saturating_sub(since_boot()))
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.boot, self.second)
    }
}

/// Goes on while the machine sleeps, unlike the clock of [`std::time::Instant`].
fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// How long a container that was found may still run; none where nothing bounds it.
#[must_use]
pub fn remaining(found: &Found) -> Option<Duration> {
    let label = |name: &str| found.labels.get(&format!("{LABEL_PREFIX}{name}"));
    if let Some(left) = label("deadline").and_then(|label| Deadline::parse(label)).and_then(|deadline| deadline.left())
    {
        return Some(left);
    }
    // An engine elsewhere runs on while the coordinator's machine is started anew: only its own clock is left.
    let timeout: u64 = label("timeout-sec")?.parse().ok()?;
    let State::Running { since: Some(since) } = found.state else { return None };
    let ran = (Utc::now() - since).to_std().unwrap_or_default();
    Some(Duration::from_secs(timeout).saturating_sub(ran))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(deadline: &Deadline, started_secs_ago: i64) -> Found {
        let labels = [("timeout-sec", "600".to_owned()), ("deadline", deadline.to_string())];
        Found {
            id: "c".to_owned(),
            labels: labels.into_iter().map(|(name, value)| (format!("{LABEL_PREFIX}{name}"), value)).collect(),
            state: State::Running { since: Some(Utc::now() - chrono::TimeDelta::seconds(started_secs_ago)) },
        }
    }

    #[test]
    fn a_change_of_the_time_moves_no_deadline() {
        let deadline = Deadline::after(Duration::from_secs(600));
        // The time was set an hour forward, or back, while the container ran.
        for started in [3600, -3600] {
            let left = remaining(&found(&deadline, started)).unwrap().as_secs();
            assert!((590..=600).contains(&left), "{left} s");
        }
        let over = Deadline { second: 0, ..deadline };
        assert_eq!(remaining(&found(&over, 0)), Some(Duration::ZERO));
    }

    #[test]
    fn after_another_start_of_the_machine_the_engine_s_clock_counts() {
        let other = Deadline { boot: "another".to_owned(), second: 1 };
        let left = remaining(&found(&other, 100)).unwrap().as_secs();
        assert!((495..=500).contains(&left), "{left} s");
    }
}
