//! The coordinator's loop: adopt what an earlier one left, then claim while there are free slots, until a signal.

use crate::claims::{Claimed, claim, wait_ms};
use crate::cli::DrainMode;
use crate::config::Config;
use crate::engine::{ContainerEngine, Found, State};
use crate::heartbeat::{Held, Wishes, send_heartbeats};
use crate::images::Images;
use crate::job::{Claim, Controls, Ended, Origin, Shared, supervise};
use crate::metrics::{self, Metrics};
use crate::outcome::could_not_run;
use crate::readiness::{Readiness, image_hint};
use crate::spec::{Attempt, container_spec};
use crate::state_dir::StateDir;
use anyhow::{Context, bail};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use terarchitect_worker_api::client::{Retry, Waits, WorkerClient};
use terarchitect_worker_api::{Job, Reason, WorkerJob, chain};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Between two looks for containers that nobody looks after.
const REAP_INTERVAL: Duration = Duration::from_secs(60);
/// How long one must be alone before it is taken over.
const REAP_GRACE: Duration = Duration::from_secs(300);
/// How long the API may take for its first answer.
const LEAST_WAIT: Duration = Duration::from_secs(10);
/// Between two looks at what keeps claims from being made.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// Between two claims of a run for one job, where the API does not hold them.
const ONCE_PAUSE: Duration = Duration::from_millis(500);
/// How long a recovery waits for the API; what it can't recover comes back by its lease.
const RECOVERY_PATIENCE: Duration = Duration::from_secs(30);

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

    /// What an earlier coordinator was in the middle of, as far as neither a container nor a report shows it: the job of
    /// a claim whose answer never became a container, and leases of which nothing is left.
    async fn recover(&mut self) {
        let shared = self.shared.clone();
        let coordinator = shared.state.coordinator();
        let Ok(leases) = shared.client.worker_jobs(&coordinator.to_string(), Retry::For(RECOVERY_PATIENCE)).await
        else {
            tracing::warn!(
                "the API did not tell which jobs are held; what is not looked after comes back by its lease"
            );
            return;
        };
        let unknown = |this: &Self, job: &WorkerJob| {
            let attempt = Attempt { job_id: job.job_id, attempt: job.attempt };
            !this.lock().contains_key(&attempt) && shared.state.kept(attempt).is_none()
        };
        let claims = shared.state.claims_under_way().unwrap_or_else(|error| {
            tracing::error!(error = %chain(&error), "could not look for claims of an earlier run");
            Vec::new()
        });
        for request in claims {
            if !leases.jobs.iter().any(|job| unknown(self, job)) {
                shared.state.end_claim(request);
                continue;
            }
            // The same request again gets the same job, with everything that its container needs.
            match claim(&shared.client, &shared.config, coordinator, true, request, 0).await {
                Ok(Claimed::Job(job, asked)) => self.take(&job, asked, request),
                Ok(Claimed::None | Claimed::NoneHeld) => shared.state.end_claim(request),
                Err(error) => tracing::warn!(error = error.chain(), "could not repeat a claim of an earlier run"),
            }
        }
        let lost: Vec<WorkerJob> = leases.jobs.iter().filter(|job| unknown(self, job)).copied().collect();
        for job in lost {
            tracing::warn!(job.id = %job.job_id, attempt = job.attempt, "a job is held, but nothing is left of its container");
            let detail = "the coordinator was restarted and found no container of this job".to_owned();
            let verdict = could_not_run(Some(job.attempt), Reason::ContainerLost, detail);
            let attempt = Attempt { job_id: job.job_id, attempt: job.attempt };
            self.spawn(attempt, Origin::Report(Box::new(verdict)), None);
        }
    }

    /// Looks for containers of ours that nobody looks after, such as of a job whose supervision ended badly. Only what is
    /// still alone after a while: one that is just being made is known to its job alone.
    async fn reap(&mut self) {
        let own = match self.shared.engine.list_own(self.shared.state.coordinator()).await {
            Ok(own) => own,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "could not look for containers that nobody looks after");
                return;
            }
        };
        let alone: Vec<(Attempt, Found)> = {
            let held = self.lock();
            own.into_iter()
                .filter_map(|found| Some((Attempt::from_labels(&found.labels)?, found)))
                .filter(|(attempt, _)| !held.contains_key(attempt))
                .collect()
        };
        self.alone.retain(|attempt, _| alone.iter().any(|(other, _)| other == attempt));
        for (attempt, found) in alone {
            let since = *self.alone.entry(attempt).or_insert_with(Instant::now);
            if since.elapsed() >= REAP_GRACE {
                tracing::warn!(job.id = %attempt.job_id, attempt = attempt.attempt, "found a container that nobody looks after");
                self.alone.remove(&attempt);
                self.adopt_one(attempt, found).await;
            }
        }
    }

    async fn adopt_one(&mut self, attempt: Attempt, found: Found) {
        if found.state == State::Created {
            // It never ran. Its job's lease runs out, or the claim is repeated and makes it anew.
            tracing::info!(job.id = %attempt.job_id, "removing a container that was never started");
            if let Err(error) = self.shared.engine.remove(&found.id).await {
                tracing::warn!(error = %chain(&error), "could not remove a container; the next look tries again");
            }
            return;
        }
        tracing::info!(job.id = %attempt.job_id, attempt = attempt.attempt, state = ?found.state, "adopting a container");
        self.shared.metrics.adopted();
        self.spawn(attempt, Origin::Adopted(Box::new(found)), None);
    }

    /// Takes over the containers and reports of an earlier coordinator.
    async fn adopt(&mut self) -> anyhow::Result<()> {
        let own = self
            .shared
            .engine
            .list_own(self.shared.state.coordinator())
            .await
            .context("could not look for containers of an earlier run")?;
        for found in own {
            let Some(attempt) = Attempt::from_labels(&found.labels) else { continue };
            self.adopt_one(attempt, found).await;
        }
        for pending in self.shared.state.all_kept()? {
            let attempt = Attempt { job_id: pending.job_id, attempt: pending.attempt };
            if !self.lock().contains_key(&attempt) {
                self.spawn(attempt, Origin::Report(Box::new(pending.verdict)), None);
            }
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

#[cfg(test)]
mod tests;
