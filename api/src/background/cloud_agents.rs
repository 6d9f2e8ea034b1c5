//! Claims jobs for Cursor's cloud, launches agents there, and ends their attempts.

use crate::actions::ActionResult;
use crate::actions::cloud::work::step_next;
use crate::actions::cloud::{Cloud, claim_next, renew};
use crate::embeddings::EmbeddingService;
use crate::state::App;
use futures::future::join_all;
use std::time::Duration;
use terarchitect_outbound::chain;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often it looks for jobs, and for agents whose time has come.
const INTERVAL: Duration = Duration::from_secs(1);
/// How many agents one process works on at once: a cloud that does not respond must not hold up the others.
const AT_ONCE: usize = 4;

pub(super) async fn run(app: App, stop: CancellationToken) {
    let Some(cloud) = app.config.cloud.clone() else { return };
    tokio::select! {
        () = stop.cancelled() => {}
        () = hold_leases(&app) => {}
        () = work(&app, &cloud) => {}
    }
}

/// Renews leases well before they expire, also while calls take long.
async fn hold_leases(app: &App) {
    let lease = app.config.limits.lease;
    loop {
        if let Err(error) = renew(&app.database, lease).await {
            tracing::warn!(error = chain(&error), "could not renew the leases of jobs in the cloud; retrying");
        }
        // Until then, jobs that are to be stopped are noticed.
        let until = Instant::now() + lease / 3;
        while Instant::now() < until {
            tokio::time::sleep(INTERVAL.min(lease / 3)).await;
            if let Err(error) = crate::actions::cloud::notice_stops(&app.database).await {
                tracing::debug!(error = chain(&error), "could not look for jobs in the cloud that are to be stopped");
            }
        }
    }
}

async fn work(app: &App, cloud: &Cloud) {
    loop {
        join_all((0..AT_ONCE).map(|_| work_until_nothing_is_due(app, cloud))).await;
        tokio::select! {
            () = app.forge_signals.cloud() => {}
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

async fn work_until_nothing_is_due(app: &App, cloud: &Cloud) {
    loop {
        let service = match app.embeddings().await {
            Ok(service) => service,
            Err(error) => {
                tracing::warn!(error = chain(&error), "could not read the settings for jobs in the cloud; retrying");
                return;
            }
        };
        match next(app, cloud, service.as_ref()).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(error = chain(&error), "could not work on jobs in the cloud; retrying");
                return;
            }
        }
    }
}

async fn next(app: &App, cloud: &Cloud, service: Option<&EmbeddingService>) -> ActionResult<bool> {
    let claimed = claim_next(&app.database, app.config.limits.lease).await?;
    Ok(step_next(&app.database, cloud, app.ask_forge.as_ref(), service).await? || claimed)
}
