//! The program `terarchitect-coordinator`.

use anyhow::Context;
use clap::Parser;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use terarchitect_coordinator::config::{Cli, Config, ConfigError, LogFormat};
use terarchitect_coordinator::engine::{ContainerEngine, Docker};
use terarchitect_coordinator::run::{Coordinator, drain_on_signals, require_image};
use terarchitect_coordinator::state_dir::StateDir;
use terarchitect_worker_api::client::WorkerClient;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    start_logging(cli.log_format);
    match Box::pin(run(cli)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for line in format!("{error:#}").lines() {
                let _ = writeln!(std::io::stderr(), "terarchitect-coordinator: {line}");
            }
            ExitCode::from(if error.is::<ConfigError>() { 2 } else { 1 })
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let config = Config::parse(&cli, |name| std::env::var(name).ok())?;
    let drain = drain_on_signals(config.drain_mode).context("could not listen for signals")?;
    let state = StateDir::open(&config.state_dir)?;
    let client = WorkerClient::new(&config.api_url, config.worker_key.clone())?;
    let engine = Docker::connect(config.container.clone()).await?;
    require_image(&engine, &config.image).await?;
    let projects = match config.projects.len() {
        0 => "any project".to_owned(),
        1 => "one project".to_owned(),
        n => format!("{n} projects"),
    };
    let engine_version = engine.version().await?;
    tracing::info!(
        api.url = config.api_url,
        image = config.image,
        slots = config.slots,
        coordinator.id = %state.coordinator(),
        "claiming jobs of {projects}, running them with {engine_version}"
    );
    let ready_file = cli.ready_file;
    let ready = move || {
        if !ready_file.is_empty()
            && let Err(error) = std::fs::write(&ready_file, std::process::id().to_string())
        {
            tracing::warn!(%error, path = ready_file, "could not write the ready file");
        }
    };
    Coordinator::new(Arc::new(engine), client, state, config).run(drain, ready).await?;
    tracing::info!("stopped");
    Ok(())
}

fn start_logging(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Json => logs.json().flatten_event(true).init(),
        LogFormat::Pretty => logs.with_ansi(std::io::stderr().is_terminal()).with_target(false).init(),
    }
}
