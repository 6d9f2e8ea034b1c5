//! Ends attempts whose leases have expired.

use crate::actions::worker::leases::end_expired;
use crate::actions::{ActionError, ActionResult};
use crate::db::errors::is_deadlock;
use crate::state::App;
use std::time::Duration;
use terarchitect_outbound::chain;
use tokio_util::sync::CancellationToken;

/// The longest time between two checks.
const LONGEST_INTERVAL: Duration = Duration::from_secs(10);
/// How long one check may take before its connection counts as lost.
const TIME_LIMIT: Duration = Duration::from_secs(20);

pub(super) async fn run(app: App, stop: CancellationToken) {
    // An expired lease should be noticed soon.
    let interval = (app.config.limits.lease / 6).min(LONGEST_INTERVAL);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
        if !app.queue.signals.leases_are_trusted() {
            continue;
        }
        match check(&app).await {
            Ok(expired) => app.metrics.leases_expired(expired),
            Err(error) => {
                tracing::warn!(error = chain(&error), "could not check for expired leases; retrying");
                if !matches!(&error, ActionError::Database(error) if is_deadlock(error)) {
                    app.queue.signals.distrust_leases();
                }
            }
        }
    }
}

async fn check(app: &App) -> ActionResult<usize> {
    let timed_out = |_| Err(ActionError::Database(sqlx::Error::PoolTimedOut));
    tokio::time::timeout(TIME_LIMIT, end_expired(&app.database)).await.unwrap_or_else(timed_out)
}
