//! The coordinator's loop: adopt what an earlier one left, then claim while there are free slots, until a signal.

use crate::claims::{Claimed, claim, wait_ms};
use crate::cli::DrainMode;
use crate::config::Config;
use crate::engine::ContainerEngine;
use crate::heartbeat::{Held, Wishes, send_heartbeats};
use crate::images::Images;
use crate::job::{Claim, Controls, Ended, Origin, Shared, supervise};
use crate::metrics::{self, Metrics};
use crate::readiness::{Readiness, image_hint};
use crate::spec::{Attempt, container_spec};
use crate::state_dir::StateDir;
use anyhow::{Context, bail};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use terarchitect_outbound::{Retriable, Retry, Waits, chain};
use terarchitect_worker_api::Job;
use terarchitect_worker_api::client::WorkerClient;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Between two looks for containers that nobody looks after.
const REAP_INTERVAL: Duration = Duration::from_secs(60);
/// How long the API may take for its first answer.
const LEAST_WAIT: Duration = Duration::from_secs(10);
/// Between two looks at what keeps claims from being made.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// Between two claims of a run for one job, where the API does not hold them.
const ONCE_PAUSE: Duration = Duration::from_millis(500);

/// For how long to claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Until a signal.
    UntilDrained,
    /// One job, or none when there is no work for so long.
    Once {
        /// How long to wait for work.
        wait: Duration,
    },
}

/// A coordinator that is ready to claim.
pub struct Coordinator {
    shared: Arc<Shared>,
    held: Held,
    jobs: JoinSet<Attempt>,
    wishes: watch::Receiver<Option<Wishes>>,
    wishes_sender: Option<watch::Sender<Option<Wishes>>>,
    /// Containers of ours that nobody looks after, and since when.
    alone: HashMap<Attempt, Instant>,
}

impl Coordinator {
    /// Puts a coordinator together. Asks the API once, to learn whether it knows heartbeats.
    #[must_use]
    pub fn new(engine: Arc<dyn ContainerEngine>, client: WorkerClient, state: StateDir, config: Config) -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let images = Images::new(config.pull_policy);
        let metrics = Metrics::default();
        let shared = Shared { engine, client, state, config, starts: Semaphore::new(processors), images, metrics };
        let (sender, wishes) = watch::channel(None);
        Self {
            shared: Arc::new(shared),
            held: Held::default(),
            jobs: JoinSet::new(),
            wishes,
            wishes_sender: Some(sender),
            alone: HashMap::new(),
        }
    }

    /// Runs until `drain` has been asked for and the jobs are settled as it says.
    ///
    /// # Errors
    /// When the engine can't be used at the start.
    pub async fn run(
        mut self,
        drain: watch::Receiver<Option<DrainMode>>,
        how: How,
        ready: impl FnOnce(),
    ) -> anyhow::Result<()> {
        let stop = CancellationToken::new();
        let _stop_at_the_end = stop.clone().drop_guard();
        if let Some(address) = self.shared.config.metrics_addr {
            let local = metrics::serve(address, self.shared.metrics.clone(), stop.clone()).await?;
            tracing::info!("serving http://{local}/metrics and http://{local}/health");
        }
        self.adopt().await?;
        let heartbeats = self
            .wishes_sender
            .take()
            .map(|sender| tokio::spawn(send_heartbeats(self.shared.clone(), self.held.clone(), sender, stop.clone())));
        let claimed = self.claim(drain.clone(), how, ready).await;
        match &claimed {
            Ok(()) => self.settle(drain).await,
            // What is looked after is left for the next start: waiting for it may have no end.
            Err(_) => self.jobs.shutdown().await,
        }
        stop.cancel();
        if let Some(heartbeats) = heartbeats {
            heartbeats.await.context("the heartbeats ended badly")?;
        }
        claimed
    }

    /// Claims as `how` says, once the API has answered and the image is there.
    async fn claim(
        &mut self,
        drain: watch::Receiver<Option<DrainMode>>,
        how: How,
        ready: impl FnOnce(),
    ) -> anyhow::Result<()> {
        // Whether the API knows heartbeats decides how to claim.
        let mut wishes = self.wishes.clone();
        let mut draining = drain.clone();
        let patience = async {
            match how {
                How::UntilDrained => std::future::pending().await,
                How::Once { wait } => tokio::time::sleep(wait.max(LEAST_WAIT)).await,
            }
        };
        tokio::select! {
            Ok(()) = wishes.changed() => {}
            () = asked_to_end(&mut draining) => return Ok(()),
            () = patience => bail!("the API did not answer in time; the log above says why"),
        }
        if self.wishes.borrow().is_some() {
            self.recover().await;
        }
        // Pulled ahead where the policy says so: the first job should not wait for it, nor be the one to find out. Who has
        // something to look after goes on all the same.
        let shared = self.shared.clone();
        if self.lock().is_empty() {
            let image = &shared.config.image;
            tokio::select! {
                had = shared.images.require(shared.engine.as_ref(), image) => {
                    had.with_context(|| format!("the image {image} can't be had; {}", image_hint(image)))?;
                }
                () = asked_to_end(&mut draining) => return Ok(()),
            }
        }
        ready();
        match how {
            How::UntilDrained => self.claim_until_drained(drain).await,
            How::Once { wait } => self.claim_once(drain, wait).await?,
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Attempt, Controls>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&mut self, attempt: Attempt, origin: Origin, lease: Option<Instant>) {
        let controls = Controls::default();
        controls.lease.send_replace(lease);
        // A report alone takes no slot, and needs no lease: where it comes too late, the API says so.
        if !matches!(origin, Origin::Report(_)) {
            self.lock().insert(attempt, controls.clone());
        }
        let (shared, held) = (self.shared.clone(), self.held.clone());
        self.jobs.spawn(async move {
            // Also when the supervision ends badly: the reaper takes over what nobody holds.
            let _holding = Holding { attempt, held };
            let ended = supervise(&shared, attempt, origin, &controls).await;
            if ended == Ended::Detached {
                tracing::info!(job.id = %attempt.job_id, "left a container running for the next coordinator");
            }
            attempt
        });
    }

    fn slots(&self) -> usize {
        let wished = self.wishes.borrow().and_then(|wishes| wishes.slots);
        // The environment is the operator's word about this machine; the API's setting is for all.
        self.shared.config.slots.or(wished).unwrap_or(1) as usize
    }

    async fn claim_until_drained(&mut self, mut drain: watch::Receiver<Option<DrainMode>>) {
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
            let (heartbeats, claims) = self.wishes.borrow().map_or((false, true), |wishes| (true, wishes.claims));
            let waits_for_room = self.lock().len() >= self.slots() || !claims;
            let ready = tokio::select! {
                ready = readiness.may_claim(&self.shared), if !waits_for_room => ready,
                () = asked_to_end(&mut drain), if !waits_for_room => return,
                else => false,
            };
            if !ready {
                let mut wishes = self.wishes.clone();
                wishes.mark_unchanged();
                tokio::select! {
                    () = asked_to_end(&mut drain) => return,
                    Some(ended) = self.jobs.join_next() => log_panic(ended),
                    Ok(()) = wishes.changed() => {}
                    _ = reap.tick() => self.reap().await,
                    () = tokio::time::sleep(LOOK_AGAIN), if !waits_for_room => {}
                }
                continue;
            }
            let Some(id) = self.next_request(&mut request) else {
                tokio::select! {
                    () = tokio::time::sleep(LOOK_AGAIN) => continue,
                    () = asked_to_end(&mut drain) => return,
                }
            };
            let shared = self.shared.clone();
            let hold = wait_ms(self.wishes.borrow().map(|wishes| wishes.lease));
            let claiming = claim(&shared.client, &shared.config, shared.state.coordinator(), heartbeats, id, hold);
            // A claim that is given up may have been answered: the next start repeats it with the same request id, and
            // otherwise its job comes back when its lease runs out.
            let claimed = tokio::select! {
                claimed = claiming => claimed,
                () = asked_to_end(&mut drain) => return,
                _ = reap.tick() => {
                    self.reap().await;
                    continue;
                }
            };
            let pause = match claimed {
                Ok(Claimed::Job(job, asked)) => {
                    shared.metrics.claimed("job");
                    self.take(&job, asked, id);
                    (waits, request) = (Waits::new(Retry::Forever), None);
                    continue;
                }
                Ok(Claimed::NoneHeld) => {
                    shared.metrics.claimed("none");
                    continue;
                }
                Ok(Claimed::None) => {
                    shared.metrics.claimed("none");
                    shared.config.poll_interval
                }
                Err(error) if error.may_pass() => {
                    shared.metrics.claimed("error");
                    tracing::warn!(error = error.chain(), "could not claim; trying again");
                    waits.next_wait().unwrap_or(shared.config.poll_interval)
                }
                Err(error) => {
                    shared.metrics.claimed("error");
                    tracing::error!(
                        error = error.chain(),
                        "the API refuses claims; check TERARCHITECT_API_URL and TERARCHITECT_WORKER_API_KEY"
                    );
                    shared.config.poll_interval
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = asked_to_end(&mut drain) => return,
            }
        }
    }

    /// Claims one job, or none when there is no work for so long. Waits as well while nothing could be run.
    ///
    /// # Errors
    /// When the API refuses claims.
    async fn claim_once(
        &mut self,
        mut drain: watch::Receiver<Option<DrainMode>>,
        wait: Duration,
    ) -> anyhow::Result<()> {
        let until = Instant::now() + wait;
        let mut readiness = Readiness::default();
        let mut request = None;
        // A job that an earlier run left is this run's job.
        while self.lock().is_empty() {
            let shared = self.shared.clone();
            let lease = self.wishes.borrow().map(|wishes| wishes.lease);
            let left = until.saturating_duration_since(Instant::now());
            let hold = u32::try_from(left.as_millis()).unwrap_or(u32::MAX).min(wait_ms(lease));
            let ready = tokio::select! {
                ready = readiness.may_claim(&shared) => ready,
                () = asked_to_end(&mut drain) => return Ok(()),
            };
            if ready && let Some(id) = self.next_request(&mut request) {
                let coordinator = shared.state.coordinator();
                let claimed = tokio::select! {
                    claimed = claim(&shared.client, &shared.config, coordinator, lease.is_some(), id, hold) => claimed,
                    () = asked_to_end(&mut drain) => return Ok(()),
                };
                match claimed {
                    Ok(Claimed::Job(job, asked)) => {
                        self.take(&job, asked, id);
                        return Ok(());
                    }
                    Ok(Claimed::None | Claimed::NoneHeld) => {}
                    Err(error) if error.may_pass() => {
                        tracing::warn!(error = error.chain(), "could not claim; trying again");
                    }
                    Err(error) => return Err(error).context("the API refuses claims"),
                }
            }
            if Instant::now() >= until {
                tracing::info!(wait_sec = wait.as_secs(), "there was no work, or nothing could be run");
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep(ONCE_PAUSE) => {}
                () = asked_to_end(&mut drain) => return Ok(()),
            }
        }
        Ok(())
    }

    /// The request id of the next claim, on disk before it is used; the same until it got a job. None when it can't be
    /// written: a job that is claimed now could not be found again.
    fn next_request(&self, request: &mut Option<Uuid>) -> Option<Uuid> {
        if request.is_none() {
            let id = Uuid::now_v7();
            if let Err(error) = self.shared.state.begin_claim(id) {
                tracing::error!(error = %chain(&error), "claiming nothing until this works again");
                return None;
            }
            *request = Some(id);
        }
        *request
    }

    fn take(&mut self, job: &Job, asked: Instant, request: Uuid) {
        let attempt = Attempt::of(job);
        if self.lock().contains_key(&attempt) || self.shared.state.kept(attempt).is_some() {
            self.shared.state.end_claim(request);
            return;
        }
        tracing::info!(job.id = %job.job_id, ticket.id = %job.ticket_id, attempt = job.attempt, "claimed a job");
        let spec = container_spec(job, &self.shared.config, self.shared.state.coordinator());
        let timeout = job.job_timeout_sec.map(Duration::from_secs);
        // Counted from before the claim was sent: the API's own count began later.
        let named = self.wishes.borrow().is_some();
        let lease = job.lease_ms.filter(|_| named).map(|lease| asked + Duration::from_millis(lease));
        self.spawn(attempt, Origin::Claimed(Box::new(Claim { spec, timeout, request })), lease);
    }

    /// Waits for the jobs that run, leaves them, or stops them; a further signal may change the mode meanwhile.
    async fn settle(&mut self, mut drain: watch::Receiver<Option<DrainMode>>) {
        loop {
            let mode = drain.borrow_and_update().unwrap_or(DrainMode::Wait);
            let running = self.lock().len();
            if running > 0 {
                tracing::info!(jobs = running, ?mode, "ending");
            }
            for controls in self.lock().values() {
                match mode {
                    DrainMode::Wait => {}
                    DrainMode::Detach => controls.detach.cancel(),
                    DrainMode::Cancel => controls.cancel.cancel(),
                }
            }
            if mode == DrainMode::Detach {
                // Reports that wait for the API are kept in the outbox.
                self.jobs.abort_all();
            }
            tokio::select! {
                ended = self.jobs.join_next() => match ended {
                    Some(ended) => log_panic(ended),
                    None => return,
                },
                _ = drain.changed() => {}
            }
        }
    }
}

/// An attempt that is held for as long as this lives.
struct Holding {
    attempt: Attempt,
    held: Held,
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.attempt);
    }
}

/// Waits for the first signal.
async fn asked_to_end(drain: &mut watch::Receiver<Option<DrainMode>>) {
    // A sender that is gone asks for nothing more, but nobody could ask any more either: an end as well.
    let _ = drain.wait_for(Option::is_some).await;
}

fn log_panic(ended: Result<Attempt, tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "the supervision of a job ended badly; its container is adopted after a while, or by the next start");
    }
}

/// What signals ask for: the first what `DRAIN_MODE` says; the second to detach, which ends at once; a third that comes
/// before that to cancel.
///
/// # Errors
/// When signals can't be listened for.
pub fn drain_on_signals(first: DrainMode) -> std::io::Result<watch::Receiver<Option<DrainMode>>> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        let third = if first == DrainMode::Cancel { DrainMode::Detach } else { DrainMode::Cancel };
        for mode in [first, DrainMode::Detach, third] {
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
            sender.send_replace(Some(mode));
        }
        std::future::pending::<()>().await;
    });
    Ok(receiver)
}

mod recovery;
#[cfg(test)]
mod tests;
