//! What keeps the queue moving besides requests: waking claims that wait, making delayed jobs due, ending lost leases.
//!
//! Nothing lives here alone: any number of processes do the same on one database, and rows that one holds are skipped
//! by the others.

use crate::config::Limits;
use crate::db;
use crate::db::jobs::ReportedJob;
use crate::domain::board;
use crate::domain::outcome::{Ending, History, Outcome, decide};
use sqlx::postgres::PgListener;
use sqlx::{PgConnection, PgPool};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use terarchitect_worker_api::{JobId, JobReport, JobStatus, Reason};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The channel on which the database tells of new jobs.
const JOBS_CHANNEL: &str = "terarchitect_jobs";
/// Between two looks at leases and delayed jobs.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(2);
/// A look at the table even if nobody says that there is something new.
const SAFETY_INTERVAL: Duration = Duration::from_secs(15);
/// Between two tries to listen, when the database does not answer.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Wakes claims that wait for work.
#[derive(Debug)]
pub struct Wakeups {
    changes: watch::Sender<u64>,
    /// When leases may be ended: a lease period after the start, or after the database was lost, since nobody could
    /// renew a lease in between.
    leases_trusted_from: Mutex<Instant>,
    lease: Duration,
    closing: CancellationToken,
}

impl Wakeups {
    /// None yet.
    #[must_use]
    pub fn new(lease: Duration) -> Self {
        let (changes, _) = watch::channel(0);
        Self {
            changes,
            leases_trusted_from: Mutex::new(Instant::now() + lease),
            lease,
            closing: CancellationToken::new(),
        }
    }

    /// Tells every claim that waits to look again.
    pub fn wake(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// What a waiting claim watches; subscribe before looking at the table.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Waits until something may have changed. False when the process is about to end: nobody should wait any more.
    pub async fn changed(&self, changes: &mut watch::Receiver<u64>) -> bool {
        tokio::select! {
            changed = changes.changed() => changed.is_ok(),
            () = self.closing.cancelled() => false,
        }
    }

    fn distrust_leases(&self) {
        *self.leases_trusted_from.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + self.lease;
    }

    fn leases_are_trusted(&self) -> bool {
        Instant::now() >= *self.leases_trusted_from.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens for new jobs until `stop`. A lost connection is made again, and then everybody looks again, since what was
/// told meanwhile is lost.
pub async fn listen(pool: PgPool, wakeups: &Wakeups, stop: CancellationToken) {
    loop {
        let lost = tokio::select! {
            () = stop.cancelled() => {
                // Claims that wait would otherwise hold up an orderly end for as long as they wait.
                wakeups.closing.cancel();
                return;
            }
            ended = listen_once(&pool, wakeups) => ended,
        };
        if let Err(error) = lost {
            tracing::warn!(error = %error, "lost the connection that tells of new jobs; connecting again");
        }
        wakeups.distrust_leases();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RECONNECT_PAUSE) => {}
        }
    }
}

async fn listen_once(pool: &PgPool, wakeups: &Wakeups) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(JOBS_CHANNEL).await?;
    wakeups.wake();
    loop {
        match tokio::time::timeout(SAFETY_INTERVAL, listener.try_recv()).await {
            Ok(Ok(Some(_))) | Err(_) => wakeups.wake(),
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(error)) => return Err(error),
        }
    }
}

/// Makes delayed jobs due and ends lost leases until `stop`.
pub async fn upkeep(pool: PgPool, wakeups: &Wakeups, limits: Limits, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(UPKEEP_INTERVAL.min(limits.lease / 4)) => {}
        }
        if let Err(error) = upkeep_once(&pool, wakeups).await {
            tracing::warn!(%error, "could not look after the queue; trying again");
            wakeups.distrust_leases();
        }
    }
}

async fn upkeep_once(pool: &PgPool, wakeups: &Wakeups) -> sqlx::Result<()> {
    let mut conn = pool.acquire().await?;
    if db::jobs::make_due(&mut conn).await? > 0 {
        wakeups.wake();
    }
    drop(conn);
    if wakeups.leases_are_trusted() {
        end_lost_leases(pool).await?;
    }
    Ok(())
}

/// Ends every attempt whose lease has run out: tried again or failed, like any other infrastructure failure.
///
/// # Errors
/// When the database does not answer.
pub async fn end_lost_leases(pool: &PgPool) -> sqlx::Result<()> {
    let mut tx = pool.begin().await?;
    let lost = db::jobs::lost_leases(&mut tx).await?;
    for (id, job) in &lost {
        tracing::warn!(job.id = %id, attempt = job.attempt, worker.id = job.worker_id, "a lease ran out");
        let detail = Some("its worker was not heard of in time".to_owned());
        let report = JobReport { detail, ..JobReport::default() };
        end_attempt(&mut tx, *id, job, Ending::Failed(Reason::LeaseLost), &report).await?;
    }
    tx.commit().await
}

/// Ends a job's running attempt: decides what becomes of the job, keeps the attempt, and moves the ticket's status.
/// The job's row must be locked by this transaction.
///
/// # Errors
/// When the database does not answer.
pub async fn end_attempt(
    conn: &mut PgConnection,
    id: JobId,
    job: &ReportedJob,
    ending: Ending,
    report: &JobReport,
) -> sqlx::Result<JobStatus> {
    let history = History {
        cancel_requested: job.cancel_requested,
        failures: job.failures,
        retry_agent_failures: job.retry_agent_failures,
    };
    let (status, outcome, reason) = match decide(ending, history, rand::random()) {
        Outcome::Final(status, reason) => {
            db::jobs::finish(conn, id, status, reason.as_str()).await?;
            settle_ticket(conn, job, status).await?;
            (status, status.as_str(), reason)
        }
        Outcome::Retry { after, reason } => {
            db::jobs::retry(conn, id, after).await?;
            tracing::info!(job.id = %id, reason = reason.as_str(), wait_ms = after.as_millis(), "the job is tried again");
            (JobStatus::Pending, "retried", reason)
        }
        Outcome::HandBack => {
            db::jobs::hand_back(conn, id).await?;
            (JobStatus::Pending, "released", Reason::Other("released".to_owned()))
        }
    };
    let ended = db::attempts::EndedAttempt {
        job_id: id,
        attempt: job.attempt,
        worker_id: job.worker_id.as_deref(),
        claimed_at: job.claimed_at,
        outcome,
        reason: reason.as_str(),
    };
    db::attempts::insert(conn, &ended, report).await?;
    tracing::info!(job.id = %id, attempt = job.attempt, status = status.as_str(), reason = reason.as_str(), "an attempt ended");
    Ok(status)
}

/// What the end of a job means for its ticket. A completed one says so by itself, through its runner.
async fn settle_ticket(conn: &mut PgConnection, job: &ReportedJob, status: JobStatus) -> sqlx::Result<()> {
    if job.requeue_requested {
        db::tickets::set_cancel_requested(conn, job.ticket_id, false).await?;
        db::jobs::enqueue(conn, job.project_id, job.ticket_id, job.kind).await?;
        return Ok(());
    }
    match status {
        JobStatus::Cancelled => {
            db::tickets::settle(conn, job.ticket_id, board::STATUS_CANCELLED).await?;
            db::tickets::set_cancel_requested(conn, job.ticket_id, false).await?;
        }
        JobStatus::Failed => db::tickets::settle(conn, job.ticket_id, board::STATUS_FAILED).await?,
        JobStatus::Pending | JobStatus::Running | JobStatus::Completed => {}
    }
    Ok(())
}
