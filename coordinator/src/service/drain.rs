//! Draining: what signals mean, and what then happens to the jobs that run.

use super::{Coordinator, log_panic};
use crate::cli::DrainMode;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Turns signals into drain modes: the first signal means `first`, which is what `DRAIN_MODE` says; the second
/// detaches, which ends the process at once; a third that comes before that cancels.
///
/// # Errors
/// When the signal handlers can't be installed.
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

/// Waits until a drain is requested.
pub(super) async fn drain_requested(drain: &mut watch::Receiver<Option<DrainMode>>) {
    // A dropped sender counts as a request: without it nothing could ever end this coordinator.
    let _ = drain.wait_for(Option::is_some).await;
}

impl Coordinator {
    /// Waits for running jobs, detaches from them or cancels them, and returns when none is left. A further signal
    /// changes the mode meanwhile.
    pub(super) async fn settle(&mut self, mut drain: watch::Receiver<Option<DrainMode>>) {
        loop {
            let mode = drain.borrow_and_update().unwrap_or(DrainMode::Wait);
            let running = self.lock().len();
            if running > 0 {
                tracing::info!(jobs = running, ?mode, "shutting down; jobs are still running");
            }
            for controls in self.lock().values() {
                match mode {
                    DrainMode::Wait => {}
                    DrainMode::Detach => controls.detach.cancel(),
                    DrainMode::Cancel => controls.cancel.cancel(),
                }
            }
            if mode == DrainMode::Detach {
                // Reports that the API has not acknowledged stay in the outbox.
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
