//! The program `agent-runner`.

use clap::Parser;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use terarchitect_agent_runner::agent::guard::stand_guard;
use terarchitect_agent_runner::attempt::{AttemptError, Finished, Warm, make_attempt};
use terarchitect_agent_runner::cancel;
use terarchitect_agent_runner::cli::{Cli, LogFormat};
use terarchitect_agent_runner::config::Config;
use terarchitect_agent_runner::open_files;
use terarchitect_agent_runner::printed::{MaskedStderr, masked};
use terarchitect_agent_runner::stdin_secrets::{self, StdinError};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    if stand_guard() { ExitCode::SUCCESS } else { work() }
}

#[tokio::main]
async fn work() -> ExitCode {
    let cli = Cli::parse();
    start_logging(cli.options.log_format);
    open_files::raise_limit();
    match start(cli).await {
        Ok(finished) => {
            show(&finished);
            ExitCode::SUCCESS
        }
        Err((code, text)) => {
            for line in masked(&text).lines() {
                let _ = writeln!(std::io::stderr(), "agent-runner: {line}");
            }
            ExitCode::from(code)
        }
    }
}

async fn start(cli: Cli) -> Result<Finished, (u8, String)> {
    let failed = |error: AttemptError| (error.exit_code(), error.chain());
    let not_read =
        |error: StdinError| (if matches!(error, StdinError::Malformed(_)) { 2 } else { 75 }, error.to_string());
    let (Cli { command, mut options }, mut warm) = (cli, Warm::default());
    if options.warm.trim() == "1" {
        warm = Warm::get_ready(&options).await;
        tracing::info!("ready; waiting for a job");
        let variables = stdin_secrets::wait_for_job().await.map_err(not_read)?;
        options = Cli::with_variables(&variables).map_err(|error| (2, error.to_string()))?.options;
    } else if options.secrets_stdin.trim() == "1" {
        stdin_secrets::read(&mut options).await.map_err(not_read)?;
    }
    let config = Config::parse(command, &options).map_err(|error| failed(error.into()))?;
    let token = CancellationToken::new();
    let terminated =
        cancel::on_signals(token.clone()).map_err(|error| (1, format!("could not listen for signals: {error}")))?;
    let made = Box::pin(make_attempt(config, options, token, warm)).await;
    made.map_err(|error| match error.exit_code() {
        130 => (terminated.exit_code(), error.chain()),
        _ => failed(error),
    })
}

/// Logs what happens where there is no terminal. In a terminal the status line shows it, and the log only has warnings.
fn start_logging(format: LogFormat) {
    let terminal = std::io::stderr().is_terminal();
    let level = if terminal { "warn" } else { "info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| MaskedStderr);
    // A line that can't be written, to a full disk or a reader that has ended, must not end the program.
    let logs = logs.log_internal_errors(false);
    match format {
        LogFormat::Json => logs.json().flatten_event(true).init(),
        LogFormat::Pretty => logs.with_ansi(terminal).with_target(false).init(),
    }
}

fn show(finished: &Finished) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}\n\n{}\n", masked(finished.summary.trim()), masked(&finished.diffstat));
    for (phase, took) in &finished.phases {
        let _ = writeln!(out, "{:>7.1}s  {phase}", took.as_secs_f64());
    }
    let _ = writeln!(out, "\nbranch        {}", finished.branch);
    let pull = finished.pull_url.as_deref().unwrap_or("none");
    let _ = writeln!(out, "pull request  {pull}");
}
