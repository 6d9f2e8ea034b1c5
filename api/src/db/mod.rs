//! The only SQL: functions over a connection. Transactions are opened by actions, through [`crate::changes`].
//!
//! **Lock order**: a ticket's move lock ([`tickets::lock_moves`]), then its job's row, then the ticket's row.

pub mod backup;
pub mod errors;
pub mod jobs;
pub mod live;
pub mod projects;
pub mod system;
pub mod tickets;
pub mod words;
pub mod worker;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgConnection, PgPool};
use std::time::Duration;

/// The schema, in order; compiled in, so that the binary carries what it needs.
pub static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// What the API's connections call themselves: changes over any other connection are made by hand, and recorded in the
/// event log by triggers (`…_by_hand` in the migrations).
pub const APPLICATION_NAME: &str = "terarchitect-api";

/// Opens the pool. Waiting longer than five seconds for a connection is an error, so that a caller gets a response.
///
/// # Errors
/// When the database does not respond, or refuses the connection.
pub async fn connect(options: PgConnectOptions, max_connections: u32) -> sqlx::Result<PgPool> {
    // The statements here are short; compiling one of them costs more than it ever saves.
    let options = options.application_name(APPLICATION_NAME).options([("jit", "off")]);
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(Duration::from_secs(5))
        .connect_with(options)
        .await
}

/// For the rest of the transaction: use indexes, also where the planner expects that reading a table from its start would
/// find something soon.
pub async fn prefer_indexes(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("set local enable_seqscan = off").execute(conn).await?;
    Ok(())
}

/// The shortest possible query.
pub async fn check(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("select 1").execute(conn).await?;
    Ok(())
}
