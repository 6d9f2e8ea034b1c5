//! Claiming: while there are free slots and a container could be started, ask the API for jobs.

use super::drain::drain_requested;
use super::{Coordinator, log_panic};
use crate::attempt::Attempt;
use crate::claims::{Claimed, claim, wait_ms};
use crate::cli::DrainMode;
use crate::deadline::Moment;
use crate::job::spec::container_spec;
use crate::job::{Claim, Origin};
use crate::readiness::Readiness;
use anyhow::Context;
use std::time::Duration;
use terarchitect_outbound::{Retriable, Retry, Waits, chain};
use terarchitect_worker_api::Job;
use terarchitect_worker_api::client::ClientError;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use uuid::Uuid;

/// How often to search for containers that no task supervises.
const REAP_INTERVAL: Duration = Duration::from_secs(60);
/// How often to check again whether this coordinator can claim.
const CHECK_AGAIN: Duration = Duration::from_secs(10);
/// Between two claims with `run-once`, where the API does not hold claims.
const ONCE_PAUSE: Duration = Duration::from_millis(500);

impl Coordinator {
    pub(super) async fn claim_until_drained(&mut self, mut drain: watch::Receiver<Option<DrainMode>>) {
        let mut waits = Waits::new(Retry::Forever);
        let mut reap = tokio::time::interval_at(Instant::now() + REAP_INTERVAL, REAP_INTERVAL);
        reap.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut readiness = Readiness::default();
        let mut request = None;
        loop {
            while let Some(ended) = self.jobs.try_join_next() {
                log_panic(ended);
            }
            self.shared.metrics.holds(self.lock().len(), self.slots());
            let (heartbeats, claims) =
                self.instructions.borrow().map_or((false, true), |instructions| (true, instructions.claims));
            let waits_for_room = self.lock().len() >= self.slots() || !claims;
            let ready = tokio::select! {
                ready = readiness.may_claim(&self.shared), if !waits_for_room => ready,
                () = drain_requested(&mut drain), if !waits_for_room => return,
                else => false,
            };
            if !ready {
                let mut instructions = self.instructions.clone();
                instructions.mark_unchanged();
                tokio::select! {
                    () = drain_requested(&mut drain) => return,
                    Some(ended) = self.jobs.join_next() => log_panic(ended),
                    Ok(()) = instructions.changed() => {}
                    _ = reap.tick() => self.reap().await,
                    () = tokio::time::sleep(CHECK_AGAIN), if !waits_for_room => {}
                }
                continue;
            }
            let Some(id) = self.next_request(&mut request) else {
                tokio::select! {
                    () = tokio::time::sleep(CHECK_AGAIN) => continue,
                    () = drain_requested(&mut drain) => return,
                }
            };
            let shared = self.shared.clone();
            let hold = wait_ms(self.instructions.borrow().map(|instructions| instructions.lease));
            let claiming = claim(&shared.client, &shared.config, shared.state.coordinator(), heartbeats, id, hold);
            // The API may have returned a job for a claim that is abandoned here. The next start repeats the claim
            // with the same request id and gets that job; without a next start, the job's lease expires.
            let claimed = tokio::select! {
                claimed = claiming => claimed,
                () = drain_requested(&mut drain) => return,
                _ = reap.tick() => {
                    self.reap().await;
                    continue;
                }
            };
            let Some(pause) = self.after_claim(claimed, id, &mut waits, &mut request) else { continue };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = drain_requested(&mut drain) => return,
            }
        }
    }

    /// Handles the result of a claim. Returns how long to pause before the next claim; none where it may follow at once.
    fn after_claim(
        &mut self,
        claimed: Result<Claimed, ClientError>,
        id: Uuid,
        waits: &mut Waits,
        request: &mut Option<Uuid>,
    ) -> Option<Duration> {
        let shared = self.shared.clone();
        match claimed {
            Ok(Claimed::Job(job, asked)) => {
                shared.metrics.claimed("job");
                self.take(&job, asked, id);
                (*waits, *request) = (Waits::new(Retry::Forever), None);
                None
            }
            Ok(Claimed::NoneHeld) => {
                shared.metrics.claimed("none");
                None
            }
            Ok(Claimed::None) => {
                shared.metrics.claimed("none");
                Some(shared.config.poll_interval)
            }
            Err(error) if error.may_pass() => {
                shared.metrics.claimed("error");
                tracing::warn!(error = error.chain(), "could not claim a job; retrying");
                Some(waits.next_wait().unwrap_or(shared.config.poll_interval))
            }
            Err(error) => {
                shared.metrics.claimed("error");
                tracing::error!(
                    error = error.chain(),
                    "the API refuses claims; check TERARCHITECT_API_URL and TERARCHITECT_WORKER_API_KEY"
                );
                Some(shared.config.poll_interval)
            }
        }
    }

    /// Claims one job, or none when there is no work within `wait`. Time in which no container could be started counts.
    ///
    /// # Errors
    /// When the API refuses claims.
    pub(super) async fn claim_once(
        &mut self,
        mut drain: watch::Receiver<Option<DrainMode>>,
        wait: Duration,
    ) -> anyhow::Result<()> {
        let until = Instant::now() + wait;
        let mut readiness = Readiness::default();
        let mut request = None;
        // A job that an earlier coordinator left counts as the one job.
        while self.lock().is_empty() {
            let shared = self.shared.clone();
            let lease = self.instructions.borrow().map(|instructions| instructions.lease);
            let left = until.saturating_duration_since(Instant::now());
            let hold = u32::try_from(left.as_millis()).unwrap_or(u32::MAX).min(wait_ms(lease));
            let ready = tokio::select! {
                ready = readiness.may_claim(&shared) => ready,
                () = drain_requested(&mut drain) => return Ok(()),
            };
            if ready && let Some(id) = self.next_request(&mut request) {
                let coordinator = shared.state.coordinator();
                let claimed = tokio::select! {
                    claimed = claim(&shared.client, &shared.config, coordinator, lease.is_some(), id, hold) => claimed,
                    () = drain_requested(&mut drain) => return Ok(()),
                };
                match claimed {
                    Ok(Claimed::Job(job, asked)) => {
                        self.take(&job, asked, id);
                        return Ok(());
                    }
                    Ok(Claimed::None | Claimed::NoneHeld) => {}
                    Err(error) if error.may_pass() => {
                        tracing::warn!(error = error.chain(), "could not claim a job; retrying");
                    }
                    Err(error) => {
                        return Err(error).context(
                            "the API refuses claims; check TERARCHITECT_API_URL and TERARCHITECT_WORKER_API_KEY",
                        );
                    }
                }
            }
            if Instant::now() >= until {
                tracing::info!(wait_sec = wait.as_secs(), "no job arrived within the wait; exiting");
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep(ONCE_PAUSE) => {}
                () = drain_requested(&mut drain) => return Ok(()),
            }
        }
        Ok(())
    }

    /// The request id of the next claim, written to disk before it is used, and kept until a claim with it got a job.
    /// None when it can't be written: a job claimed without it could not be found again after a crash.
    fn next_request(&self, request: &mut Option<Uuid>) -> Option<Uuid> {
        if request.is_none() {
            let id = Uuid::now_v7();
            if let Err(error) = self.shared.state.begin_claim(id) {
                tracing::error!(error = %chain(&error), "could not write a claim to the state directory, so no jobs are claimed; check the directory's free space and permissions");
                return None;
            }
            *request = Some(id);
        }
        *request
    }

    pub(super) fn take(&mut self, job: &Job, asked: Moment, request: Uuid) {
        let attempt = Attempt::of(job);
        if self.lock().contains_key(&attempt) || self.shared.state.kept(attempt).is_some() {
            self.shared.state.end_claim(request);
            return;
        }
        tracing::info!(job.id = %job.job_id, ticket.id = %job.ticket_id, attempt = job.attempt, "claimed a job");
        let spec = container_spec(job, &self.shared.config, self.shared.state.coordinator());
        let timeout = job.job_timeout_sec.map(Duration::from_secs);
        // Counted from before the claim was sent, so that the lease here never outlasts the API's.
        let named = self.instructions.borrow().is_some();
        let lease = job.lease_ms.filter(|_| named).map(|lease| asked + Duration::from_millis(lease));
        self.spawn(attempt, Origin::Claimed(Box::new(Claim { spec, timeout, request })), lease);
    }
}
