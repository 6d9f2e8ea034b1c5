//! Watches for the wish that the run should stop: the API's `cancel-requested`, and signals.

use std::time::Duration;
use terarchitect_worker_api::client::{Retry, WorkerClient};
use terarchitect_worker_api::{ProjectId, TicketId};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How often the API is asked; the contract wants every five seconds at least.
const INTERVAL: Duration = Duration::from_secs(2);

/// Cancels the token when the API says so. Ends with the token, or when it is dropped.
pub async fn poll_api(client: WorkerClient, project: ProjectId, ticket: TicketId, cancel: CancellationToken) {
    let mut failing = false;
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
            Ok(false) => failing = false,
            // The ticket or the job's token is gone: nobody waits for this run any more.
            Err(error) if error.status().is_some_and(|status| matches!(status.as_u16(), 401 | 404)) => {
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

/// Cancels the token at the first TERM or INT, and ends the process at the second.
///
/// # Errors
/// When the signals can't be listened for.
pub fn on_signals(cancel: CancellationToken) -> std::io::Result<()> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
            if first {
                tracing::info!("stopping; once more to stop at once");
                cancel.cancel();
            } else {
                std::process::exit(130);
            }
        }
    });
    Ok(())
}
