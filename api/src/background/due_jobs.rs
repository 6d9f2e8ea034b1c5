//! Makes delayed jobs due once their delay is over.

use crate::db;
use crate::state::App;
use std::time::Duration;
use terarchitect_outbound::chain;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long to wait while no job is delayed. A new delay is notified at once; this covers lost notifications.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// The pause between retries while the database is not available.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How long one batch may take before its connection counts as lost.
const TIME_LIMIT: Duration = Duration::from_secs(20);

pub(super) async fn run(app: App, stop: CancellationToken) {
    let mut next = Instant::now();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = app.queue.signals.delayed() => {}
            () = tokio::time::sleep_until(next) => {}
        }
        let made = tokio::time::timeout(TIME_LIMIT, make_due(&app)).await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        next = match made {
            Ok(wait) => Instant::now() + wait,
            Err(error) => {
                tracing::warn!(error = chain(&error), "could not make delayed jobs due; retrying");
                Instant::now() + RETRY_PAUSE
            }
        };
    }
}

/// Makes due every job whose time has come, and returns how long to wait for the next one.
async fn make_due(app: &App) -> sqlx::Result<Duration> {
    let mut conn = app.database.read().await?;
    loop {
        let batch = db::jobs::due::make_due(&mut conn).await?;
        if batch.made > 0 {
            app.database.hub().committed();
        }
        if !batch.more {
            return Ok(batch.next.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT));
        }
    }
}
