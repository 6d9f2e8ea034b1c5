//! The limit of open files, for the runner and all that it starts.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More is not of use, and old programs that close every possible file would take minutes for it.
const MOST: u64 = 524_288;

/// Raises the soft limit to the hard one, which the engine or the machine decides. Build tools that watch or open
/// thousands of files fail with the usual soft limit of 1024.
pub fn raise_limit() {
    let now = getrlimit(Resource::Nofile);
    let Some(wanted) = raised(&now) else { return };
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: now.maximum }) {
        tracing::warn!(%error, wanted, "could not raise the limit of open files");
    }
}

/// The new soft limit, where it should be raised. None as a limit means no limit.
fn raised(now: &Rlimit) -> Option<u64> {
    let wanted = now.maximum.map_or(MOST, |hard| hard.min(MOST));
    now.current.filter(|&soft| soft < wanted).map(|_| wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_raised_as_far_as_allowed_and_never_lowered() {
        let raised = |current, maximum| raised(&Rlimit { current, maximum });
        assert_eq!(raised(Some(1024), Some(4096)), Some(4096));
        assert_eq!(raised(Some(1024), None), Some(MOST));
        assert_eq!(raised(Some(1024), Some(1 << 30)), Some(MOST));
        assert_eq!(raised(Some(4096), Some(4096)), None);
        assert_eq!(raised(Some(1 << 20), Some(1 << 20)), None);
        assert_eq!(raised(None, None), None);
    }
}
