//! The migrations folder: the next file in it, and a database with all of them.

use crate::run::root;
use anyhow::{Context, ensure};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use terarchitect_testbed::postgres::TestPostgres;

/// All migrations, in the order of their numbers.
fn migrations() -> anyhow::Result<Vec<(u32, PathBuf)>> {
    let folder = root().join("migrations");
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("could not read {}", folder.display()))? {
        let path = entry.with_context(|| format!("could not read {}", folder.display()))?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.split_once('_')?.0.parse().ok());
        if let (Some(number), Some("sql")) = (number, path.extension().and_then(|extension| extension.to_str())) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

/// Applies all migrations to a database, each in a transaction of its own, as the API does.
pub(crate) fn apply(postgres: &TestPostgres, database: &str) -> anyhow::Result<()> {
    for (_, path) in migrations()? {
        let output = Command::new(postgres.binaries().join("psql"))
            .args(["-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-d", &postgres.url(database), "-f"])
            .arg(&path)
            .output()
            .context("could not run psql")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} could not be applied: {said}", path.display());
    }
    Ok(())
}

/// Writes an empty migration with the next number.
pub(crate) fn new_migration(name: &str) -> anyhow::Result<()> {
    let words: Vec<String> = name
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    ensure!(
        !words.is_empty(),
        "the migration's name {name:?} has no letters or digits; describe in words what it changes"
    );
    let number = migrations()?.last().map_or(1, |(number, _)| number + 1);
    let path = root().join("migrations").join(format!("{number:04}_{}.sql", words.join("_")));
    let header =
        format!("-- {name}: what changes, and why.\n-- Forward only: a released migration is never edited.\n\n");
    fs::write(&path, header).with_context(|| format!("could not write {}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}
