//! Watches for the wish that the run should stop: the API's `cancel-requested`, and signals.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use terarchitect_worker_api::client::{ClientError, Retry, WorkerClient};
use terarchitect_worker_api::{ProjectId, TicketId};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often the API is asked; the contract wants every five seconds at least.
const INTERVAL: Duration = Duration::from_secs(2);

/// What a process that TERM ended exits with, as shells have it: 128 and the signal's number.
const TERMINATED: u8 = 128 + 15;

/// For how long refusals that are not the API's own are borne.
const PATIENCE: Duration = Duration::from_secs(300);

fn is_gone(error: &ClientError) -> bool {
    matches!(error.code(), Some("not_found" | "job_token_refused"))
}

fn is_refused(error: &ClientError) -> bool {
    error.status().is_some_and(|status| matches!(status.as_u16(), 401 | 404))
}

/// Cancels the token when the API says so. Ends with the token, or when it is dropped.
pub async fn poll_api(client: WorkerClient, project: ProjectId, ticket: TicketId, cancel: CancellationToken) {
    let mut failing = false;
    let mut answered = Instant::now();
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        match client.cancel_requested(project, ticket, Retry::Never).await {
            Ok(true) => {
                tracing::info!("a person asked for the run to stop");
                cancel.cancel();
                return;
            }
            Ok(false) => (failing, answered) = (false, Instant::now()),
            // The ticket or the job's token is gone: nobody waits for this run any more. The API says so in its own
            // words; a proxy in front of it may say the like for a moment, or a contract's other API for good.
            Err(error) if is_gone(&error) || (is_refused(&error) && answered.elapsed() >= PATIENCE) => {
                tracing::warn!(error = error.chain(), "the API no longer knows this run; stopping it");
                cancel.cancel();
                return;
            }
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(error = error.chain(), "could not ask the API whether to stop; asking on");
            }
            Err(_) => {}
        }
    }
}

/// Whether TERM has asked this process to end.
#[derive(Clone, Debug, Default)]
pub struct Terminated(Arc<AtomicBool>);

impl Terminated {
    /// The exit code of a run that was cancelled. TERM comes from the machine, such as an engine that is restarted: it
    /// says nothing about the ticket, so that the run may be tried again. A cancellation by a person is 130.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.0.load(Ordering::SeqCst) { TERMINATED } else { 130 }
    }
}

/// Cancels the token at the first TERM or INT, and ends the process at the second.
///
/// # Errors
/// When the signals can't be listened for.
pub fn on_signals(cancel: CancellationToken) -> std::io::Result<Terminated> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let terminated = Terminated::default();
    let noted = terminated.clone();
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                // A run that was cancelled before is only being stopped.
                _ = term.recv() => {
                    noted.0.fetch_or(!cancel.is_cancelled(), Ordering::SeqCst);
                }
                _ = int.recv() => {}
            }
            if first {
                tracing::info!("stopping; once more to stop at once");
                cancel.cancel();
            } else {
                std::process::exit(noted.exit_code().into());
            }
        }
    });
    Ok(terminated)
}
