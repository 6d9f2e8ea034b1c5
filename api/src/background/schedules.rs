//! Fires schedules when they are due, by the database's clock.

use crate::actions::schedules::fire::fire_next;
use crate::db;
use crate::state::App;
use std::time::Duration;
use terarchitect_outbound::chain;
use tokio_util::sync::CancellationToken;

/// How long to wait at most: a schedule that was made meanwhile is due at the next full minute at the earliest.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// The pause between retries while the database is not available.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn run(app: App, stop: CancellationToken) {
    loop {
        let fired = tokio::select! {
            () = stop.cancelled() => return,
            fired = fire_all(&app) => fired,
        };
        let wait = fired.unwrap_or_else(|error| {
            tracing::warn!(error = chain(&error), "could not fire schedules; retrying");
            RETRY_PAUSE
        });
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Fires all that is due, and returns how long to wait for the next.
async fn fire_all(app: &App) -> crate::actions::ActionResult<Duration> {
    while fire_next(&app.database, None).await? {}
    let next = db::schedules::until_next(&mut *app.database.read().await?).await?;
    // What another process fires at this moment is still due here: no busy loop.
    let next = next.map(|wait| wait.max(Duration::from_millis(50)));
    Ok(next.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT))
}
