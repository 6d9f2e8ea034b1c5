//! Posts what is to be said at forges: as soon as it is stored, and again where it had to wait.

use crate::actions::forges::posts::post_next;
use crate::state::App;
use std::time::Duration;
use terarchitect_outbound::chain;
use tokio_util::sync::CancellationToken;

/// How often it looks for what waits, and for what other processes stored.
const INTERVAL: Duration = Duration::from_secs(2);

pub(super) async fn run(app: App, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = app.forge_signals.posts() => {}
            () = tokio::time::sleep(INTERVAL) => {}
        }
        loop {
            let posted = tokio::select! {
                () = stop.cancelled() => return,
                posted = post_next(&app.database, app.ask_forge.as_ref()) => posted,
            };
            match posted {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(error = chain(&error), "could not post what is to be said at forges; retrying");
                    break;
                }
            }
        }
    }
}
