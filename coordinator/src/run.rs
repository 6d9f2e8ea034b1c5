//! The coordinator's loop: adopt what an earlier one left, then claim while there are free slots, until a signal.

use crate::claims::{Claimed, claim};
use crate::config::{Config, DrainMode};
use crate::engine::{ContainerEngine, State};
use crate::heartbeat::{DEFAULT_INTERVAL, Wishes, beat};
use crate::job::{Controls, Ended, Origin, Shared, report_until_acknowledged, supervise};
use crate::spec::{Attempt, container_spec};
use crate::state_dir::StateDir;
use anyhow::{Context, bail};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use terarchitect_worker_api::client::{Retry, Waits, WorkerClient};
use terarchitect_worker_api::{Job, chain};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Everything that is held, with its controls; shared with the heartbeat.
type Held = Arc<Mutex<HashMap<Attempt, Controls>>>;

/// A coordinator that is ready to claim.
pub struct Coordinator {
    shared: Arc<Shared>,
    held: Held,
    jobs: JoinSet<Attempt>,
    wishes: watch::Receiver<Option<Wishes>>,
    wishes_sender: Option<watch::Sender<Option<Wishes>>>,
}

impl Coordinator {
    /// Puts a coordinator together. Asks the API once, to learn whether it knows heartbeats.
    #[must_use]
    pub fn new(engine: Arc<dyn ContainerEngine>, client: WorkerClient, state: StateDir, config: Config) -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let shared = Shared { engine, client, state, config, starts: Semaphore::new(processors) };
        let (sender, wishes) = watch::channel(None);
        Self {
            shared: Arc::new(shared),
            held: Held::default(),
            jobs: JoinSet::new(),
            wishes,
            wishes_sender: Some(sender),
        }
    }

    /// Runs until `drain` has been asked for and the jobs are settled as it says.
    ///
    /// # Errors
    /// When the engine can't be used at the start.
    pub async fn run(mut self, drain: watch::Receiver<Option<DrainMode>>, ready: impl FnOnce()) -> anyhow::Result<()> {
        self.adopt().await?;
        let stop = CancellationToken::new();
        let heartbeats = self
            .wishes_sender
            .take()
            .map(|sender| tokio::spawn(send_heartbeats(self.shared.clone(), self.held.clone(), sender, stop.clone())));
        // Whether the API knows heartbeats decides how to claim.
        let mut wishes = self.wishes.clone();
        let mut draining = drain.clone();
        tokio::select! {
            _ = wishes.changed() => {}
            _ = draining.wait_for(Option::is_some) => {}
        }
        ready();
        self.claim_until_drained(drain.clone()).await;
        self.settle(drain).await;
        stop.cancel();
        if let Some(heartbeats) = heartbeats {
            heartbeats.await.context("the heartbeats ended badly")?;
        }
        Ok(())
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
            if found.state == State::Created {
                // It never ran; its job's lease runs out, or the next claim makes it anew.
                tracing::info!(job.id = %attempt.job_id, "removing a container that was never started");
                self.shared.engine.remove(&found.id).await.context("could not remove a container")?;
                continue;
            }
            tracing::info!(job.id = %attempt.job_id, attempt = attempt.attempt, state = ?found.state, "adopting a container");
            self.spawn(attempt, Origin::Adopted(Box::new(found)));
        }
        for pending in self.shared.state.all_kept()? {
            let attempt = Attempt { job_id: pending.job_id, attempt: pending.attempt };
            if !self.lock().contains_key(&attempt) {
                let shared = self.shared.clone();
                self.jobs.spawn(async move {
                    report_until_acknowledged(&shared, &pending).await;
                    shared.state.forget(attempt);
                    attempt
                });
            }
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Attempt, Controls>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&mut self, attempt: Attempt, origin: Origin) {
        let controls = Controls::default();
        self.lock().insert(attempt, controls.clone());
        let (shared, held) = (self.shared.clone(), self.held.clone());
        self.jobs.spawn(async move {
            let ended = supervise(&shared, attempt, origin, &controls).await;
            if ended == Ended::Detached {
                tracing::info!(job.id = %attempt.job_id, "left a container running for the next coordinator");
            }
            held.lock().unwrap_or_else(PoisonError::into_inner).remove(&attempt);
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
        let mut request_id = Uuid::now_v7();
        loop {
            while let Some(ended) = self.jobs.try_join_next() {
                log_panic(ended);
            }
            let (heartbeats, claims) = self.wishes.borrow().map_or((false, true), |wishes| (true, wishes.claims));
            if self.lock().len() >= self.slots() || !claims {
                let mut wishes = self.wishes.clone();
                wishes.mark_unchanged();
                tokio::select! {
                    _ = drain.wait_for(Option::is_some) => return,
                    Some(ended) = self.jobs.join_next() => log_panic(ended),
                    _ = wishes.changed() => {}
                }
                continue;
            }
            let shared = self.shared.clone();
            let claiming = claim(&shared.client, &shared.config, shared.state.coordinator(), heartbeats, request_id);
            // A claim that is given up may have been answered: repeated with the same request id it gives the same job,
            // and one that is never repeated comes back when its lease runs out.
            let claimed = tokio::select! {
                claimed = claiming => claimed,
                _ = drain.wait_for(Option::is_some) => return,
            };
            let pause = match claimed {
                Ok(Claimed::Job(job)) => {
                    self.take(&job);
                    (waits, request_id) = (Waits::new(Retry::Forever), Uuid::now_v7());
                    continue;
                }
                Ok(Claimed::NoneHeld) => Duration::ZERO,
                Ok(Claimed::None) => shared.config.poll_interval,
                Err(error) if error.may_pass() => {
                    tracing::warn!(error = error.chain(), "could not claim; trying again");
                    waits.next_wait().unwrap_or(shared.config.poll_interval)
                }
                Err(error) => {
                    tracing::error!(
                        error = error.chain(),
                        "the API refuses claims; check TERARCHITECT_API_URL and TERARCHITECT_WORKER_API_KEY"
                    );
                    shared.config.poll_interval
                }
            };
            if pause == Duration::ZERO || pause == shared.config.poll_interval {
                request_id = Uuid::now_v7();
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = drain.wait_for(Option::is_some) => return,
            }
        }
    }

    fn take(&mut self, job: &Job) {
        let attempt = Attempt::of(job);
        tracing::info!(job.id = %job.job_id, ticket.id = %job.ticket_id, attempt = job.attempt, "claimed a job");
        let spec = container_spec(job, &self.shared.config, self.shared.state.coordinator());
        let timeout = job.job_timeout_sec.map(Duration::from_secs);
        self.spawn(attempt, Origin::Claimed(Box::new(spec), timeout));
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

fn log_panic(ended: Result<Attempt, tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "the supervision of a job ended badly; the next start adopts its container");
    }
}

/// Renews leases until `stop`, independently of claims and of everything that jobs do.
async fn send_heartbeats(
    shared: Arc<Shared>,
    held: Held,
    wishes: watch::Sender<Option<Wishes>>,
    stop: CancellationToken,
) {
    let mut failing = false;
    loop {
        let now = held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let slots = shared.config.slots.or_else(|| wishes.borrow().and_then(|wishes| wishes.slots)).unwrap_or(1);
        let beaten = beat(&shared.client, shared.state.coordinator(), slots, &now).await;
        let interval = match beaten {
            Ok(answer) => {
                failing = false;
                wishes.send_replace(answer);
                let Some(wishes) = answer else {
                    tracing::info!("the API does not know heartbeats: working by the plain contract");
                    return;
                };
                wishes.interval
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(error = error.chain(), "a heartbeat did not arrive; going on, nothing is stopped");
                    failing = true;
                }
                Duration::from_secs(2)
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(interval.min(DEFAULT_INTERVAL)) => {}
        }
    }
}

/// Checks what must be there before anything is claimed.
///
/// # Errors
/// When the image is not on this machine.
pub async fn require_image(engine: &dyn ContainerEngine, image: &str) -> anyhow::Result<()> {
    match engine.has_image(image).await {
        Ok(true) => Ok(()),
        Ok(false) => bail!(
            "the image {image} is not on this machine; build it with scripts/build-agent-image, pull it with docker pull {image}, or set AGENT_IMAGE"
        ),
        Err(error) => bail!("{}", chain(&error)),
    }
}

/// What signals ask for: the first what `DRAIN_MODE` says, the second to detach, the third to cancel.
///
/// # Errors
/// When signals can't be listened for.
pub fn drain_on_signals(first: DrainMode) -> std::io::Result<watch::Receiver<Option<DrainMode>>> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        for mode in [first, first.max(DrainMode::Detach), DrainMode::Cancel] {
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
            sender.send_replace(Some(mode));
        }
        std::future::pending::<()>().await;
    });
    Ok(receiver)
}
