//! The only SQL: one file per table, functions over a connection. Transactions are opened by the routes.
//!
//! **Lock order**: a ticket's move lock ([`tickets::lock_moves`]), then its job's row, then the ticket's row.

pub mod attempts;
pub mod boards;
pub mod claims;
pub mod coordinators;
pub mod graphs;
pub mod job_list;
pub mod jobs;
pub mod logs;
pub mod memory;
pub mod notes;
pub mod projects;
pub mod queue_depth;
pub mod settings;
pub mod tickets;

use sqlx::PgPool;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::time::Duration;

/// The schema, in order; compiled in, so that the binary carries what it needs.
pub static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// Opens the pool. A connection that can't be had within five seconds is an error, so that a caller gets an answer.
///
/// # Errors
/// When the database does not answer or refuses.
pub async fn connect(options: PgConnectOptions, max_connections: u32) -> sqlx::Result<PgPool> {
    // The statements here are short; compiling one of them costs more than it ever saves.
    let options = options.application_name("terarchitect-api").options([("jit", "off")]);
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(Duration::from_secs(5))
        .connect_with(options)
        .await
}
