//! What moving a ticket between columns does to its job.

use crate::domain::projects::board::{IN_PROGRESS, IN_REVIEW};

/// What is known of the ticket's live job when the ticket moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveJob {
    /// Waits for a worker.
    Pending,
    /// Runs, without a stop request.
    Running,
    /// Runs, with a stop request.
    Stopping,
}

/// What a change of a ticket means for its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobEffect {
    /// Nothing.
    None,
    /// Put a job into the queue.
    Enqueue,
    /// The job that is being stopped must end first; then put a new one into the queue.
    EnqueueAfterStop,
    /// Cancel a pending job, request that a running one stops.
    Cancel,
}

/// Decides what moving a ticket from one column to another does to its job.
///
/// A move into In Progress enqueues. Setting In Progress again on a ticket that is there but has no live job, because
/// it failed or was cancelled, enqueues as well: this is how a person retries it.
#[must_use]
pub fn effect_of_move(from: &str, to: &str, live: Option<LiveJob>) -> JobEffect {
    if to == IN_PROGRESS {
        return match live {
            None => JobEffect::Enqueue,
            // The attempt has delivered its work, and only its end has not been reported yet.
            Some(LiveJob::Running) if from == IN_REVIEW => JobEffect::EnqueueAfterStop,
            Some(LiveJob::Stopping) => JobEffect::EnqueueAfterStop,
            Some(LiveJob::Pending | LiveJob::Running) => JobEffect::None,
        };
    }
    if from == IN_PROGRESS && live.is_some() {
        return JobEffect::Cancel;
    }
    JobEffect::None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::projects::board::{BACKLOG, DONE};

    #[test]
    fn a_move_into_in_progress_makes_one_live_job() {
        assert_eq!(effect_of_move(BACKLOG, IN_PROGRESS, None), JobEffect::Enqueue);
        assert_eq!(effect_of_move(BACKLOG, IN_PROGRESS, Some(LiveJob::Pending)), JobEffect::None);
        assert_eq!(effect_of_move(BACKLOG, IN_PROGRESS, Some(LiveJob::Running)), JobEffect::None);
        assert_eq!(effect_of_move(BACKLOG, IN_PROGRESS, Some(LiveJob::Stopping)), JobEffect::EnqueueAfterStop);
        assert_eq!(effect_of_move(IN_PROGRESS, IN_PROGRESS, None), JobEffect::Enqueue);
        assert_eq!(effect_of_move(IN_REVIEW, IN_PROGRESS, Some(LiveJob::Running)), JobEffect::EnqueueAfterStop);
    }

    #[test]
    fn a_move_out_of_in_progress_cancels_what_lives() {
        for live in [LiveJob::Pending, LiveJob::Running, LiveJob::Stopping] {
            assert_eq!(effect_of_move(IN_PROGRESS, DONE, Some(live)), JobEffect::Cancel);
        }
        assert_eq!(effect_of_move(IN_PROGRESS, DONE, None), JobEffect::None);
        assert_eq!(effect_of_move(BACKLOG, DONE, None), JobEffect::None);
    }
}
