//! The program `terarchitect-testbed`.

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use terarchitect_testbed::chat::{ChatServer, Script};
use terarchitect_testbed::demo::Demo;
use tokio::signal::unix::{SignalKind, signal};

/// Stand-ins for the chat model and the forge, for tests and the demonstration.
#[derive(Debug, Parser)]
#[command(name = "terarchitect-testbed", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the scripted chat model alone.
    Chat(Options),
    /// Serve the scripted chat model, and a local forge with a sample repository.
    Demo {
        #[command(flatten)]
        options: Options,
        /// Where repositories and pull requests are kept.
        #[arg(long, value_name = "DIR")]
        data_dir: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Options {
    /// Addresses to listen on; port 0 picks a free port, the same for all.
    #[arg(long, value_delimiter = ',', default_value = "127.0.0.1:0", value_name = "HOST:PORT,…")]
    listen: Vec<SocketAddr>,
    /// The model's script [default: the demonstration's].
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Write a JSON file with the addresses once everything listens.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

impl Options {
    fn script(&self) -> anyhow::Result<Script> {
        let Some(path) = &self.script else { return Ok(Script::demo()) };
        let text = std::fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
        Script::parse(&text).with_context(|| format!("in {}", path.display()))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (_chat, _demo) = match Cli::parse().command {
        Command::Chat(options) => {
            let chat = ChatServer::start_on(&options.listen, options.script()?, None).await?;
            ready(
                options.ready_file.as_deref(),
                &serde_json::json!({"chat_url": chat.base_url(), "pid": std::process::id()}),
            )?;
            (Some(chat), None)
        }
        Command::Demo { options, data_dir } => {
            let demo = Demo::start(&options.listen, &data_dir, options.script()?).await?;
            ready(options.ready_file.as_deref(), &demo.describe())?;
            (None, Some(demo))
        }
    };
    tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
    tracing::info!("stopped");
    Ok(())
}

/// Writes the addresses to the log and to the ready file, which appears whole or not at all.
fn ready(file: Option<&Path>, what: &serde_json::Value) -> anyhow::Result<()> {
    tracing::info!(chat.url = %what["chat_url"], repo.url = %what["repo_url"], "ready");
    let Some(file) = file else { return Ok(()) };
    let draft = file.with_extension("new");
    std::fs::write(&draft, what.to_string())
        .and_then(|()| std::fs::rename(&draft, file))
        .with_context(|| format!("could not write {}", file.display()))
}
