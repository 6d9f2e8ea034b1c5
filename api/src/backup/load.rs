//! Loading a backup.

use super::file;
use super::format::{Frame, Header, Reader, Totals};
use super::key;
use super::reach::Reached;
use super::say;
use crate::config::{PassphraseOptions, RestoreOptions, ServeOptions, non_empty};
use crate::db::backup::{Found, Table, Target, is_known, known_version, tables_of};
use crate::sealing::Sealer;
use crate::server::{prepare_data_dir, stop_on_signals};
use anyhow::{Context, bail, ensure};
use sqlx::postgres::PgConnectOptions;
use std::path::Path;

/// A key that opens the backup's secrets.
struct Key {
    sealer: Sealer,
    /// It came with the backup, and the data directory has none yet.
    is_new: bool,
}

/// Loads a backup.
///
/// # Errors
/// When it can't be loaded; the database is as it was then.
pub async fn restore(options: &ServeOptions, restore: &RestoreOptions) -> anyhow::Result<()> {
    let stop = stop_on_signals().context("could not listen for signals")?;
    let data_dir = options.data_dir()?;
    let reader = Reader::open(file::open(&restore.file)?)?;
    check_schema(&reader.header)?;
    let key = find_key(&reader.header, options, &data_dir, &restore.passphrase)?;
    prepare_data_dir(&data_dir)?;
    let reached = Reached::to_write(options, &data_dir, &stop).await?;
    let loaded = tokio::select! {
        loaded = load(reached.connect.clone(), reader, key, &data_dir, restore.replace) => loaded,
        () = stop.cancelled() => Err(anyhow::anyhow!("stopped before everything was loaded; the database is as it was")),
    };
    reached.leave().await?;
    loaded
}

fn check_schema(header: &Header) -> anyhow::Result<()> {
    let newest = header.schema.last().context("the backup names no schema; use another copy of it")?.version;
    ensure!(
        newest <= known_version(),
        "the backup has the schema {newest}, and this program knows schemas up to {}; restore it with terarchitect-api {} or newer",
        known_version(),
        header.program
    );
    ensure!(
        header.schema.iter().all(is_known),
        "the backup was written by another build, terarchitect-api {}, whose schema differs; restore it with that one",
        header.program
    );
    Ok(())
}

/// The key for the backup's secrets: the one at hand, or else the one inside.
fn find_key(
    header: &Header,
    options: &ServeOptions,
    data_dir: &Path,
    passphrase: &PassphraseOptions,
) -> anyhow::Result<Option<Key>> {
    let at_hand = Sealer::existing(non_empty(options.secret_key.as_ref()).as_ref(), data_dir)?;
    let inside = header.key.as_ref();
    let needed: Vec<&str> = match inside {
        Some(key) => vec![&key.key_id],
        None => header.key_ids.iter().map(String::as_str).collect(),
    };
    match at_hand {
        Some(sealer) if needed.iter().all(|id| *id == sealer.key_id()) => Ok(Some(Key { sealer, is_new: false })),
        Some(sealer) => {
            let place = if non_empty(options.secret_key.as_ref()).is_some() {
                "TERARCHITECT_SECRET_KEY".to_owned()
            } else {
                Sealer::key_file(data_dir).display().to_string()
            };
            bail!(
                "the secrets in the backup are encrypted with the key {}, and {place} is the key {}; nothing was changed; put that key there, or set this one aside if the backup holds its own",
                needed.join(", "),
                sealer.key_id()
            )
        }
        None => match inside {
            Some(wrapped) => {
                let sealer = wrapped.open(&key::passphrase(passphrase, false)?)?;
                Ok(Some(Key { sealer, is_new: true }))
            }
            None if needed.is_empty() => Ok(None),
            None => bail!(
                "the secrets in the backup are encrypted with the key {}, which is not inside; nothing was changed; set TERARCHITECT_SECRET_KEY to it, or copy the file secret.key of the API that wrote them to {}",
                needed.join(", "),
                Sealer::key_file(data_dir).display()
            ),
        },
    }
}

async fn load(
    connect: PgConnectOptions,
    mut reader: Reader,
    key: Option<Key>,
    data_dir: &Path,
    replace: bool,
) -> anyhow::Result<()> {
    let header = reader.header.clone();
    let version = header.schema.last().map_or(0, |newest| newest.version);
    let mut target = Target::connect(connect).await.context("could not connect to the database")?;
    check_target(&mut target, replace).await?;
    target.prepare(version).await.context("could not create the tables; the database is as it was")?;
    let rows = load_rows(&mut target, &mut reader, version).await?;
    let failed = "could not complete the restore; the database is as it was";
    let (settings, others) = target.complete(&header.schema, &header.sequences).await.context(failed)?;
    for setting in settings {
        if let (Some(sealed), Some(id), Some(key)) = (&setting.sealed, &setting.key_id, &key) {
            key.sealer.open(&setting.key, id, sealed)?;
        }
    }
    for other in others {
        if let Some(key) = &key {
            key.sealer.open(&other.name, &other.key_id, &other.sealed)?;
        }
    }
    let ran = target.fence_jobs().await.context(failed)?;
    target.renew_events().await.context(failed)?;
    // Before the commit: a database whose key is lost would be worth less than a key without a database.
    if let Some(key) = key.filter(|key| key.is_new) {
        key.sealer.keep(data_dir)?;
        say(format_args!("the secret key {} is in {}", key.sealer.key_id(), Sealer::key_file(data_dir).display()));
    }
    target.commit().await.context(failed)?;
    say(format_args!(
        "restored {rows} rows, as of {} (terarchitect-api {}, Postgres {})",
        header.created_at.format("%F %T UTC"),
        header.program,
        header.postgres
    ));
    if ran > 0 {
        say(format_args!(
            "{ran} jobs that ran then are due again; coordinators that still run them are refused and stop their containers"
        ));
    }
    Ok(())
}

async fn check_target(target: &mut Target, replace: bool) -> anyhow::Result<()> {
    let failed = "could not read the database";
    if let Some(wrong) = target.what_is_wrong().await.context(failed)? {
        bail!(wrong);
    }
    ensure!(
        target.connections_of_apis().await.context(failed)? == 0,
        "a terarchitect-api runs on this database; stop it (systemctl stop terarchitect-api, or docker compose stop api), then restore"
    );
    match target.found().await.context(failed)? {
        Found::Empty => Ok(()),
        Found::Data if replace => Ok(()),
        Found::Data => bail!(
            "the database holds data; nothing was changed; restore into an empty database, or add --replace to replace everything in this one"
        ),
        Found::Newer(version) => bail!(
            "the database has the schema {version}, and this program knows schemas up to {}; restore into an empty database, or with a newer terarchitect-api",
            known_version()
        ),
        Found::Foreign(table) => bail!(
            "the database has a table '{table}' that Terarchitect did not create; restore into a database of its own"
        ),
    }
}

/// Loads all rows; returns how many.
async fn load_rows(target: &mut Target, reader: &mut Reader, version: i64) -> anyhow::Result<u64> {
    let known = tables_of(version);
    let mut loaded = Totals::new();
    let mut frame = reader.next_frame()?;
    loop {
        match frame {
            Frame::Table(table) => {
                ensure!(known.contains(&table.name), "the backup has an unknown table '{}'", table.name);
                let (rows, next) = load_table(target, reader, &table).await?;
                say(format_args!("  {}: {rows} rows", table.name));
                loaded.insert(table.name, rows);
                frame = next;
            }
            Frame::Rows(_) => bail!("the backup has rows without a table; use another copy of it"),
            Frame::End(totals) => {
                ensure!(
                    totals == loaded,
                    "the backup has other numbers of rows than it says; the database is as it was"
                );
                return Ok(loaded.values().sum());
            }
        }
    }
}

/// Loads the rows of one table; returns how many, and what comes after them.
async fn load_table(target: &mut Target, reader: &mut Reader, table: &Table) -> anyhow::Result<(u64, Frame)> {
    let failed = || format!("could not load the table {}; the database is as it was", table.name);
    let mut copy = target.load(table).await.with_context(failed)?;
    let next = loop {
        match reader.next_frame()? {
            Frame::Rows(bytes) => copy.send(bytes).await.with_context(failed)?,
            other => break other,
        };
    };
    let rows = copy.finish().await.with_context(failed)?;
    Ok((rows, next))
}
