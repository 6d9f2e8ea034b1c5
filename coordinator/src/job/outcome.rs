//! What a container's end means for its job, as pure functions.

use crate::attempt::Verdict;
use crate::engine::Exited;
use terarchitect_worker_api::{JobReport, Reason};

/// Why the coordinator itself stopped a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoppedFor {
    /// A person cancelled the job, or the coordinator shuts down and cancels its jobs.
    Cancel,
    /// The job took too long.
    Timeout,
    /// The API could not be reached for longer than the lease: another coordinator may hold the job by now.
    LeaseOver,
}

impl StoppedFor {
    /// The reason to report.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Cancel => Reason::Cancelled,
            Self::Timeout => Reason::Timeout,
            Self::LeaseOver => Reason::LeaseLost,
        }
    }

    /// A sentence about it, where the reason alone does not say enough.
    #[must_use]
    pub const fn detail(self) -> Option<&'static str> {
        match self {
            Self::Cancel => None,
            Self::Timeout => Some("the job took longer than its timeout"),
            Self::LeaseOver => {
                Some("the API could not be reached for longer than the lease, so another coordinator may hold the job")
            }
        }
    }
}

/// The engine only knows of a lack of memory within a container's own limit.
const KILLED: &str = "the container was killed, and not by the coordinator: by the engine, by a person, or by the kernel, which \
     kills when the machine has no memory left (journalctl -k shows that). If it did, lower MAX_CONCURRENT_AGENTS or AGENT_MEMORY_MB";

/// What an exit says that is not the runner's own: it was never run.
fn not_run(code: i32, error: Option<&str>) -> String {
    let why = match code {
        126 => "its program can't be executed",
        127 => "its program was not found",
        _ => "the engine could not run it",
    };
    let said = error.map(|error| format!(": {error}")).unwrap_or_default();
    format!(
        "the runner did not start, since {why} (exit code {code}){said}; check the image's entrypoint, or build or pull the \
         image again. For a local project, check AGENT_RUNNER_BIN"
    )
}

/// The report of a job that could not be run.
#[must_use]
pub fn could_not_run(attempt: Option<i32>, reason: Reason, detail: String) -> Verdict {
    let report = JobReport { attempt, reason: Some(reason), detail: Some(detail), ..JobReport::default() };
    Verdict { success: false, report }
}

/// Turns an exit into a report.
#[must_use]
pub fn verdict(attempt: Option<i32>, exited: &Exited, stopped_for: Option<StoppedFor>, log_tail: String) -> Verdict {
    let code = exited.code;
    let (success, reason, detail) = match (code, stopped_for) {
        (0, _) => (true, Reason::Completed, None),
        (_, Some(why)) => (false, why.reason(), why.detail().map(str::to_owned)),
        (130, None) => (false, Reason::Cancelled, None),
        (137, None) if exited.oom_killed => {
            (false, Reason::Oom, Some("the container reached its memory limit".to_owned()))
        }
        (2, None) => (false, Reason::AgentMisconfigured, None),
        (75, None) => (false, Reason::TryAgain, None),
        // The runner has handed its job over: this report changes nothing.
        (76, None) => (false, Reason::Held, None),
        // The coordinator did not send this signal: the engine ended, or a person stopped the container. After a loss
        // of power the engine reports 255 for what was running.
        (137, None) => (false, Reason::EngineRestart, Some(KILLED.to_owned())),
        (143 | 255, None) => (
            false,
            Reason::EngineRestart,
            Some("the container was stopped by the engine or by a person, not by the coordinator".to_owned()),
        ),
        (125..=127, None) => (false, Reason::EngineError, Some(not_run(code, exited.error.as_deref()))),
        _ => (false, Reason::AgentFailed, None),
    };
    let report = JobReport {
        attempt,
        worker_id: None,
        exit_code: Some(code),
        reason: Some(reason),
        detail,
        oom_killed: Some(exited.oom_killed),
        log_tail: Some(log_tail),
    };
    Verdict { success, report }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(code: i32, oom_killed: bool, stopped_for: Option<StoppedFor>) -> Reason {
        let exited = Exited { code, oom_killed, error: None };
        let verdict = verdict(Some(1), &exited, stopped_for, String::new());
        assert_eq!(verdict.success, code == 0);
        verdict.report.reason.unwrap()
    }

    #[test]
    fn exit_codes_mean_what_the_runner_documents() {
        assert_eq!(reason(0, true, None), Reason::Completed, "a killed child process alone is not a failure");
        assert_eq!(reason(0, false, Some(StoppedFor::Cancel)), Reason::Completed);
        assert_eq!(reason(1, false, None), Reason::AgentFailed);
        assert_eq!(reason(2, false, None), Reason::AgentMisconfigured);
        assert_eq!(reason(75, false, None), Reason::TryAgain);
        assert_eq!(reason(76, false, None), Reason::Held);
        assert_eq!(reason(130, false, None), Reason::Cancelled);
        assert_eq!(reason(137, true, None), Reason::Oom);
        for code in [137, 143, 255] {
            assert_eq!(reason(code, false, None), Reason::EngineRestart);
        }
        assert_eq!(reason(137, false, Some(StoppedFor::Cancel)), Reason::Cancelled);
        assert_eq!(reason(137, false, Some(StoppedFor::Timeout)), Reason::Timeout);
        assert_eq!(reason(137, false, Some(StoppedFor::LeaseOver)), Reason::LeaseLost);
        assert_eq!(reason(127, false, None), Reason::EngineError);
    }
}
