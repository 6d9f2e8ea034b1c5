//! Watches for requests to cancel the attempt: the API's `cancel-requested`, and signals.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use terarchitect_outbound::Retry;
use terarchitect_worker_api::client::{ClientError, WorkerClient};
use terarchitect_worker_api::{ProjectId, TicketId};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often the API is polled; the contract asks for at least every five seconds.
const INTERVAL: Duration = Duration::from_secs(2);

/// The exit code after TERM, by the convention of shells: 128 plus the signal's number.
const TERMINATED: u8 = 128 + 15;

/// For how long refusals that are not the API's own are tolerated.
const PATIENCE: Duration = Duration::from_secs(300);

fn is_gone(error: &ClientError) -> bool {
    matches!(error.code(), Some("not_found" | "job_token_refused"))
}

fn is_refused(error: &ClientError) -> bool {
    error.status().is_some_and(|status| matches!(status.as_u16(), 401 | 404))
}

/// Polls the API, and cancels the token when it says so. Returns once the token is cancelled.
pub async fn poll_api(client: WorkerClient, project: ProjectId, ticket: TicketId, cancel: CancellationToken) {
    let mut failing = false;
    let mut last_success = Instant::now();
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        match client.cancel_requested(project, ticket, Retry::Never).await {
            Ok(true) => {
                tracing::info!("a person requested cancellation");
                cancel.cancel();
                return;
            }
            Ok(false) => (failing, last_success) = (false, Instant::now()),
            // The ticket was deleted, or the job's token is no longer valid: the result of this attempt is not wanted.
            // Terarchitect's API says so with a code. Other 401s and 404s may be a proxy's, and pass; or they may be
            // those of another API that implements the contract, and do not.
            Err(error) if is_gone(&error) || (is_refused(&error) && last_success.elapsed() >= PATIENCE) => {
                tracing::warn!(error = error.chain(), "the API no longer accepts this attempt; stopping");
                cancel.cancel();
                return;
            }
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(error = error.chain(), "could not poll the API for a cancellation request; retrying");
            }
            Err(_) => {}
        }
    }
}

/// Whether TERM has asked this process to end.
#[derive(Clone, Debug, Default)]
pub struct Terminated(Arc<AtomicBool>);

impl Terminated {
    /// The exit code of an attempt that was cancelled: 130, or 143 after TERM. TERM comes from the machine, for example
    /// when the container engine restarts; it says nothing about the ticket, so there may be another attempt.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.0.load(Ordering::SeqCst) { TERMINATED } else { 130 }
    }
}

/// Cancels the token at the first SIGTERM or SIGINT, and ends the process at the second.
///
/// # Errors
/// The signal handlers could not be installed.
pub fn on_signals(cancel: CancellationToken) -> std::io::Result<Terminated> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let terminated = Terminated::default();
    let noted = terminated.clone();
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                // An attempt that was already cancelled is only being stopped.
                _ = term.recv() => {
                    noted.0.fetch_or(!cancel.is_cancelled(), Ordering::SeqCst);
                }
                _ = int.recv() => {}
            }
            if first {
                tracing::info!("stopping; send the signal again to exit at once");
                cancel.cancel();
            } else {
                std::process::exit(noted.exit_code().into());
            }
        }
    });
    Ok(terminated)
}
