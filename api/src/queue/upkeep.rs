//! What time does to the queue: delayed jobs become due, lost leases end attempts, old records are deleted.

use super::{end_attempt, in_time, is_deadlock, log_error, signals::Signals};
use crate::config::Limits;
use crate::db;
use crate::domain::outcome::Ending;
use crate::metrics::Metrics;
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;
use terarchitect_worker_api::{JobReport, Reason};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The longest time between two looks at leases.
const LONGEST_INTERVAL: Duration = Duration::from_secs(10);
/// Between two looks for records that are old enough to be deleted.
const RETENTION_INTERVAL: Duration = Duration::from_secs(600);
/// How many jobs or log entries are deleted in one statement, so that none of them takes long.
const RETENTION_BATCH: i64 = 500;
/// Between two such statements: deleting old records must not slow what is new.
const RETENTION_PAUSE: Duration = Duration::from_millis(200);

/// Looks after delayed jobs and leases until `stop`.
pub(super) async fn upkeep(
    pool: PgPool,
    signals: Arc<Signals>,
    metrics: Arc<Metrics>,
    limits: Limits,
    stop: CancellationToken,
) {
    // A lost lease should be noticed soon after it ran out.
    let interval = (limits.lease / 6).min(LONGEST_INTERVAL);
    let mut next_leases = Instant::now() + interval;
    let mut next_due = Instant::now();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = signals.delayed.notified() => next_due = Instant::now(),
            () = tokio::time::sleep_until(next_due.min(next_leases)) => {}
        }
        let done = async {
            if Instant::now() >= next_due || Instant::now() >= next_leases {
                next_due = in_time(make_due(&pool)).await?;
            }
            if Instant::now() >= next_leases {
                next_leases = Instant::now() + interval;
                if signals.leases_are_trusted() {
                    in_time(end_lost_leases(&pool, &metrics)).await?;
                }
            }
            sqlx::Result::Ok(())
        };
        if let Err(error) = done.await {
            log_error(&error, "could not look after the queue; trying again");
            if !is_deadlock(&error) {
                signals.distrust_leases();
            }
            next_due = Instant::now() + Duration::from_secs(1);
            next_leases = Instant::now() + interval;
        }
    }
}

/// Deletes old records now and then until `stop`. Beside the rest of the upkeep: a long history takes its time.
pub(super) async fn retention(pool: PgPool, keep: Duration, stop: CancellationToken) {
    loop {
        let deleted = tokio::select! {
            () = stop.cancelled() => return,
            deleted = delete_old(&pool, keep, RETENTION_PAUSE) => deleted,
        };
        if let Err(error) = deleted {
            log_error(&error, "could not delete old records; trying again later");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RETENTION_INTERVAL) => {}
        }
    }
}

/// Makes due what is ripe, and answers when to look again.
async fn make_due(pool: &PgPool) -> sqlx::Result<Instant> {
    let mut conn = pool.acquire().await?;
    loop {
        let batch = db::jobs::make_due(&mut conn).await?;
        if !batch.more {
            let wait = batch.next.unwrap_or(Duration::from_secs(3600));
            return Ok(Instant::now() + wait);
        }
    }
}

/// Ends every attempt whose lease has run out: tried again or failed, like any other infrastructure failure.
///
/// # Errors
/// When the database does not answer.
pub async fn end_lost_leases(pool: &PgPool, metrics: &Metrics) -> sqlx::Result<()> {
    if !db::jobs::any_lease_lost(&mut *pool.acquire().await?).await? {
        return Ok(());
    }
    let mut tx = pool.begin().await?;
    let lost = db::jobs::lost_leases(&mut tx).await?;
    let mut ended = Vec::new();
    for (id, job) in &lost {
        tracing::warn!(job.id = %id, attempt = job.attempt, worker.id = job.worker_id, "a lease ran out");
        let detail = Some("its worker was not heard of in time".to_owned());
        let report = JobReport { detail, ..JobReport::default() };
        let status = end_attempt(&mut tx, *id, job, Ending::Failed(Reason::LeaseLost), &report).await?;
        ended.push((status, job.claimed_at));
    }
    tx.commit().await?;
    for (status, claimed_at) in ended {
        metrics.lease_expired();
        metrics.ended(status, &Reason::LeaseLost, claimed_at);
    }
    Ok(())
}

/// Deletes finished jobs with their attempts, and log entries, that are older than `keep`; in small batches, with a pause
/// after each.
///
/// # Errors
/// When the database does not answer.
pub async fn delete_old(pool: &PgPool, keep: Duration, pause: Duration) -> sqlx::Result<()> {
    let (mut jobs, mut logs) = (0, 0);
    loop {
        let mut tx = pool.begin().await?;
        // By its small index, also while the planner thinks that reading from the start would find something soon.
        sqlx::query("set local enable_seqscan = off").execute(&mut *tx).await?;
        let gone = db::jobs::delete_finished(&mut tx, keep, RETENTION_BATCH).await?;
        let gone_logs = db::logs::delete_old(&mut tx, keep, RETENTION_BATCH).await?;
        tx.commit().await?;
        (jobs, logs) = (jobs + gone, logs + gone_logs);
        if gone + gone_logs == 0 {
            break;
        }
        tokio::time::sleep(pause).await;
    }
    if jobs + logs > 0 {
        tracing::info!(jobs, log_entries = logs, "deleted old records");
    }
    Ok(())
}
