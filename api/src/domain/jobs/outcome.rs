//! How an attempt's end turns into the job's: completed, failed, cancelled, retried, or handed back.

use std::time::Duration;
use terarchitect_worker_api::{JobStatus, Reason};

/// How many times an infrastructure failure is retried before it counts as the job's failure.
pub const MAX_INFRASTRUCTURE_FAILURES: i32 = 5;
/// The longest wait before the first retry.
const FIRST_WAIT: Duration = Duration::from_secs(10);
/// The longest wait before any retry.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// How an attempt ended, as its worker or the queue itself reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It did what it was asked to do.
    Completed,
    /// It did not, for this reason.
    Failed(Reason),
    /// The worker hands the job back without having started it.
    Released,
    /// Its work is pushed, and it goes on in another attempt once a person has decided.
    Held,
}

/// What decides about a retry.
#[derive(Clone, Copy, Debug, Default)]
pub struct History {
    /// Whether a person requested that the job stops.
    pub cancel_requested: bool,
    /// Failures of the infrastructure so far that were retried.
    pub infrastructure_failures: i32,
    /// Failures of the agent so far that were retried.
    pub agent_failures: i32,
    /// How many times the project retries a failure of the agent.
    pub retry_agent_failures: i32,
}

/// What becomes of the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The job is over.
    Final(JobStatus, Reason),
    /// It waits for a retry, for this reason.
    Retry {
        /// How long it waits.
        after: Duration,
        /// Why the attempt failed.
        reason: Reason,
    },
    /// It waits again as if it had not been claimed.
    HandBack,
    /// It waits for a person.
    Hold,
}

/// Failures of the infrastructure and not of the agent: a retry may help and costs no money.
const INFRASTRUCTURE: [Reason; 7] = [
    Reason::ImageUnavailable,
    Reason::ContainerLost,
    Reason::EngineError,
    Reason::EngineRestart,
    Reason::LeaseLost,
    Reason::DiskFull,
    Reason::TryAgain,
];

/// Whether a failure with this reason, in the database's words, is the infrastructure's.
#[must_use]
pub fn is_infrastructure(reason: &str) -> bool {
    INFRASTRUCTURE.iter().any(|known| known.as_str() == reason)
}

/// Decides what becomes of a job whose attempt has ended. `jitter` is a random number from 0 to 1.
#[must_use]
pub fn decide(ending: Ending, history: History, jitter: f64) -> Outcome {
    let reason = match ending {
        // Work that is done is done, even if its cancellation was requested at the last moment.
        Ending::Completed => return Outcome::Final(JobStatus::Completed, Reason::Completed),
        Ending::Failed(_) | Ending::Released | Ending::Held if history.cancel_requested => Reason::Cancelled,
        Ending::Released => return Outcome::HandBack,
        Ending::Held => return Outcome::Hold,
        Ending::Failed(reason) => reason,
    };
    if reason == Reason::Cancelled {
        return Outcome::Final(JobStatus::Cancelled, reason);
    }
    // A retry fixes no misconfiguration and changes no person's mind, whatever the project allows.
    let (spent, allowed) = match &reason {
        Reason::AgentMisconfigured | Reason::CheckpointRejected | Reason::CheckpointExpired => (0, 0),
        reason if is_infrastructure(reason.as_str()) => (history.infrastructure_failures, MAX_INFRASTRUCTURE_FAILURES),
        _ => (history.agent_failures, history.retry_agent_failures),
    };
    if spent >= allowed {
        return Outcome::Final(JobStatus::Failed, reason);
    }
    Outcome::Retry { after: wait(spent, jitter), reason }
}

/// Exponential backoff with full jitter: a random time up to 10 s, 20 s, 40 s …, never more than an hour. Full jitter
/// spreads the retries of many jobs that failed together.
fn wait(failures: i32, jitter: f64) -> Duration {
    let doublings = u32::try_from(failures).unwrap_or(0).min(16);
    FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT).mul_f64(jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(failures: i32, ending: Ending) -> Outcome {
        decide(ending, History { infrastructure_failures: failures, ..History::default() }, 1.0)
    }

    #[test]
    fn infrastructure_failures_are_tried_again_up_to_a_limit() {
        let lost = || Ending::Failed(Reason::LeaseLost);
        let secs = |n| Outcome::Retry { after: Duration::from_secs(n), reason: Reason::LeaseLost };
        assert_eq!(after(0, lost()), secs(10));
        assert_eq!(after(4, lost()), secs(160));
        assert_eq!(after(5, lost()), Outcome::Final(JobStatus::Failed, Reason::LeaseLost));
        assert_eq!(wait(30, 1.0), LONGEST_WAIT);
        assert_eq!(wait(3, 0.0), Duration::ZERO);
    }

    #[test]
    fn agent_failures_are_final_unless_the_project_says_otherwise() {
        for reason in [Reason::AgentFailed, Reason::Timeout, Reason::Oom, Reason::Other("x".into())] {
            assert_eq!(after(0, Ending::Failed(reason.clone())), Outcome::Final(JobStatus::Failed, reason.clone()));
            let history = History { retry_agent_failures: 1, ..History::default() };
            assert!(matches!(decide(Ending::Failed(reason), history, 0.5), Outcome::Retry { .. }));
        }
        let history = History { retry_agent_failures: 9, ..History::default() };
        for reason in [Reason::AgentMisconfigured, Reason::CheckpointRejected, Reason::CheckpointExpired] {
            let decided = decide(Ending::Failed(reason), history, 0.5);
            assert!(matches!(decided, Outcome::Final(JobStatus::Failed, _)), "{decided:?}");
        }
    }

    #[test]
    fn each_kind_of_failure_has_tries_of_its_own() {
        let history =
            History { infrastructure_failures: 5, agent_failures: 0, retry_agent_failures: 1, ..History::default() };
        assert!(matches!(decide(Ending::Failed(Reason::AgentFailed), history, 0.5), Outcome::Retry { .. }));
        let history =
            History { infrastructure_failures: 0, agent_failures: 9, retry_agent_failures: 9, ..History::default() };
        assert!(matches!(decide(Ending::Failed(Reason::LeaseLost), history, 0.5), Outcome::Retry { .. }));
        assert!(matches!(
            decide(Ending::Failed(Reason::AgentFailed), history, 0.5),
            Outcome::Final(JobStatus::Failed, _)
        ));
    }

    #[test]
    fn a_cancelled_job_is_never_tried_again_but_done_is_done() {
        let cancelled = History { cancel_requested: true, ..History::default() };
        let is = Outcome::Final(JobStatus::Cancelled, Reason::Cancelled);
        assert_eq!(decide(Ending::Failed(Reason::LeaseLost), cancelled, 0.5), is);
        assert_eq!(decide(Ending::Released, cancelled, 0.5), is);
        assert_eq!(after(0, Ending::Failed(Reason::Cancelled)), is);
        let done = Outcome::Final(JobStatus::Completed, Reason::Completed);
        assert_eq!(decide(Ending::Completed, cancelled, 0.5), done);
        assert_eq!(after(3, Ending::Released), Outcome::HandBack);
        assert_eq!(decide(Ending::Held, cancelled, 0.5), is);
        assert_eq!(after(3, Ending::Held), Outcome::Hold);
    }
}
