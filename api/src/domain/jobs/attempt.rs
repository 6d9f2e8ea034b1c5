//! What is recorded about an ended attempt.

use crate::domain::words::words;
use terarchitect_worker_api::JobStatus;

words! {
    /// What became of the job when an attempt ended.
    pub enum AttemptOutcome "attempt outcome" {
        /// The job completed.
        Completed = "completed",
        /// The job failed.
        Failed = "failed",
        /// The job was cancelled.
        Cancelled = "cancelled",
        /// The job will be retried.
        Retried = "retried",
        /// The worker handed the job back without having started it.
        Released = "released",
        /// The job waits for a person, without an attempt.
        Held = "held",
    }
}

impl AttemptOutcome {
    /// The job's status after the attempt, as others see it: one that waits for a person is still running.
    #[must_use]
    pub const fn job_status(self) -> JobStatus {
        match self {
            Self::Completed => JobStatus::Completed,
            Self::Failed => JobStatus::Failed,
            Self::Cancelled => JobStatus::Cancelled,
            Self::Retried | Self::Released => JobStatus::Pending,
            Self::Held => JobStatus::Running,
        }
    }
}

words! {
    /// What the worker reported.
    pub enum Reported "reported outcome" {
        /// `complete`.
        Completed = "completed",
        /// `fail`.
        Failed = "failed",
        /// `release`.
        Released = "released",
        /// `hold`.
        Held = "held",
    }
}
