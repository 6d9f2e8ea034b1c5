//! Forgets links, sessions and sign-ins of programs that hold no more, and failed sign-ins that no longer count.

use crate::db;
use crate::state::App;
use std::time::Duration;
use terarchitect_outbound::chain;
use tokio_util::sync::CancellationToken;

/// The pause between two rounds.
const INTERVAL: Duration = Duration::from_secs(3600);

pub(super) async fn run(app: App, stop: CancellationToken) {
    loop {
        let done = tokio::select! {
            () = stop.cancelled() => return,
            done = forget(&app) => done,
        };
        if let Err(error) = done {
            tracing::warn!(error = chain(&error), "could not forget old sign-ins; retrying later");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

async fn forget(app: &App) -> sqlx::Result<()> {
    let mut conn = app.database.read().await?;
    db::people::links::delete_old(&mut conn).await?;
    db::people::device_logins::delete_old(&mut conn).await?;
    db::people::failures::delete_old(&mut conn).await
}
