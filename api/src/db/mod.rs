//! The only SQL: functions over a connection. Transactions are opened by actions, through [`crate::changes`].
//!
//! **Lock order**: a ticket's move lock ([`tickets::lock_moves`]), then its job's row, then the job's checkpoints, then the ticket's row, then the ticket's
//! activity ([`tickets::activity`]), then its work order ([`work_orders`]), then its pull request, then the comments on it ([`forges`]). A delivery that is worked on is locked
//! before all of them, and what wakes deliveries skips those. What stops every job takes the claims' lock ([`live::fleet::lock_claims`]) before the
//! jobs' rows, as claims do, and no move lock. A schedule that is fired or changed is locked before its order's ticket is made.

pub mod agent_tasks;
pub mod agents;
pub mod backup;
pub mod checkpoints;
pub mod cloud;
pub mod connections;
pub mod errors;
pub mod forges;
pub mod jobs;
pub mod knowledge;
pub mod live;
pub mod people;
pub mod projects;
pub mod schedules;
pub mod suitability;
pub mod system;
pub mod tickets;
pub mod words;
pub mod work_orders;
pub mod worker;

pub use connections::{APPLICATION_NAME, connect};

use sqlx::PgConnection;
use sqlx::migrate::Migrator;

/// The schema, in order; compiled in, so that the binary carries what it needs.
pub static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// For the rest of the transaction, whose first statement this is: every read sees the same state.
pub async fn repeatable_reads(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("set transaction isolation level repeatable read, read only").execute(conn).await?;
    Ok(())
}

/// For the rest of the transaction: use indexes, also where the planner expects that reading a table from its start would
/// find something soon.
pub async fn prefer_indexes(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("set local enable_seqscan = off").execute(conn).await?;
    Ok(())
}
