//! Decides which comments are orders, and asks the forge about their authors.

use crate::actions::forges::decide::{Decided, decide_next};
use crate::state::App;
use std::time::Duration;
use terarchitect_outbound::chain;
use tokio_util::sync::CancellationToken;

/// How often it looks for comments that waited.
const INTERVAL: Duration = Duration::from_secs(2);

pub(super) async fn run(app: App, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = app.forge_signals.undecided() => {}
            () = tokio::time::sleep(INTERVAL) => {}
        }
        loop {
            let decided = tokio::select! {
                () = stop.cancelled() => return,
                decided = decide_next(&app.database, app.ask_forge.as_ref()) => decided,
            };
            match decided {
                Ok(Decided::Nothing) => break,
                Ok(Decided::Accepted) => app.forge_signals.notify_accepted(),
                Ok(Decided::Other) => {}
                Err(error) => {
                    tracing::warn!(error = chain(&error), "could not decide on comments; retrying");
                    break;
                }
            }
        }
    }
}
