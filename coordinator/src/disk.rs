//! Whether there is room for another container. A full disk breaks the engine for everything on the machine, so nothing
//! is claimed before that; what runs goes on, and reporting needs hardly any space.

use crate::job::Shared;
use std::path::{Path, PathBuf};
use std::time::Duration;
use terarchitect_outbound::chain;
use tokio::time::Instant;

/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

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

/// Looks at the engine's disk now and then.
#[derive(Debug, Default)]
pub struct DiskWatch {
    root: Option<Option<PathBuf>>,
    looked: Option<Instant>,
    short: bool,
}

impl DiskWatch {
    /// Whether claims should pause. Says so in the log when that changes.
    pub async fn is_short(&mut self, shared: &Shared) -> bool {
        let min_mib = shared.config.min_free_mb;
        if min_mib == 0 || self.looked.is_some_and(|at| at.elapsed() < LOOK_AGAIN) {
            return self.short;
        }
        self.looked = Some(Instant::now());
        let root = match &self.root {
            Some(root) => root.clone(),
            None => match shared.engine.root_dir().await {
                Ok(root) => self.root.insert(root).clone(),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "could not ask the engine for its folder");
                    return self.short;
                }
            },
        };
        let free = root.as_deref().and_then(free_at);
        let short = is_short(free, min_mib, self.short);
        if short != self.short {
            let free_mib = free.map(|free| free.mib);
            if short {
                tracing::error!(free_mib, min_mib, folder = ?root, "the engine's disk is short of space: claiming nothing until there is more; remove images and containers that nobody needs (docker system df), or lower COORDINATOR_MIN_FREE_MB");
            } else {
                tracing::info!(free_mib, "there is space again; claiming");
            }
        }
        self.short = short;
        shared.metrics.disk_short(short);
        short
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
