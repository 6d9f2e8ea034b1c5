//! The connection on which the database notifies the process of changes.

use super::log_error;
use super::signals::Signals;
use crate::changes::{Database, NOTIFY_CHANNEL};
use crate::db;
use sqlx::postgres::PgListener;
use std::sync::Arc;
use std::time::Duration;
use terarchitect_worker_api::ProjectId;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Notifies about new jobs: `due:<projects>`, or `delayed`.
const JOBS_CHANNEL: &str = "terarchitect_jobs";
/// Notifies about changed settings and directives.
const SETTINGS_CHANNEL: &str = "terarchitect_settings";
/// How often the table is checked without a notification. The check also shows whether the connection is alive.
const SAFETY_INTERVAL: Duration = Duration::from_secs(15);
/// How long that check may take before the connection counts as lost.
const SAFETY_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause before the next try to listen, while the database does not respond.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Listens until `stop`. A lost connection is replaced, and then all data is checked again, since the notifications in
/// between are lost.
pub(super) async fn listen(database: Database, signals: Arc<Signals>, stop: CancellationToken) {
    loop {
        let ended = tokio::select! {
            () = stop.cancelled() => return,
            ended = listen_once(&database, &signals) => ended,
        };
        signals.not_listening();
        if let Err(error) = ended {
            log_error(&error, "lost the connection for notifications; connecting again");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RECONNECT_PAUSE) => {}
        }
    }
}

async fn listen_once(database: &Database, signals: &Signals) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(database.pool()).await?;
    listener.listen_all([JOBS_CHANNEL, SETTINGS_CHANNEL, NOTIFY_CHANNEL]).await?;
    // After the registration, so that no notification from now on is missed.
    signals.listening();
    // Needed whatever is notified: there is no notification for a row that a claim skipped because it was locked at
    // that moment.
    let mut look_at = Instant::now() + SAFETY_INTERVAL;
    loop {
        match tokio::time::timeout_at(look_at, listener.try_recv()).await {
            Ok(Ok(Some(received))) if received.channel() == SETTINGS_CHANNEL => signals.settings_changed(),
            Ok(Ok(Some(received))) if received.channel() == NOTIFY_CHANNEL => {
                database.hub().notified(received.payload());
            }
            Ok(Ok(Some(received))) => notified(signals, received.payload()),
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                look_at = Instant::now() + SAFETY_INTERVAL;
                let look = db::worker::claims::projects_with_work(&mut listener);
                let projects =
                    tokio::time::timeout(SAFETY_TIMEOUT, look).await.map_err(|_| sqlx::Error::PoolTimedOut)?;
                let projects = projects?;
                if !projects.is_empty() {
                    signals.wake(Some(projects));
                }
                // A server that has become read-only is not the one where changes are made now.
                let writable = db::connections::accepts_changes(&mut listener);
                if !tokio::time::timeout(SAFETY_TIMEOUT, writable).await.map_err(|_| sqlx::Error::PoolTimedOut)?? {
                    return Ok(());
                }
            }
        }
    }
}

fn notified(signals: &Signals, payload: &str) {
    if payload == "delayed" {
        signals.delay();
        return;
    }
    let named = payload.strip_prefix("due:").filter(|ids| !ids.is_empty());
    // Any other payload, such as that of a NOTIFY by hand, lets the claims of all projects check again.
    let projects = named.and_then(|ids| ids.split(',').map(|id| id.parse().ok()).collect::<Option<Vec<ProjectId>>>());
    signals.wake(projects);
}
