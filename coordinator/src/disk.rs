//! Whether there is room for another container. A full disk breaks the engine for everything on the machine, so nothing
//! is claimed before that; what runs goes on, and reporting needs hardly any space.

use std::path::Path;

/// What is known of the engine's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Free {
    /// In MiB.
    pub mib: u64,
}

/// The free space at a path of this machine; none where it can't be seen, as with an engine on another machine.
#[must_use]
pub fn free_at(path: &Path) -> Option<Free> {
    let stat = rustix::fs::statvfs(path).ok()?;
    // What a user that is not root may still take.
    Some(Free { mib: stat.f_bavail.saturating_mul(stat.f_frsize) / (1024 * 1024) })
}

/// Whether claims should pause. Between the two thresholds the last decision stands, so that a disk at the edge does not
/// make claims start and stop all the time.
#[must_use]
pub fn is_short(free: Option<Free>, min_mib: u64, was_short: bool) -> bool {
    match free {
        None => false,
        Some(Free { mib }) if mib < min_mib => true,
        Some(Free { mib }) => was_short && mib < min_mib + min_mib / 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_pause_below_the_threshold_and_go_on_with_some_room() {
        let free = |mib| Some(Free { mib });
        assert!(!is_short(None, 1000, true), "what can't be seen does not stop anything");
        assert!(is_short(free(999), 1000, false));
        assert!(is_short(free(1100), 1000, true));
        assert!(!is_short(free(1100), 1000, false));
        assert!(!is_short(free(1250), 1000, true));
        assert!(free_at(Path::new("/")).is_some() && free_at(Path::new("/no/such/path")).is_none());
    }
}
