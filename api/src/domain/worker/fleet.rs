//! Hosts: which of them are lost, and which problems keep one from claiming.

use crate::domain::tickets::state::Host;
use serde_json::Value;

/// A coordinator that has sent no heartbeat for this long is lost, in milliseconds. Heartbeats come every fifteen seconds
/// and are stored every ten.
const LOST_AFTER_MS: i64 = 60_000;
/// The checks of a coordinator that keep it from starting jobs when they fail.
const DECISIVE_CHECKS: &[&str] = &["engine", "disk", "image"];

/// A coordinator with how long ago its last heartbeat was.
#[derive(Clone, Debug)]
pub struct HostRow {
    /// The coordinator.
    pub host: Host,
    /// In milliseconds.
    pub seen_ms_ago: i64,
}

/// Whether a coordinator whose last heartbeat was this long ago is lost.
#[must_use]
pub const fn is_lost(seen_ms_ago: i64) -> bool {
    seen_ms_ago > LOST_AFTER_MS
}

/// What keeps a coordinator from starting jobs, according to what its own checks found.
#[must_use]
pub fn host_problem(findings: &Value) -> Option<String> {
    let found = findings.as_array()?.iter().find(|finding| {
        finding["ok"] == false && finding["check"].as_str().is_some_and(|check| DECISIVE_CHECKS.contains(&check))
    })?;
    found["sentence"].as_str().map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_keeps_jobs_from_starting_is_a_problem() {
        let findings = json!([
            {"check": "clock", "ok": false, "sentence": "differs"},
            {"check": "disk", "ok": true, "sentence": "much room"},
            {"check": "engine", "ok": false, "sentence": "does not respond"},
        ]);
        assert_eq!(host_problem(&findings), Some("does not respond".to_owned()));
        assert_eq!(host_problem(&json!([{"check": "clock", "ok": false, "sentence": "differs"}])), None);
        assert_eq!(host_problem(&json!("nonsense")), None);
        assert!(is_lost(60_001) && !is_lost(30_000));
    }
}
