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

/// Tells of new jobs: `due:<projects>`, or `delayed`.
const JOBS_CHANNEL: &str = "terarchitect_jobs";
/// Tells of changed settings and directives.
const SETTINGS_CHANNEL: &str = "terarchitect_settings";
/// A look at the table even if nobody says that there is something new; it also shows whether the connection lives.
const SAFETY_INTERVAL: Duration = Duration::from_secs(15);
/// How long that look may take before the connection counts as lost.
const SAFETY_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two tries to listen, when the database does not answer.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Listens until `stop`. A lost connection is made again, and then everybody looks again, since what was told
/// meanwhile is lost.
pub(super) async fn listen(database: Database, signals: Arc<Signals>, stop: CancellationToken) {
    loop {
        let ended = tokio::select! {
            () = stop.cancelled() => return,
            ended = listen_once(&database, &signals) => ended,
        };
        signals.deaf();
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
    // After the registration, so that nothing that is told from now on is missed.
    signals.heard();
    // Whatever else is told: a claim that skipped a row which somebody held at that moment is told of by nobody.
    let mut look_at = Instant::now() + SAFETY_INTERVAL;
    loop {
        match tokio::time::timeout_at(look_at, listener.try_recv()).await {
            Ok(Ok(Some(told))) if told.channel() == SETTINGS_CHANNEL => signals.settings_changed(),
            Ok(Ok(Some(told))) if told.channel() == NOTIFY_CHANNEL => database.hub().notified(told.payload()),
            Ok(Ok(Some(told))) => heard(signals, told.payload()),
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
            }
        }
    }
}

fn heard(signals: &Signals, payload: &str) {
    if payload == "delayed" {
        signals.delay();
        return;
    }
    let named = payload.strip_prefix("due:").filter(|ids| !ids.is_empty());
    // Anything that is not understood, such as a person's NOTIFY by hand, means: look everywhere.
    let projects = named.and_then(|ids| ids.split(',').map(|id| id.parse().ok()).collect::<Option<Vec<ProjectId>>>());
    signals.wake(projects);
}
