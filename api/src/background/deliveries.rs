//! Works on what forges deliver: as soon as it is stored, and again where it had to wait.

use crate::actions::forges::deliveries::work_on_next;
use crate::state::App;
use std::time::Duration;
use terarchitect_outbound::chain;
use tokio_util::sync::CancellationToken;

/// How often it looks for deliveries that waited, and for those that other processes received.
const INTERVAL: Duration = Duration::from_secs(2);

pub(super) async fn run(app: App, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = app.forge_signals.received() => {}
            () = tokio::time::sleep(INTERVAL) => {}
        }
        loop {
            let worked = tokio::select! {
                () = stop.cancelled() => return,
                worked = work_on_next(&app.database) => worked,
            };
            match worked {
                Ok(true) => {
                    app.forge_signals.notify_undecided();
                    app.forge_signals.notify_looks();
                }
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(error = chain(&error), "could not work on deliveries; retrying");
                    break;
                }
            }
        }
    }
}
