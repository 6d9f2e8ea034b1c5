//! What keeps the queue moving: one dispatcher that claims for every waiting request, one recorder of completions, the
//! listener that is notified of new jobs.
//!
//! Nothing lives here alone: any number of processes do the same on one database, and rows that one holds are skipped
//! by the others. What is kept in memory is a shortcut, dropped whenever the process is not notified of changes.

mod completions;
mod dispatcher;
mod grant;
mod listener;
mod own_connection;
mod signals;

pub use crate::db::worker::completions::Completion;
pub use dispatcher::Claim;
pub use grant::Grant;
pub use own_connection::ONE_GOOD_PLAN;
pub use signals::Signals;

use crate::changes::Database;
use crate::config::Limits;
use crate::metrics::Metrics;
use dispatcher::{Dispatcher, Event, Waiter};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use terarchitect_outbound::chain;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the queue returns: one error of the database may be shared by many requests.
pub type QueueResult<T> = Result<T, Arc<sqlx::Error>>;

/// The queue of this process.
#[derive(Debug)]
pub struct Queue {
    /// What the process is notified of, and may therefore keep.
    pub signals: Arc<Signals>,
    claims: mpsc::UnboundedSender<Event>,
    completions: mpsc::UnboundedSender<completions::Request>,
    unstarted: Mutex<Option<Unstarted>>,
    database: Database,
    metrics: Arc<Metrics>,
}

/// The ends of the channels that the tasks will hold.
#[derive(Debug)]
struct Unstarted {
    claims: mpsc::UnboundedReceiver<Event>,
    completions: mpsc::UnboundedReceiver<completions::Request>,
}

impl Queue {
    /// A queue over this database; nothing runs yet.
    #[must_use]
    pub fn new(database: Database, limits: &Limits, metrics: Arc<Metrics>) -> Self {
        let (claims, claim_events) = mpsc::unbounded_channel();
        let (completions, completion_requests) = mpsc::unbounded_channel();
        let waiting = claims.clone();
        let wake = move |projects| {
            // Fails only when the dispatcher has ended, with every waiting request.
            let _ = waiting.send(Event::Wake(projects));
        };
        Self {
            signals: Arc::new(Signals::new(wake, limits.lease)),
            claims,
            completions,
            unstarted: Mutex::new(Some(Unstarted { claims: claim_events, completions: completion_requests })),
            database,
            metrics,
        }
    }

    /// Claims and listens in `tasks` until `stop`: waiting claims end then without a job. Completions are recorded until
    /// `last_request`.
    pub fn start(&self, tasks: &TaskTracker, stop: &CancellationToken, last_request: CancellationToken) {
        let Some(unstarted) = self.unstarted.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let (database, metrics, signals) = (&self.database, &self.metrics, &self.signals);
        let dispatcher = Dispatcher::new(database.clone(), signals.clone(), metrics.clone(), tasks.clone());
        tasks.spawn(dispatcher.run(unstarted.claims, stop.clone()));
        tasks.spawn(completions::record(database.clone(), metrics.clone(), unstarted.completions, last_request));
        tasks.spawn(listener::listen(database.clone(), signals.clone(), stop.clone()));
    }

    /// Claims now, or as soon as there is work, until the time is over; `None` for `until` checks once. Dropping the
    /// returned [`Grant`] before it was passed on gives the job back.
    ///
    /// # Errors
    /// When the database does not respond.
    pub async fn claim(&self, claim: Claim, until: Option<Instant>) -> QueueResult<Option<Grant>> {
        let asked = Instant::now();
        let (sender, mut reply) = oneshot::channel();
        let waiter = Waiter::new(claim, until.is_some(), sender);
        let granted = if self.claims.send(Event::Claim(waiter)).is_err() {
            Ok(None)
        } else if let Some(until) = until {
            let _waiting = self.metrics.claim_waits();
            match tokio::time::timeout_at(until, &mut reply).await {
                Ok(received) => received.unwrap_or(Ok(None)),
                Err(_) => {
                    // A result that came at the last moment is still used.
                    reply.close();
                    reply.try_recv().unwrap_or(Ok(None))
                }
            }
        } else {
            reply.await.unwrap_or(Ok(None))
        };
        self.metrics.claimed(&granted, asked.elapsed());
        granted
    }

    /// Records that an attempt completed. False when the report is not about a running attempt, or the end of the job
    /// means more than that; then nothing was changed.
    ///
    /// # Errors
    /// When the database does not respond.
    pub async fn complete(&self, completion: Completion) -> QueueResult<bool> {
        let (sender, reply) = oneshot::channel();
        if self.completions.send(completions::Request { completion, reply: sender }).is_err() {
            return Ok(false);
        }
        match reply.await {
            Ok(received) => received,
            Err(_) => Ok(false),
        }
    }
}

/// How long one of the queue's statements may take. A connection that died in silence would block every request.
const STATEMENT_LIMIT: Duration = Duration::from_secs(20);

/// The statement's outcome, or an error of the connection where it takes too long.
async fn in_time<T>(statement: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    tokio::time::timeout(STATEMENT_LIMIT, statement).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

fn log_error(error: &sqlx::Error, what: &'static str) {
    tracing::warn!(error = chain(error), "{what}");
}
