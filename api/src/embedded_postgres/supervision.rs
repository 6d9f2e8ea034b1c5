//! Keeps Postgres running: one that ends by itself is started again, for as long as the API runs.

use super::postmaster::{self, Postmaster};
use super::{Binaries, ClusterError, Layout, Owner, PrivateDatabase};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The first and the longest pause before a Postgres that ended by itself is started again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));
/// So often a Postgres that has never responded is started again: then a person has to do something, and is told what.
const FIRST_TRIES: u32 = 4;
/// One that ran for so long before it ended had started well.
const RAN_WELL: Duration = Duration::from_secs(30);

/// Keeps Postgres running.
pub(super) struct Supervisor {
    binaries: Binaries,
    owner: Owner,
    layout: Layout,
    health: Arc<PrivateDatabase>,
    /// Whether it has responded since the API's start. What ends it then may pass: a full disk, a file that is missing.
    pub(super) has_responded: Arc<AtomicBool>,
}

impl Supervisor {
    pub(super) fn new(binaries: Binaries, owner: Owner, layout: Layout, health: Arc<PrivateDatabase>) -> Self {
        Self { binaries, owner, layout, health, has_responded: Arc::default() }
    }

    /// Runs Postgres until `stop`.
    ///
    /// # Errors
    /// When it can't be started at all, and has never responded; or when it does not stop.
    pub(super) async fn run(self, stop: CancellationToken) -> Result<(), ClusterError> {
        let (mut pause, mut failures) = (PAUSE.0, 0);
        loop {
            let started = tokio::time::Instant::now();
            let failed = match self.start().await {
                Ok(mut postmaster) => tokio::select! {
                    () = stop.cancelled() => return postmaster.stop().await,
                    status = postmaster.wait() => self.ended(status),
                },
                Err(error) => error,
            };
            if started.elapsed() > RAN_WELL {
                (pause, failures) = (PAUSE.0, 0);
            }
            failures += 1;
            if self.has_responded.load(Ordering::Relaxed) {
                let error = terarchitect_outbound::chain(&failed);
                tracing::error!(error, "the private Postgres stopped unexpectedly; restarting it");
            } else if failures > FIRST_TRIES {
                // It is said once, by the caller of the start.
                return Err(failed);
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE.1),
            }
        }
    }

    async fn start(&self) -> Result<Postmaster, ClusterError> {
        postmaster::stop_left_over(&self.layout).await?;
        Postmaster::start(&self.binaries, &self.owner, &self.layout)
    }

    fn ended(&self, status: Option<std::process::ExitStatus>) -> ClusterError {
        let tail = postmaster::log_tail(&self.layout.log);
        self.health.has_ended(&tail);
        tracing::debug!(?status, "the private Postgres ended");
        ClusterError::NotStarted { log: self.layout.log.clone(), tail }
    }
}
