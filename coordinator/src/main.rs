//! The program `terarchitect-coordinator`.

use anyhow::Context;
use clap::Parser;
use sd_notify::NotifyState;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use terarchitect_coordinator::cli::{Cli, Command, LogFormat};
use terarchitect_coordinator::config::{Config, ConfigError};
use terarchitect_coordinator::doctor;
use terarchitect_coordinator::engine::{ContainerEngine, Docker, WithLocal};
use terarchitect_coordinator::service::{Coordinator, Mode, drain_on_signals};
use terarchitect_coordinator::state_dir::StateDir;
use terarchitect_worker_api::client::WorkerClient;
use tracing_subscriber::EnvFilter;

// The tasks are small: two threads are enough for any number of jobs, and each thread costs memory.
#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    start_logging(cli.options.log_format);
    match Box::pin(execute(cli)).await {
        Ok(code) => code,
        Err(error) => {
            for line in format!("{error:#}").lines() {
                let _ = writeln!(std::io::stderr(), "terarchitect-coordinator: {line}");
            }
            ExitCode::from(if error.is::<ConfigError>() { 2 } else { 1 })
        }
    }
}

async fn execute(cli: Cli) -> anyhow::Result<ExitCode> {
    let config = Config::parse(&cli.options, |name| std::env::var(name).ok())?;
    let mode = match cli.command.unwrap_or(Command::Run) {
        Command::Run => Mode::UntilDrained,
        Command::RunOnce { wait_sec } => Mode::Once { wait: Duration::from_secs(wait_sec) },
        Command::Doctor => {
            let passed =
                doctor::check(&config, &mut std::io::stdout()).await.context("could not print the findings")?;
            return Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
    };
    let drain = drain_on_signals(config.drain_mode).context("could not install the signal handlers")?;
    let state = StateDir::open(&config.state_dir)?;
    let client = WorkerClient::new(&config.api_url, config.worker_key.clone())?;
    let docker = Docker::connect(config.container.clone()).await?;
    let engine_version = docker.version().await?;
    let engine: Arc<dyn ContainerEngine> = match &config.local_runner {
        None => Arc::new(docker),
        Some(runner) => Arc::new(WithLocal::new(docker, runner.clone(), &config.state_dir)),
    };
    let projects = match config.projects.len() {
        0 => "any project".to_owned(),
        1 => "one project".to_owned(),
        n => format!("{n} projects"),
    };
    tracing::info!(
        api.url = config.api_url,
        image = config.image,
        slots = config.slots,
        coordinator.id = %state.coordinator(),
        limits = doctor::limits(&config.container),
        "starting to claim jobs of {projects} and to run them with {engine_version}"
    );
    for sentence in config.container.proxies.not_taken_over() {
        tracing::warn!("{sentence}");
    }
    for sentence in config.container.relaxed() {
        tracing::warn!("{sentence}");
    }
    if config.local_runner.is_some() {
        tracing::warn!("ALLOW_LOCAL_EXECUTION=1: agents of local projects run directly on this machine, as this user");
    }
    let ready_file = cli.options.ready_file;
    let ready = move || {
        if !ready_file.is_empty()
            && let Err(error) = std::fs::write(&ready_file, std::process::id().to_string())
        {
            tracing::warn!(%error, path = ready_file, "could not write the ready file");
        }
        notify_systemd();
    };
    Coordinator::new(engine, client, state, config).coordinate(drain, mode, ready).await?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Notifies systemd that the coordinator is ready, and feeds its watchdog if it has one, which restarts a coordinator
/// that hangs.
fn notify_systemd() {
    let notified = sd_notify::notify(false, &[NotifyState::Ready]);
    if let Err(error) = notified {
        tracing::warn!(%error, "could not notify systemd that the coordinator is ready");
    }
    let mut usec = 0;
    if sd_notify::watchdog_enabled(false, &mut usec) {
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_micros(usec / 3));
            loop {
                ticks.tick().await;
                if let Err(error) = sd_notify::notify(false, &[NotifyState::Watchdog]) {
                    tracing::warn!(%error, "could not notify systemd's watchdog");
                }
            }
        });
    }
}

fn start_logging(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A line that can't be written, to a full disk or a reader that has ended, must not end the program.
    let logs = logs.log_internal_errors(false);
    match format {
        LogFormat::Json => logs.json().flatten_event(true).init(),
        LogFormat::Pretty => logs.with_ansi(std::io::stderr().is_terminal()).with_target(false).init(),
    }
}
