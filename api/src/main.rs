//! The program `terarchitect-api`.

use anyhow::Context;
use clap::Parser;
use rustix::fs::Mode;
use rustix::process::umask;
use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use terarchitect_api::config::{Cli, Command, LogFormat};
use terarchitect_api::{admin, app, backup, check_db, server, webhooks};
use terarchitect_outbound::chain;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    close_files_to_others();
    let cli = Cli::parse();
    let outcome = match cli.command.unwrap_or(Command::Serve) {
        Command::Openapi => print_openapi(),
        Command::Backup(options) => {
            start_logging(cli.serve.log_format, "warn");
            backup::save(&cli.serve, &options).await
        }
        Command::Restore(options) => {
            start_logging(cli.serve.log_format, "warn");
            backup::restore(&cli.serve, &options).await
        }
        Command::CheckDb => {
            start_logging(cli.serve.log_format, "warn");
            check_db::run(&cli.serve).await
        }
        Command::Admin(command) => {
            start_logging(cli.serve.log_format, "warn");
            admin::run(&cli.serve, &command).await
        }
        Command::Webhooks(command) => {
            start_logging(cli.serve.log_format, "warn");
            match webhooks::run(&cli.serve, &command).await {
                Ok(true) => Ok(()),
                // What is missing has been printed.
                Ok(false) => return ExitCode::FAILURE,
                Err(error) => Err(error),
            }
        }
        Command::Serve => {
            start_logging(cli.serve.log_format, "info");
            server::run(cli.serve).await
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Printed plainly, whatever the log level: it says why the program does not run.
            let _ = writeln!(std::io::stderr(), "terarchitect-api: {}", chain(error.as_ref()));
            ExitCode::from(if error.is::<terarchitect_api::config::ConfigError>() { 2 } else { 1 })
        }
    }
}

fn print_openapi() -> anyhow::Result<()> {
    let text = app::openapi().to_pretty_json().context("could not write the OpenAPI document")?;
    match writeln!(std::io::stdout(), "{text}") {
        // A reader such as head has what it wanted.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed.context("could not print the OpenAPI document"),
    }
}

/// The files and folders that this program creates are writable for its user alone, also where it was started without a umask.
fn close_files_to_others() {
    let others_write = Mode::WGRP | Mode::WOTH;
    let before = umask(others_write);
    umask(before | others_write);
}

fn start_logging(format: LogFormat, level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A line that can't be written, to a full disk or a reader that has ended, must not end the program.
    let logs = logs.log_internal_errors(false);
    match format {
        LogFormat::Json => logs.json().flatten_event(true).init(),
        LogFormat::Pretty => logs.with_ansi(std::io::stderr().is_terminal()).with_target(false).init(),
    }
}
