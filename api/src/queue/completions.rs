//! One recorder per process writes completions: those that arrive while a statement runs share the next one and its
//! commit, and every request gets its response only after that commit.

use super::own_connection::OwnConnection;
use super::{in_time, log_error};
use crate::changes::Database;
use crate::db;
use crate::db::errors::is_deadlock;
use crate::db::worker::completions::{Completion, Recorded};
use crate::domain::jobs::attempt::AttemptOutcome;
use crate::metrics::{AttemptEnd, Metrics};
use std::collections::HashSet;
use std::sync::Arc;
use terarchitect_worker_api::Reason;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// The most completions in one statement.
const BATCH: usize = 256;

/// A completion, and who waits for it to be recorded.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) completion: Completion,
    pub(super) reply: oneshot::Sender<Result<bool, Arc<sqlx::Error>>>,
}

/// Records completions until the last request has got its response.
pub(super) async fn record(
    database: Database,
    metrics: Arc<Metrics>,
    mut requests: mpsc::UnboundedReceiver<Request>,
    last_request: CancellationToken,
) {
    let mut connection = OwnConnection::new(database.pool().clone());
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            received = requests.recv_many(&mut batch, BATCH) => if received == 0 { break },
            () = last_request.cancelled() => break,
        }
        // Requests that are read at this moment come along: a yield costs next to nothing against a commit.
        tokio::task::yield_now().await;
        while batch.len() < BATCH
            && let Ok(request) = requests.try_recv()
        {
            batch.push(request);
        }
        // Rows are locked in one order everywhere, so that statements of two processes don't wait for each other; and
        // of two reports about one job, the second learns that the first was recorded.
        batch.sort_by_key(|request| request.completion.job_id);
        let mut seen = HashSet::new();
        let (first, repeated): (Vec<_>, Vec<_>) =
            batch.drain(..).partition(|request| seen.insert(request.completion.job_id));
        let completions: Vec<&Completion> = first.iter().map(|request| &request.completion).collect();
        match record_batch(&mut connection, &completions).await {
            Ok(recorded) => {
                metrics.completion_statement();
                database.hub().committed();
                for request in first {
                    let done = recorded.get(&request.completion.job_id);
                    if let Some(ended) = done {
                        metrics.attempt_ended(&AttemptEnd {
                            outcome: AttemptOutcome::Completed,
                            reason: Reason::Completed,
                            ran: Some(ended.ran),
                        });
                        tracing::info!(job.id = %request.completion.job_id, attempt = ended.attempt, "an attempt completed");
                    }
                    let _ = request.reply.send(Ok(done.is_some()));
                }
                repeated.into_iter().for_each(|request| drop(request.reply.send(Ok(false))));
            }
            Err(error) => {
                log_error(&error, "could not record completions");
                let error = Arc::new(error);
                first.into_iter().chain(repeated).for_each(|request| drop(request.reply.send(Err(error.clone()))));
            }
        }
    }
    connection.close().await;
}

async fn record_batch(connection: &mut OwnConnection, completions: &[&Completion]) -> sqlx::Result<Recorded> {
    let mut tries = 0;
    loop {
        tries += 1;
        match in_time(db::worker::completions::complete_many(connection.get().await?, completions)).await {
            Ok(recorded) => return Ok(recorded),
            Err(error) => {
                connection.forget();
                // Not retried after the connection broke: what was recorded before that would then look refused. The
                // client repeats its report and learns that it was recorded.
                if tries > 3 || !is_deadlock(&error) {
                    return Err(error);
                }
            }
        }
    }
}
