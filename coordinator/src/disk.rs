//! Whether the engine's disk has room for another container. A full disk breaks the engine for everything on the
//! machine, so claims stop before that. Running jobs continue, and reports need hardly any space.

use crate::job::Shared;
use std::path::{Path, PathBuf};
use std::time::Duration;
use terarchitect_outbound::chain;
use tokio::time::Instant;

/// Claim nothing where fewer files than this can be created: a project's dependencies alone can be more. A disk can have
/// space left and no file.
const MIN_FILES: u64 = 20_000;
/// How often to check.
const CHECK_AGAIN: Duration = Duration::from_secs(10);

/// The free space of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Free {
    /// In MiB.
    pub mib: u64,
    /// How many files can still be created; none where the file system has no limit.
    pub files: Option<u64>,
}

/// The free space at a path of this machine; none where it can't be read, as with an engine on another machine.
#[must_use]
pub fn free_at(path: &Path) -> Option<Free> {
    let stat = rustix::fs::statvfs(path).ok()?;
    // The space that is left for users other than root.
    let mib = stat.f_bavail.saturating_mul(stat.f_frsize) / (1024 * 1024);
    Some(Free { mib, files: (stat.f_files > 0).then_some(stat.f_favail) })
}

/// How many bytes are free at a path of this machine for users other than root, and how large its disk is.
#[must_use]
pub fn space_at(path: &Path) -> Option<(u64, u64)> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some((stat.f_bavail.saturating_mul(stat.f_frsize), stat.f_blocks.saturating_mul(stat.f_frsize)))
}

/// Whether claims should pause. Between the two thresholds the last decision stands, so that claims do not start and
/// stop all the time on a disk that is nearly full.
#[must_use]
pub fn is_short(free: Option<Free>, min_mib: u64, was_short: bool) -> bool {
    match free {
        None => false,
        Some(Free { mib, files }) => {
            let (more_mib, more_files) = if was_short { (min_mib / 4, MIN_FILES / 4) } else { (0, 0) };
            mib < min_mib + more_mib || files.is_some_and(|files| files < MIN_FILES + more_files)
        }
    }
}

/// Checks the engine's disk periodically.
#[derive(Debug, Default)]
pub struct DiskWatch {
    root: Option<Option<PathBuf>>,
    checked: Option<Instant>,
    short: bool,
}

impl DiskWatch {
    /// Whether claims should pause. Logs when that changes.
    pub async fn is_short(&mut self, shared: &Shared) -> bool {
        let min_mib = shared.config.min_free_mb;
        if min_mib == 0 || self.checked.is_some_and(|at| at.elapsed() < CHECK_AGAIN) {
            return self.short;
        }
        self.checked = Some(Instant::now());
        let root = match &self.root {
            Some(root) => root.clone(),
            None => match shared.engine.root_dir().await {
                Ok(root) => self.root.insert(root).clone(),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "could not get the engine's data folder; jobs are claimed without a check of its free space");
                    return self.short;
                }
            },
        };
        let free = root.as_deref().and_then(free_at);
        let short = is_short(free, min_mib, self.short);
        if short != self.short {
            let (free_mib, free_files) = (free.map(|free| free.mib), free.and_then(|free| free.files));
            if short {
                tracing::error!(free_mib, min_mib, free_files, min_files = MIN_FILES, folder = ?root, "the engine's disk is nearly full, so no jobs are claimed; remove unused images and containers (docker system df shows them), or lower COORDINATOR_MIN_FREE_MB (0 disables the check)");
            } else {
                tracing::info!(free_mib, "the engine's disk has enough free space again; claiming jobs");
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
        let free = |mib| Some(Free { mib, files: None });
        assert!(!is_short(None, 1000, true), "an unknown free space stops nothing");
        assert!(is_short(free(999), 1000, false));
        assert!(is_short(free(1100), 1000, true));
        assert!(!is_short(free(1100), 1000, false));
        assert!(!is_short(free(1250), 1000, true));
        let files = |files| Some(Free { mib: 9000, files: Some(files) });
        assert!(is_short(files(MIN_FILES - 1), 1000, false) && is_short(files(MIN_FILES), 1000, true));
        assert!(!is_short(files(MIN_FILES), 1000, false), "as many as are needed");
        assert!(space_at(Path::new("/")).is_some_and(|(free, total)| free <= total && total > 0));
        assert!(free_at(Path::new("/")).is_some() && free_at(Path::new("/no/such/path")).is_none());
    }
}
