//! `terarchitect-api check-db`: whether the database can be reached, and has what this version needs.

use crate::backup::reach::Reached;
use crate::config::ServeOptions;
use crate::db;
use crate::server::stop_on_signals;
use anyhow::{Context, bail};
use std::io::Write;

/// The tables that the agent worker's guide looks for.
const TABLES: [&str; 2] = ["agent_checkpoints", "ai_jobs"];

/// Checks, and prints what was found.
///
/// # Errors
/// When the database can't be reached, or lacks something; a sentence for the terminal.
pub async fn run(options: &ServeOptions) -> anyhow::Result<()> {
    let stop = stop_on_signals().context("could not listen for signals")?;
    let reached = Reached::to_read(options, &options.data_dir()?, &stop).await?;
    let found = look(&reached).await;
    reached.leave().await?;
    found
}

async fn look(reached: &Reached) -> anyhow::Result<()> {
    let database = reached.open().await?;
    let mut out = std::io::stdout();
    let mut conn = database.read().await.context("could not read the database")?;
    writeln!(out, "✅ Database connection successful!")?;
    let mut missing = Vec::new();
    for table in TABLES {
        if db::connections::exists(&mut conn, table).await.context("could not read the database")? {
            writeln!(out, "✅ {table} table exists")?;
        } else {
            writeln!(out, "❌ {table} table is missing")?;
            missing.push(table);
        }
    }
    drop(conn);
    database.pool().close().await;
    if !missing.is_empty() {
        bail!(
            "the database lacks {}; start the API of this version once, which adds what is missing",
            missing.join(", ")
        );
    }
    writeln!(out, "✅ Database is ready for agent worker!")?;
    Ok(())
}
