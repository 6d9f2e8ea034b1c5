//! The commands that only call cargo or a script.

use anyhow::{Context, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use terarchitect_testbed::postgres::{ADDRESS_VARIABLE, Options, TestPostgres};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_owned()
}

/// Cargo in the repository's root, with queries checked against `.sqlx/`.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).env("SQLX_OFFLINE", "true");
    command
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("could not run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed ({status})");
    Ok(())
}

pub(crate) fn script(name: &str, args: &[String]) -> anyhow::Result<()> {
    run(Command::new(root().join("scripts").join(name)).args(args))
}

pub(crate) fn fix() -> anyhow::Result<()> {
    // Clippy first: its suggestions are not always formatted.
    run(cargo().args(["clippy", "--fix", "--allow-dirty", "--allow-staged"]).args([
        "--workspace",
        "--all-targets",
        "--all-features",
    ]))?;
    run(cargo().args(["fmt", "--all"]))
}

pub(crate) fn test_api(args: &[String]) -> anyhow::Result<()> {
    let nextest = cargo().args(["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let with: &[&str] = match nextest {
        Ok(status) if status.success() => &["nextest", "run"],
        _ => &["test"],
    };
    with_postgres(cargo().args(with).args(["--package", "terarchitect-api"]).args(args))
}

/// Runs a command with a Postgres that all its processes share. It ends with this process, however that ends: its
/// supervisor reads from a pipe of this process.
pub(crate) fn with_postgres(command: &mut Command) -> anyhow::Result<()> {
    let settings = "-c max_connections=500".to_owned();
    let postgres = TestPostgres::start(&Options { settings, ..Options::default() })?;
    run(command.env(ADDRESS_VARIABLE, postgres.address()))
}

/// The test that compares the committed documents writes them, where this is set.
pub(crate) fn openapi() -> anyhow::Result<()> {
    let mut command = cargo();
    command.args(["test", "--quiet", "--package", "terarchitect-api", "--test", "it", "the_committed_documents"]);
    run(command.env("UPDATE_OPENAPI", "1").env("SQLX_OFFLINE", "true"))
}
