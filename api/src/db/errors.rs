//! What an error of the database means. The only place that knows SQLSTATEs and names of constraints.

use crate::domain::refusal::{ErrorCode, Refusal};

/// Admin shutdown, crash shutdown, cannot connect now: the server stops or starts.
const SERVER_STOPS_OR_STARTS: &str = "57P";
/// Connection failures.
const CONNECTION_FAILED: &str = "08";
/// Too little of something: disk, memory, connections.
const INSUFFICIENT_RESOURCES: &str = "53";
const DISK_FULL: &str = "53100";
const OUT_OF_MEMORY: &str = "53200";
const TOO_MANY_CONNECTIONS: &str = "53300";
/// The server's own input or output failed.
const IO_ERROR: &str = "58030";
/// A change over a connection to a server that accepts none, as after a failover.
const READ_ONLY: &str = "25006";
const DEADLOCK: &str = "40P01";

/// What a client is told while the database does not accept changes.
pub const READ_ONLY_SENTENCE: &str =
    "The database is read-only at the moment, as after a failover; try again soon, or make it accept changes again.";

fn sqlstate(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}

/// Whether the connection or the server failed, so that the same statement may succeed on another connection.
#[must_use]
pub fn is_connection_error(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Tls(_) => true,
        error => sqlstate(error).is_some_and(|code| {
            code.starts_with(CONNECTION_FAILED) || code.starts_with(SERVER_STOPS_OR_STARTS) || code == READ_ONLY
        }),
    }
}

/// Whether the database is not available at the moment, so that a client should try again later. A deadlock that was
/// lost several times counts as well.
#[must_use]
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
        error => {
            let lacks = |code: String| code.starts_with(INSUFFICIENT_RESOURCES) || code == IO_ERROR;
            is_connection_error(error) || is_deadlock(error) || sqlstate(error).is_some_and(lacks)
        }
    }
}

/// What a client is told about a database that is not available, as far as the database says why.
#[must_use]
pub fn why_unavailable(error: &sqlx::Error) -> &'static str {
    match sqlstate(error).as_deref() {
        Some(READ_ONLY) => READ_ONLY_SENTENCE,
        Some(DISK_FULL) => "The database's disk is full; free space there, then try again.",
        Some(OUT_OF_MEMORY) => "The database is out of memory at the moment; try again soon.",
        Some(TOO_MANY_CONNECTIONS) => {
            "The database has no connection left; try again soon, or raise its max_connections."
        }
        Some(IO_ERROR) => "The database could not read or write its disk; its log says why.",
        Some(code) if code.starts_with(SERVER_STOPS_OR_STARTS) => {
            "The database is stopping or starting; try again soon."
        }
        _ => "The database is not available at the moment; try again soon.",
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
        "scheduled_jobs_agent_id_fkey" => Some(gone("agent")),
        "people_email_key" => Some(email_taken()),
        "credentials_name_key" => Some(credential_exists()),
        "webhook_secrets_slot_key" => Some(two_secrets()),
        "agents_slug_key" => Some(slug_taken()),
        "agent_jobs_ticket_id_project_id_fkey" | "execution_logs_ticket_id_project_id_fkey" => Some(gone("ticket")),
        "work_orders_agent_id_fkey" | "agent_repos_agent_id_fkey" => Some(gone("agent")),
        name if name.ends_with("_ticket_id_fkey") => Some(gone("ticket")),
        name if name.ends_with("_project_id_fkey") => Some(gone("project")),
        _ => None,
    }
}

/// The refusal of a second live job.
#[must_use]
pub fn job_exists() -> Refusal {
    Refusal::new(ErrorCode::JobExists, "This ticket already has a job that is pending or running.")
}

/// The refusal of a second account with the same address.
#[must_use]
pub fn email_taken() -> Refusal {
    let sentence = "An account with this email address exists already; sign in, or ask an admin for a link.";
    Refusal::new(ErrorCode::EmailTaken, sentence)
}

/// The refusal of a second credential with the same name.
#[must_use]
pub fn credential_exists() -> Refusal {
    let sentence =
        "There is a credential of this name for the same projects already; delete it first, or use another name.";
    Refusal::new(ErrorCode::NameTaken, sentence)
}

/// The refusal of a third secret.
#[must_use]
pub fn two_secrets() -> Refusal {
    let sentence =
        "Two secrets are valid here already; delete the one that the forge no longer uses, then make another.";
    Refusal::new(ErrorCode::TwoSecrets, sentence)
}

/// The refusal of a second agent with the same slug.
#[must_use]
pub fn slug_taken() -> Refusal {
    Refusal::new(ErrorCode::NameTaken, "There is an agent with this slug already; send another 'slug'.")
}
