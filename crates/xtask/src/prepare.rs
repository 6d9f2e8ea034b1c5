//! `.sqlx/`: what the query macros know of the database, so that compiling needs none.
//!
//! The macros write their data when they run with a database and `SQLX_OFFLINE_DIR`. They run when their file is
//! compiled, so each file with a query is made to look new, and gets its time back afterwards: other builds of the same
//! target directory then stay as they are.

use crate::migrations;
use crate::run::{cargo, root, run};
use anyhow::{Context, bail, ensure};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use terarchitect_testbed::postgres::{Options, TestPostgres};

/// Renews `.sqlx/`, or fails when it is out of date.
pub(crate) fn prepare(check: bool) -> anyhow::Result<()> {
    let made = tempfile::tempdir().context("could not create a temporary directory")?;
    describe_queries(made.path())?;
    let (old, new) = (query_files(&root().join(".sqlx"))?, query_files(made.path())?);
    ensure!(!new.is_empty(), "no query macro ran, so .sqlx/ was left as it is");
    let stale: Vec<&String> = old.keys().filter(|name| !new.contains_key(*name)).collect();
    let changed: Vec<&String> =
        new.iter().filter(|(name, data)| old.get(*name) != Some(data)).map(|(n, _)| n).collect();
    if check {
        for name in &stale {
            println!("no query uses .sqlx/{name}");
        }
        for name in &changed {
            println!("missing or out of date: .sqlx/{name}");
        }
        if stale.is_empty() && changed.is_empty() {
            return Ok(());
        }
        bail!(".sqlx/ is out of date; run cargo xtask prepare");
    }
    let folder = root().join(".sqlx");
    fs::create_dir_all(&folder).context("could not create .sqlx/")?;
    for name in &stale {
        fs::remove_file(folder.join(name)).with_context(|| format!("could not delete .sqlx/{name}"))?;
    }
    for name in &changed {
        fs::write(folder.join(name), &new[*name]).with_context(|| format!("could not write .sqlx/{name}"))?;
    }
    println!("{} queries; {} written, {} deleted", new.len(), changed.len(), stale.len());
    Ok(())
}

/// Compiles every query against a database with all migrations; the macros write their data to `folder`.
fn describe_queries(folder: &Path) -> anyhow::Result<()> {
    let postgres = TestPostgres::start(&Options::default())?;
    let database = postgres.create_database(None)?;
    migrations::apply(&postgres, &database)?;
    let files = files_with_queries()?;
    let mut check = cargo();
    // All packages, not only those with queries: dependencies then have the features that clippy built them with.
    check.args(["check", "--quiet", "--locked", "--workspace", "--all-targets", "--all-features"]);
    check.env("SQLX_OFFLINE", "false").env("SQLX_OFFLINE_DIR", folder).env("DATABASE_URL", postgres.url(&database));
    let times = files.iter().map(|file| Touched::new(file)).collect::<anyhow::Result<Vec<_>>>()?;
    let done = run(&mut check);
    drop(times);
    done
}

/// A file whose time of change is now, until this is dropped.
struct Touched {
    file: File,
    before: SystemTime,
}

impl Touched {
    fn new(path: &Path) -> anyhow::Result<Self> {
        let what = || format!("could not change the time of {}", path.display());
        let file = File::options().append(true).open(path).with_context(what)?;
        let before = file.metadata().and_then(|about| about.modified()).with_context(what)?;
        file.set_modified(SystemTime::now()).with_context(what)?;
        Ok(Self { file, before })
    }
}

impl Drop for Touched {
    fn drop(&mut self) {
        // At worst the crate is compiled once more.
        let _ = self.file.set_modified(self.before);
    }
}

/// Every Rust file of the repository that calls one of sqlx's query macros.
fn files_with_queries() -> anyhow::Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![root()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("could not read {}", folder.display()))? {
            let path = entry.with_context(|| format!("could not read {}", folder.display()))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && !name.starts_with('.') && name != "target" && !path.is_symlink() {
                folders.push(path);
            } else if name.ends_with(".rs") && has_query(&fs::read_to_string(&path).unwrap_or_default()) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn has_query(text: &str) -> bool {
    text.split("query").skip(1).any(|rest| {
        let macro_name_end = rest.find(|letter: char| !letter.is_ascii_lowercase() && letter != '_');
        macro_name_end.is_some_and(|end| rest[end..].starts_with("!("))
    })
}

/// The files of a folder with query data, by name.
fn query_files(folder: &Path) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let Ok(entries) = fs::read_dir(folder) else { return Ok(files) };
    for entry in entries {
        let path = entry.with_context(|| format!("could not read {}", folder.display()))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if name.starts_with("query-") && name.ends_with(".json") {
            let data = fs::read(&path).with_context(|| format!("could not read {}", path.display()))?;
            files.insert(name.to_owned(), data);
        }
    }
    Ok(files)
}
