//! `cargo xtask`: what a contributor types, in one place, with nothing to install or set up first.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is for the terminal")]

mod migrations;
mod prepare;
mod run;

use clap::{Parser, Subcommand};
use std::process::{self, ExitCode};

/// The repository's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Format the code and apply what clippy can fix by itself
    Fix,
    /// Run scripts/test, with its arguments
    Test {
        /// Such as --quick or --full
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
        args: Vec<String>,
    },
    /// Run the API's tests alone, with cargo nextest where it is installed
    TestApi {
        /// Arguments for the test runner, such as part of a test's name
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
        args: Vec<String>,
    },
    /// Renew .sqlx/ after a change of a query or a migration, with a private Postgres
    Prepare {
        /// Change nothing; fail when .sqlx/ is out of date
        #[arg(long)]
        check: bool,
    },
    /// Renew openapi.json and docs/errors.md after a change of a route, of a type of the API or of an error code
    Openapi,
    /// Add an empty migration with the next number
    NewMigration {
        /// What the migration does, in words: this becomes part of the file's name
        #[arg(required = true, value_name = "NAME")]
        name: Vec<String>,
    },
    /// Run a command with a private Postgres that its tests share, and stop that Postgres afterwards
    WithPostgres {
        /// Such as cargo nextest run
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Build the agent image: scripts/build-agent-image, with its arguments
    Image {
        /// Such as --tag NAME
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    match execute(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Fix => run::fix(),
        Command::Test { args } => run::script("test", &args),
        Command::TestApi { args } => run::test_api(&args),
        Command::Prepare { check } => prepare::prepare(check),
        Command::Openapi => run::openapi(),
        Command::NewMigration { name } => migrations::new_migration(&name.join(" ")),
        Command::WithPostgres { command } => run::with_postgres(process::Command::new(&command[0]).args(&command[1..])),
        Command::Image { args } => run::script("build-agent-image", &args),
    }
}
