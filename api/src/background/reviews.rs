//! Makes a job of the orders of a pull request once it has been quiet, and settles the orders of jobs that have ended.

use crate::actions::forges::gather::gather;
use crate::actions::forges::settle::settle;
use crate::state::App;
use std::time::Duration;
use terarchitect_outbound::chain;
use tokio_util::sync::CancellationToken;

/// How often it looks for pull requests that have become quiet, or whose job has ended.
const INTERVAL: Duration = Duration::from_secs(2);

pub(super) async fn run(app: App, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = app.forge_signals.accepted() => {}
            () = tokio::time::sleep(INTERVAL) => {}
        }
        let gathered = tokio::select! {
            () = stop.cancelled() => return,
            gathered = gather(&app.database) => gathered,
        };
        if let Err(error) = gathered {
            tracing::warn!(error = chain(&error), "could not make jobs of reviews; retrying");
        }
        match settle(&app.database).await {
            Ok(0) => {}
            Ok(_) => app.forge_signals.notify_posts(),
            Err(error) => tracing::warn!(error = chain(&error), "could not settle what reviews asked for; retrying"),
        }
    }
}
