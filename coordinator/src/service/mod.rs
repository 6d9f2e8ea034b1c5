//! The coordinator's loop: adopt what an earlier one left, then claim while there are free slots, until a signal.

mod claiming;
mod drain;
mod host_checks;
mod recovery;
#[cfg(test)]
mod tests;
mod warming;

pub use drain::drain_on_signals;
pub(crate) use warming::keep_ready;

use crate::attempt::Attempt;
use crate::cli::DrainMode;
use crate::config::Config;
use crate::deadline::Moment;
use crate::engine::ContainerEngine;
use crate::heartbeat::{Held, Instructions, send_heartbeats};
use crate::host::SharedHost;
use crate::images::Images;
use crate::job::{Controls, Ended, Origin, Shared, supervise};
use crate::metrics::{self, Metrics};
use crate::readiness::image_hint;
use crate::state_dir::StateDir;
use crate::warm::Warm;
use anyhow::{Context, bail};
use drain::drain_requested;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use terarchitect_worker_api::client::WorkerClient;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// With `run-once`: the minimum time to wait for the API's first response, however short the wait for a job is.
const LEAST_WAIT: Duration = Duration::from_secs(10);

/// For how long to claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Until a signal.
    UntilDrained,
    /// For one job.
    Once {
        /// How long to wait for a job before giving up.
        wait: Duration,
    },
}

/// A coordinator that is ready to claim.
pub struct Coordinator {
    shared: Arc<Shared>,
    held: Held,
    jobs: JoinSet<Attempt>,
    instructions: watch::Receiver<Option<Instructions>>,
    instructions_sender: Option<watch::Sender<Option<Instructions>>>,
    /// Containers of this coordinator that no task supervises, and since when.
    strays: HashMap<Attempt, Instant>,
}

impl Coordinator {
    /// Creates a coordinator, without any IO.
    #[must_use]
    pub fn new(engine: Arc<dyn ContainerEngine>, client: WorkerClient, state: StateDir, config: Config) -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let images = Images::new(config.pull_policy);
        let metrics = Metrics::default();
        let (starts, host) = (Semaphore::new(processors), SharedHost::default());
        let warm = Warm::new(config.warm as usize);
        let shared = Shared { engine, client, state, config, starts, images, metrics, host, warm };
        let (sender, instructions) = watch::channel(None);
        Self {
            shared: Arc::new(shared),
            held: Held::default(),
            jobs: JoinSet::new(),
            instructions,
            instructions_sender: Some(sender),
            strays: HashMap::new(),
        }
    }

    /// Claims and supervises jobs until a drain is requested and the running jobs are settled as its mode says.
    /// `ready` is called once, right before the first claim.
    ///
    /// # Errors
    /// When the engine or the image can't be used at the start; with [`Mode::Once`] also when the API does not respond
    /// in time or refuses claims.
    pub async fn coordinate(
        mut self,
        drain: watch::Receiver<Option<DrainMode>>,
        mode: Mode,
        ready: impl FnOnce(),
    ) -> anyhow::Result<()> {
        let stop = CancellationToken::new();
        let _stop_at_the_end = stop.clone().drop_guard();
        if let Some(address) = self.shared.config.metrics_addr {
            let local = metrics::serve(address, self.shared.metrics.clone(), stop.clone()).await?;
            tracing::info!("serving http://{local}/metrics and http://{local}/health");
        }
        self.adopt().await?;
        let checks = tokio::spawn(host_checks::run(self.shared.clone(), stop.clone()));
        let heartbeats = self
            .instructions_sender
            .take()
            .map(|sender| tokio::spawn(send_heartbeats(self.shared.clone(), self.held.clone(), sender, stop.clone())));
        // With one job to run there is no next one.
        let warm =
            (mode == Mode::UntilDrained).then(|| tokio::spawn(keep_ready(self.shared.clone(), stop.child_token())));
        let claimed = self.claim(drain.clone(), mode, ready).await;
        match &claimed {
            Ok(()) => self.settle(drain).await,
            // Containers are left for the next start: waiting for them might never end.
            Err(_) => self.jobs.shutdown().await,
        }
        stop.cancel();
        if let Some(warm) = warm {
            warm.await.context("the task that keeps containers ready panicked")?;
        }
        if let Some(heartbeats) = heartbeats {
            heartbeats.await.context("the task that sends heartbeats panicked")?;
        }
        checks.await.context("the task that checks this host panicked")?;
        claimed
    }

    /// Claims as `mode` says, once the API has responded and the image is available.
    async fn claim(
        &mut self,
        drain: watch::Receiver<Option<DrainMode>>,
        mode: Mode,
        ready: impl FnOnce(),
    ) -> anyhow::Result<()> {
        // How to claim depends on whether the API supports heartbeats.
        let mut instructions = self.instructions.clone();
        let mut draining = drain.clone();
        let patience = async {
            match mode {
                Mode::UntilDrained => std::future::pending().await,
                Mode::Once { wait } => tokio::time::sleep(wait.max(LEAST_WAIT)).await,
            }
        };
        tokio::select! {
            Ok(()) = instructions.changed() => {}
            () = drain_requested(&mut draining) => return Ok(()),
            () = patience => bail!("the API did not respond in time; see the warnings above, and check TERARCHITECT_API_URL"),
        }
        if self.instructions.borrow().is_some() {
            self.recover().await;
        }
        // The image is pulled before the first claim, so that no job waits for it or fails without it. With adopted
        // jobs to supervise, a missing image is no reason to stop.
        let shared = self.shared.clone();
        if self.lock().is_empty() {
            let image = &shared.config.image;
            tokio::select! {
                available = shared.images.require(shared.engine.as_ref(), image) => {
                    available.with_context(|| format!("the image {image} is not available; {}", image_hint(image)))?;
                }
                () = drain_requested(&mut draining) => return Ok(()),
            }
        }
        ready();
        match mode {
            Mode::UntilDrained => self.claim_until_drained(drain).await,
            Mode::Once { wait } => self.claim_once(drain, wait).await?,
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Attempt, Controls>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&mut self, attempt: Attempt, origin: Origin, lease: Option<Moment>) {
        let controls = Controls::default();
        controls.lease.send_replace(lease);
        // A report alone takes no slot and needs no lease: the API refuses it if it comes too late.
        if !matches!(origin, Origin::Report(_)) {
            self.lock().insert(attempt, controls.clone());
        }
        let (shared, held) = (self.shared.clone(), self.held.clone());
        self.jobs.spawn(async move {
            // Released even when the supervision panics, so that the reaper can take the container over.
            let _holding = Holding { attempt, held };
            let ended = supervise(&shared, attempt, origin, &controls).await;
            if ended == Ended::Detached {
                tracing::info!(job.id = %attempt.job_id, "left a container running for the next coordinator");
            }
            attempt
        });
    }

    fn slots(&self) -> usize {
        let (of_the_api, limit) =
            self.instructions.borrow().map_or((None, None), |instructions| (instructions.slots, instructions.limit));
        // The operator's setting for this machine takes precedence over the API's setting for all machines; a limit for
        // this machine alone, which a person set, holds in any case.
        let slots = self.shared.config.slots.or(of_the_api).unwrap_or(1);
        limit.map_or(slots, |limit| slots.min(limit)) as usize
    }
}

/// An attempt counts as held, and takes a slot, until this is dropped.
struct Holding {
    attempt: Attempt,
    held: Held,
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.attempt);
    }
}

fn log_panic(ended: Result<Attempt, tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "the task that supervised a job panicked; its container is adopted within minutes, or at the next start");
    }
}
