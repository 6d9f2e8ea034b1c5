//! What an error of the database means. The only place that knows SQLSTATEs and names of constraints.

use crate::domain::refusal::{ErrorCode, Refusal};

/// Admin shutdown, crash shutdown, cannot connect now: the server stops or starts.
const SERVER_STOPS_OR_STARTS: &str = "57P";
/// Connection failures.
const CONNECTION_FAILED: &str = "08";
const TOO_MANY_CONNECTIONS: &str = "53300";
const DEADLOCK: &str = "40P01";

fn sqlstate(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}

/// Whether the connection or the server failed, so that the same statement may succeed on another connection.
#[must_use]
pub fn is_connection_error(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Tls(_) => true,
        error => sqlstate(error)
            .is_some_and(|code| code.starts_with(CONNECTION_FAILED) || code.starts_with(SERVER_STOPS_OR_STARTS)),
    }
}

/// Whether the database is not available at the moment, so that a client should try again later. A deadlock that was
/// lost several times counts as well.
#[must_use]
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
        error => {
            is_connection_error(error) || is_deadlock(error) || sqlstate(error).as_deref() == Some(TOO_MANY_CONNECTIONS)
        }
    }
}

/// Whether two statements waited for each other, so that the same transaction may be retried at once.
#[must_use]
pub fn is_deadlock(error: &sqlx::Error) -> bool {
    sqlstate(error).as_deref() == Some(DEADLOCK)
}

/// The constraints that a request can run into, as refusals. A row that vanished between the check and the write shows
/// up here as well.
#[must_use]
pub fn refusal(error: &sqlx::Error) -> Option<Refusal> {
    let gone = |what: &str| {
        Refusal::new(ErrorCode::NotFound, format!("The {what} has just been deleted, so nothing was changed."))
    };
    match error.as_database_error()?.constraint()? {
        "agent_jobs_live_key" => Some(job_exists()),
        "agent_jobs_ticket_id_project_id_fkey" | "execution_logs_ticket_id_project_id_fkey" => Some(gone("ticket")),
        name if name.ends_with("_project_id_fkey") => Some(gone("project")),
        _ => None,
    }
}

/// The refusal of a second live job.
#[must_use]
pub fn job_exists() -> Refusal {
    Refusal::new(ErrorCode::JobExists, "This ticket already has a job that is pending or running.")
}
