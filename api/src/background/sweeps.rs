//! Asks forges what has changed, so that what a lost webhook would have said is found as well.

use crate::actions::ActionResult;
use crate::actions::forges::watch::{look_at_next, sweep_next};
use crate::state::App;
use futures::future::join_all;
use std::time::Duration;
use terarchitect_outbound::chain;
use tokio_util::sync::CancellationToken;

/// How often it looks for what is due.
const INTERVAL: Duration = Duration::from_secs(2);
/// How many forges are asked at once by one process: one that does not respond must not hold up the others.
const AT_ONCE: usize = 4;

pub(super) async fn run(app: App, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = app.forge_signals.looks() => {}
            () = tokio::time::sleep(INTERVAL) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            _ = join_all((0..AT_ONCE).map(|_| work(&app))) => {}
        }
    }
}

/// Works until nothing is due.
async fn work(app: &App) {
    loop {
        match work_on_next(app).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(error = chain(&error), "could not ask forges what has changed; retrying");
                return;
            }
        }
    }
}

async fn work_on_next(app: &App) -> ActionResult<bool> {
    let Some(forge) = app.read_forge.as_deref() else { return Ok(false) };
    if look_at_next(&app.database, forge).await? {
        app.forge_signals.notify_undecided();
        app.forge_signals.notify_posts();
        return Ok(true);
    }
    let swept = sweep_next(&app.database, forge, app.config.limits.forge_sweep).await?;
    if swept {
        app.forge_signals.notify_posts();
    }
    Ok(swept)
}
