//! The program `terarchitect-bench`: figures as ratios to references of the same run, and chaos with an account at its
//! end. `scripts/bench` and `scripts/chaos` build what it needs and call it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is for the terminal")]

mod api;
mod chaos;
mod http;
mod launch;
mod proxy;
mod queue;
mod report;
mod seed;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Measures Terarchitect against references of the same run, and breaks it on purpose.
#[derive(Debug, Parser)]
#[command(name = "terarchitect-bench", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Where the programs under test are.
#[derive(Clone, Debug, Args)]
pub(crate) struct Programs {
    /// The folder with terarchitect-api and the other programs.
    #[arg(long, default_value = "target/release", value_name = "DIR")]
    programs: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The queue's speed and cost.
    Queue {
        #[command(flatten)]
        programs: Programs,
        /// A tenth of the rows and of the time: shows that everything runs, not how fast.
        #[arg(long)]
        short: bool,
        /// Only the rows whose name contains this.
        #[arg(long, value_name = "WORD")]
        only: Option<String>,
    },
    /// How fast a claimed job runs, and what a coordinator costs.
    Launch {
        #[command(flatten)]
        programs: Programs,
        #[command(flatten)]
        images: launch::Images,
        /// A few rounds: shows that everything runs, not how fast.
        #[arg(long)]
        short: bool,
    },
    /// Coordinators on a real Docker engine, killed while they run containers.
    ChaosCoordinator {
        #[command(flatten)]
        programs: Programs,
        /// The image of the containers; it must end by itself within seconds.
        #[arg(long, value_name = "IMAGE")]
        image: String,
        /// For how long things are broken, in seconds.
        #[arg(long, default_value_t = 120, value_name = "SECONDS")]
        seconds: u64,
        /// Where the randomness starts, to repeat a run's faults.
        #[arg(long, value_name = "NUMBER")]
        seed: Option<u64>,
    },
    /// The queue under kills, restarts and cut connections.
    ChaosQueue {
        #[command(flatten)]
        programs: Programs,
        /// For how long things are broken, in seconds.
        #[arg(long, default_value_t = 120, value_name = "SECONDS")]
        seconds: u64,
        /// Where the randomness starts, to repeat a run's faults.
        #[arg(long, value_name = "NUMBER")]
        seed: Option<u64>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Queue { programs, short, only } => queue::run(&programs.programs, short, only.as_deref()).await,
        Command::Launch { programs, images, short } => Box::pin(launch::run(&programs.programs, &images, short)).await,
        Command::ChaosCoordinator { programs, image, seconds, seed } => {
            chaos::coordinator::run(&programs.programs, &image, seconds, seed).await
        }
        Command::ChaosQueue { programs, seconds, seed } => chaos::queue::run(&programs.programs, seconds, seed).await,
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("terarchitect-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
