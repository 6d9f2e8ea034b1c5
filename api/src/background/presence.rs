//! Stores which coordinators have sent heartbeats, for all of them together.

use crate::state::App;
use std::time::Duration;
use terarchitect_outbound::chain;
use tokio_util::sync::CancellationToken;

/// The pause between two writes.
const INTERVAL: Duration = Duration::from_secs(10);

/// Stores them every few seconds until `stop`, and once more after that.
pub(super) async fn run(app: App, stop: CancellationToken) {
    loop {
        let last = tokio::select! {
            () = stop.cancelled() => true,
            () = tokio::time::sleep(INTERVAL) => false,
        };
        if let Err(error) = app.presence.write_all(&app.database).await {
            tracing::warn!(error = chain(&error), "could not store which coordinators sent heartbeats; retrying");
        }
        if last {
            return;
        }
    }
}
