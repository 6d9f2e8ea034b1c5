//! Deletes events, log entries, diffs, messages, deliveries, finished posts and finished jobs that are old, but nothing that a live job or
//! an open ticket needs; and entries of the audit, which have a time of their own.

use crate::changes::Database;
use crate::db;
use crate::state::App;
use std::time::Duration;
use terarchitect_outbound::chain;
use tokio_util::sync::CancellationToken;

/// The pause between two rounds.
const INTERVAL: Duration = Duration::from_secs(3600);
/// How many rows of each table are deleted in one transaction, so that none takes long.
const BATCH: i64 = 500;
/// The pause between two such transactions: deleting old records must not slow down new ones.
const PAUSE: Duration = Duration::from_millis(200);

pub(super) async fn run(app: App, stop: CancellationToken) {
    let (keep, keep_audit) = (app.config.limits.retention, app.config.limits.audit_retention);
    if keep.is_none() && keep_audit.is_none() {
        return;
    }
    loop {
        let deleted = tokio::select! {
            () = stop.cancelled() => return,
            deleted = delete_all(&app.database, keep, keep_audit) => deleted,
        };
        if let Err(error) = deleted {
            tracing::warn!(error = chain(&error), "could not delete old records; retrying later");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

async fn delete_all(database: &Database, keep: Option<Duration>, keep_audit: Option<Duration>) -> sqlx::Result<()> {
    if let Some(keep) = keep {
        delete_old(database, keep, PAUSE).await?;
    }
    match keep_audit {
        Some(keep) => delete_old_audit(database, keep, PAUSE).await,
        None => Ok(()),
    }
}

/// Deletes entries of the audit that are older than `keep`, in small transactions with a pause after each.
///
/// # Errors
/// When the database is not available.
pub async fn delete_old_audit(database: &Database, keep: Duration, pause: Duration) -> sqlx::Result<()> {
    let mut entries = 0;
    loop {
        let mut tx = database.transaction().await?;
        let deleted = db::people::audit::delete_old(&mut tx, keep, BATCH).await?;
        tx.commit().await?;
        if deleted == 0 {
            break;
        }
        entries += deleted;
        tokio::time::sleep(pause).await;
    }
    if entries > 0 {
        tracing::info!(entries, "deleted old entries of the audit");
    }
    Ok(())
}

/// Deletes what is older than `keep`, in small transactions with a pause after each.
///
/// # Errors
/// When the database is not available.
pub async fn delete_old(database: &Database, keep: Duration, pause: Duration) -> sqlx::Result<()> {
    let (mut jobs, mut logs, mut shown, mut delivered, mut events) = (0, 0, 0, 0, 0);
    loop {
        let mut tx = database.transaction().await?;
        db::prefer_indexes(&mut tx).await?;
        let old_jobs = db::jobs::due::delete_finished(&mut tx, keep, BATCH).await?;
        let old_logs = db::tickets::old::delete_logs(&mut tx, keep, BATCH).await?;
        let old_diffs = db::tickets::old::delete_diffs(&mut tx, keep, BATCH).await?;
        let old_messages = db::tickets::old::delete_messages(&mut tx, keep, BATCH).await?;
        let old_deliveries = db::forges::deliveries::delete_old(&mut tx, keep, BATCH).await?;
        let old_posts = db::forges::posts::delete_old(&mut tx, keep, BATCH).await?;
        let old_runs = db::schedules::runs::delete_old(&mut tx, keep, BATCH).await?;
        let old_notices = db::cloud::notices::delete_old(&mut tx, keep, BATCH).await?;
        let old_events = db::live::events::delete_old(&mut tx, keep, BATCH).await?;
        tx.commit().await?;
        let old_shown = old_diffs + old_messages;
        (jobs, logs, shown, events) =
            (jobs + old_jobs + old_runs, logs + old_logs, shown + old_shown, events + old_events);
        let old_delivered = old_deliveries + old_posts + old_notices;
        delivered += old_delivered;
        if old_jobs + old_runs + old_logs + old_shown + old_delivered + old_events == 0 {
            break;
        }
        tokio::time::sleep(pause).await;
    }
    if jobs + logs + shown + delivered + events > 0 {
        tracing::info!(
            jobs,
            log_entries = logs,
            diffs_and_messages = shown,
            deliveries_and_posts = delivered,
            events,
            "deleted old records"
        );
    }
    Ok(())
}
