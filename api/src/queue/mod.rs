//! What keeps the queue moving: one dispatcher that claims for every waiting request, one recorder of completions, the
//! listener that hears of new jobs, and the upkeep of delayed jobs, lost leases and old records.
//!
//! Nothing lives here alone: any number of processes do the same on one database, and rows that one holds are skipped
//! by the others. What is kept in memory is a shortcut, dropped whenever the process can't hear of changes.

mod completions;
mod dispatcher;
mod ending;
mod grant;
mod listener;
mod own_connection;
mod signals;
mod upkeep;

pub use crate::db::attempts::Completion;
pub use dispatcher::Claim;
pub use ending::end_attempt;
pub use grant::Grant;
pub use own_connection::ONE_GOOD_PLAN;
pub use signals::Signals;
pub use upkeep::{delete_old, end_lost_leases};

use crate::config::Limits;
use crate::http::error::{ApiError, ApiResult};
use crate::metrics::Metrics;
use dispatcher::{Dispatcher, Event, Waiter};
use sqlx::PgPool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use terarchitect_outbound::chain;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The queue of this process.
#[derive(Debug)]
pub struct Queue {
    /// What the process hears and trusts.
    pub signals: Arc<Signals>,
    claims: mpsc::UnboundedSender<Event>,
    completions: mpsc::UnboundedSender<completions::Request>,
    unstarted: Mutex<Option<Unstarted>>,
    pool: PgPool,
    metrics: Arc<Metrics>,
}

/// The ends of the channels that the tasks will hold.
#[derive(Debug)]
struct Unstarted {
    claims: mpsc::UnboundedReceiver<Event>,
    completions: mpsc::UnboundedReceiver<completions::Request>,
}

/// What runs beside the requests. [`QueueTasks::finish`] after the last request.
#[derive(Debug)]
pub struct QueueTasks {
    tasks: TaskTracker,
    last_request: CancellationToken,
}

impl QueueTasks {
    /// Something else that runs beside the requests.
    pub(crate) fn also(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Waits until everything has ended.
    pub async fn finish(self) {
        self.last_request.cancel();
        self.tasks.wait().await;
    }
}

impl Queue {
    /// A queue over this database; nothing runs yet.
    #[must_use]
    pub fn new(pool: PgPool, limits: &Limits, metrics: Arc<Metrics>) -> Self {
        let (claims, claim_events) = mpsc::unbounded_channel();
        let (completions, completion_requests) = mpsc::unbounded_channel();
        let waiting = claims.clone();
        let wake = move |projects| {
            // Fails only when the dispatcher has ended, with everybody who waited.
            let _ = waiting.send(Event::Wake(projects));
        };
        Self {
            signals: Arc::new(Signals::new(wake, limits.lease)),
            claims,
            completions,
            unstarted: Mutex::new(Some(Unstarted { claims: claim_events, completions: completion_requests })),
            pool,
            metrics,
        }
    }

    /// Starts what keeps the queue moving. At `stop` waiting claims end without a job, and nothing new is claimed;
    /// completions are recorded until [`QueueTasks::finish`].
    pub fn start(&self, limits: Limits, stop: &CancellationToken) -> QueueTasks {
        let (tasks, last_request) = (TaskTracker::new(), CancellationToken::new());
        let unstarted = self.unstarted.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(unstarted) = unstarted {
            let (pool, metrics, signals) = (&self.pool, &self.metrics, &self.signals);
            let dispatcher = Dispatcher::new(pool.clone(), signals.clone(), metrics.clone(), tasks.clone());
            tasks.spawn(dispatcher.run(unstarted.claims, stop.clone()));
            let (requests, last_request) = (unstarted.completions, last_request.clone());
            tasks.spawn(completions::record(pool.clone(), metrics.clone(), requests, last_request));
            tasks.spawn(listener::listen(pool.clone(), signals.clone(), stop.clone()));
            if let Some(keep) = limits.retention {
                tasks.spawn(upkeep::retention(pool.clone(), keep, stop.clone()));
            }
            tasks.spawn(upkeep::upkeep(pool.clone(), signals.clone(), metrics.clone(), limits, stop.clone()));
        }
        tasks.close();
        QueueTasks { tasks, last_request }
    }

    /// Claims now, or as soon as there is work, until the time is over; `None` for `until` looks once. Whoever drops
    /// the returned [`Grant`] without having passed it on gives the job back.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim(&self, claim: Claim, until: Option<Instant>) -> ApiResult<Option<Grant>> {
        let asked = Instant::now();
        let (answer, mut answered) = oneshot::channel();
        let waiter = Waiter::new(claim, until.is_some(), answer);
        let granted = if self.claims.send(Event::Claim(waiter)).is_err() {
            Ok(None)
        } else if let Some(until) = until {
            let _waiting = self.metrics.claim_waits();
            match tokio::time::timeout_at(until, &mut answered).await {
                Ok(answer) => answer.unwrap_or(Ok(None)),
                Err(_) => {
                    // An answer that came at the last moment is taken all the same.
                    answered.close();
                    answered.try_recv().unwrap_or(Ok(None))
                }
            }
        } else {
            answered.await.unwrap_or(Ok(None))
        };
        self.metrics.claimed(&granted, asked.elapsed());
        granted.map_err(shared_error)
    }

    /// Records that an attempt completed. False when the report is not about a running attempt, or the end of the job
    /// means more than that; then nothing was changed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn complete(&self, completion: Completion) -> ApiResult<bool> {
        let (answer, answered) = oneshot::channel();
        if self.completions.send(completions::Request { completion, answer }).is_err() {
            return Ok(false);
        }
        match answered.await {
            Ok(answer) => answer.map_err(shared_error),
            Err(_) => Ok(false),
        }
    }
}

/// One error of the database, answered to everybody who shared the statement.
fn shared_error(error: Arc<sqlx::Error>) -> ApiError {
    ApiError::from_shared(&error)
}

/// Whether the connection or the server is to blame, so that the same may work on another connection.
fn is_connection_error(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Tls(_) => true,
        sqlx::Error::Database(database) => {
            database.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57P"))
        }
        _ => false,
    }
}

/// How long one of the queue's statements may take. A connection that died in silence would hold everybody up.
const STATEMENT_LIMIT: Duration = Duration::from_secs(20);

/// The statement's outcome, or an error of the connection where it takes too long.
async fn in_time<T>(statement: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    tokio::time::timeout(STATEMENT_LIMIT, statement).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Whether two statements waited for each other, so that the same may be tried at once.
pub(crate) fn is_deadlock(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|database| database.code()).is_some_and(|code| code == "40P01")
}

fn log_error(error: &sqlx::Error, what: &'static str) {
    tracing::warn!(error = chain(error), "{what}");
}
