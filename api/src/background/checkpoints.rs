//! Expires checkpoints that were not decided in time, and deletes conversations of jobs that have ended.

use crate::actions::ActionResult;
use crate::actions::checkpoints::decide::expire;
use crate::db;
use crate::state::App;
use std::time::Duration;
use terarchitect_outbound::chain;
use tokio_util::sync::CancellationToken;

/// The pause between two rounds: a checkpoint that waited for a day may wait a few seconds more.
const INTERVAL: Duration = Duration::from_secs(5);
/// How many are worked on in one round.
const BATCH: i64 = 100;

pub(super) async fn run(app: App, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        let done = tokio::select! {
            () = stop.cancelled() => return,
            done = round(&app) => done,
        };
        if let Err(error) = done {
            tracing::warn!(error = chain(&error), "could not expire checkpoints; retrying");
        }
    }
}

async fn round(app: &App) -> ActionResult<()> {
    let expired = db::checkpoints::expired(&mut *app.database.read().await?, BATCH).await?;
    for id in expired {
        expire(&app.database, id).await?;
    }
    let mut tx = app.database.transaction().await?;
    db::prefer_indexes(&mut tx).await?;
    db::checkpoints::conversations::delete_ended(&mut tx, BATCH).await?;
    Ok(tx.commit().await?)
}
