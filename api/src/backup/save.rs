//! Writing a backup.

use super::file::{Output, not_written};
use super::format::{Header, Totals, Writer};
use super::key::{self, WrappedKey};
use super::reach::Reached;
use super::say;
use crate::config::{BackupOptions, ServeOptions, non_empty};
use crate::db::backup::{Snapshot, Table};
use crate::sealing::Sealer;
use crate::server::stop_on_signals;
use anyhow::{Context, bail, ensure};
use chrono::Utc;
use futures::TryStreamExt;
use secrecy::SecretString;
use sqlx::postgres::PgConnectOptions;
use std::io::Write;
use std::path::Path;

/// Writes everything in the database into one file.
///
/// # Errors
/// When there is no database, or the file can't be written; no file is left then.
pub async fn save(options: &ServeOptions, backup: &BackupOptions) -> anyhow::Result<()> {
    let stop = stop_on_signals().context("could not listen for signals")?;
    let data_dir = options.data_dir()?;
    let output = Output::open(&backup.file, backup.force)?;
    let passphrase = if backup.with_key { Some(key::passphrase(&backup.passphrase, true)?) } else { None };
    let reached = Reached::to_read(options, &data_dir, &stop).await?;
    let saved = tokio::select! {
        saved = write(reached.connect.clone(), options, &data_dir, passphrase, output) => saved,
        () = stop.cancelled() => Err(anyhow::anyhow!("stopped before the backup was whole; no file was left")),
    };
    reached.leave().await?;
    saved
}

async fn write(
    connect: PgConnectOptions,
    options: &ServeOptions,
    data_dir: &Path,
    passphrase: Option<SecretString>,
    output: Output,
) -> anyhow::Result<()> {
    let mut snapshot = Snapshot::begin(connect).await?;
    let sealer = Sealer::existing(non_empty(options.secret_key.as_ref()).as_ref(), data_dir)?;
    let key = match &passphrase {
        Some(passphrase) => Some(wrap(sealer.as_ref(), &snapshot.key_ids, passphrase)?),
        None => None,
    };
    let key_ids = snapshot.key_ids.clone();
    let (output, totals) = write_snapshot(&mut snapshot, key, output).await?;
    output.keep()?;
    // The file is whole; that the connection is lost now changes nothing.
    let _ = snapshot.end().await;
    say(format_args!("backup written: {} rows of {} tables", totals.values().sum::<u64>(), totals.len()));
    if passphrase.is_none() {
        say_where_the_key_is(&key_ids, options, data_dir);
    }
    Ok(())
}

/// Copies a snapshot into a backup. Returns where it was written to, and how many rows each table has.
///
/// # Errors
/// When the database is not available, or nothing can be written.
pub async fn write_snapshot<W: Write>(
    snapshot: &mut Snapshot,
    key: Option<WrappedKey>,
    to: W,
) -> anyhow::Result<(W, Totals)> {
    let header = Header {
        created_at: Utc::now(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        postgres: snapshot.postgres.clone(),
        schema: snapshot.schema.clone(),
        sequences: snapshot.sequences.clone(),
        key_ids: snapshot.key_ids.clone(),
        key,
    };
    let mut writer = Writer::begin(to, &header).map_err(not_written)?;
    let mut totals = Totals::new();
    for table in snapshot.tables.clone() {
        let rows = copy(snapshot, &table, &mut writer).await?;
        say(format_args!("  {}: {rows} rows", table.name));
        totals.insert(table.name, rows);
    }
    let to = writer.end(&totals).map_err(not_written)?;
    Ok((to, totals))
}

async fn copy<W: Write>(snapshot: &mut Snapshot, table: &Table, writer: &mut Writer<W>) -> anyhow::Result<u64> {
    writer.table(table).map_err(not_written)?;
    let mut count = 0;
    let failed = || format!("could not read the table {}", table.name);
    let mut rows = snapshot.rows(table).await.with_context(failed)?;
    // Postgres sends one row at a time.
    while let Some(row) = rows.try_next().await.with_context(failed)? {
        writer.rows(&row).map_err(not_written)?;
        count += 1;
    }
    Ok(count)
}

fn wrap(sealer: Option<&Sealer>, key_ids: &[String], passphrase: &SecretString) -> anyhow::Result<WrappedKey> {
    let Some(sealer) = sealer else {
        bail!(
            "there is no secret key to put into the backup; set TERARCHITECT_SECRET_KEY or TERARCHITECT_DATA_DIR as the API has them"
        )
    };
    for needed in key_ids {
        ensure!(
            needed == sealer.key_id(),
            "the stored secrets are encrypted with the key {needed}, and the key here is {}; set TERARCHITECT_SECRET_KEY or TERARCHITECT_DATA_DIR as the API has them",
            sealer.key_id()
        );
    }
    WrappedKey::wrap(sealer, passphrase)
}

fn say_where_the_key_is(key_ids: &[String], options: &ServeOptions, data_dir: &Path) {
    if key_ids.is_empty() {
        return say(format_args!("no secret is stored, so no secret key is needed to restore it"));
    }
    let file = Sealer::key_file(data_dir);
    let place = if non_empty(options.secret_key.as_ref()).is_some() {
        "in TERARCHITECT_SECRET_KEY".to_owned()
    } else if file.exists() {
        format!("in {}", file.display())
    } else {
        "in the API's TERARCHITECT_SECRET_KEY or data directory".to_owned()
    };
    say(format_args!(
        "the secret key is not in the backup: keep a copy of the key with the id {}, which is {place}; without it the stored secrets can't be read",
        key_ids.join(", ")
    ));
}
