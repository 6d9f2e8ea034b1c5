//! The program `terarchitect-bench`: figures as ratios to references, and chaos that ends with a check of every job.
//! `scripts/bench` and `scripts/chaos` build what it needs and call it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is for the terminal")]

mod api;
mod chaos;
mod events;
mod gateway;
mod hooks;
mod http;
mod launch;
mod pages;
mod proxy;
mod queue;
mod report;
mod seed;
mod sweep;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Measures Terarchitect against references, and breaks it on purpose.
#[derive(Debug, Parser)]
#[command(name = "terarchitect-bench", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The programs under test.
#[derive(Clone, Debug, Args)]
pub(crate) struct Programs {
    /// The folder with terarchitect-api and the other programs.
    #[arg(long, default_value = "target/release", value_name = "DIR")]
    programs: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure the queue's speed and cost.
    Queue {
        #[command(flatten)]
        programs: Programs,
        /// Use a tenth of the rows and of the time. Shows that everything works, not how fast it is.
        #[arg(long)]
        short: bool,
        /// Measure only the groups whose name contains this word: throughput, latency, idle, leases.
        #[arg(long, value_name = "WORD")]
        only: Option<String>,
    },
    /// Measure how fast claimed jobs start, and what a coordinator and a runner cost.
    Launch {
        #[command(flatten)]
        programs: Programs,
        #[command(flatten)]
        images: launch::Images,
        /// Measure a few rounds only. Shows that everything works, not how fast it is.
        #[arg(long)]
        short: bool,
    },
    /// Measure what tickets and turns cost beside model and agent, warm against cold starts, and the gateway.
    Runner {
        #[command(flatten)]
        programs: Programs,
        #[command(flatten)]
        images: launch::Images,
        /// Measure a few rounds only. Shows that everything works, not how fast it is.
        #[arg(long)]
        short: bool,
    },
    /// Measure what the event log costs the queue, and how fast events reach their readers.
    Events {
        #[command(flatten)]
        programs: Programs,
        /// Use a tenth of the readers and of the time. Shows that everything works, not how fast it is.
        #[arg(long)]
        short: bool,
    },
    /// Measure what open pages cost.
    Pages {
        #[command(flatten)]
        programs: Programs,
        /// Use a tenth of the pages and of the time. Shows that everything works, not how fast it is.
        #[arg(long)]
        short: bool,
    },
    /// Measure what it costs to ask forges about quiet projects.
    Sweep {
        #[command(flatten)]
        programs: Programs,
        /// Use a tenth of the projects and a few seconds. Shows that everything works, not how much it costs.
        #[arg(long)]
        short: bool,
    },
    /// Measure how long hooks keep agents waiting.
    Hooks {
        #[command(flatten)]
        programs: Programs,
        /// Use a tenth of the sessions and of the time. Shows that everything works, not how fast it is.
        #[arg(long)]
        short: bool,
    },
    /// Measure what the gateway to models costs.
    Gateway {
        #[command(flatten)]
        programs: Programs,
        /// Few calls. Shows that everything works, not how fast it is.
        #[arg(long)]
        short: bool,
    },
    /// The gateway alone, for the measurement.
    #[command(hide = true)]
    GatewayAlone {
        /// The base address of the model's API.
        #[arg(long, value_name = "URL")]
        upstream: String,
    },
    /// Kill coordinators on a real Docker engine while their containers run, and count what is lost.
    ChaosCoordinator {
        #[command(flatten)]
        programs: Programs,
        /// The image of the containers. A container of it must end by itself within seconds.
        #[arg(long, value_name = "IMAGE")]
        image: String,
        /// How long to inject faults, in seconds.
        #[arg(long, default_value_t = 120, value_name = "SECONDS")]
        seconds: u64,
        /// The seed of the randomness, to repeat the faults of an earlier time. Without one, a new seed is printed.
        #[arg(long, value_name = "NUMBER")]
        seed: Option<u64>,
    },
    /// Kill, restart and cut off the API and Postgres under load, and count what is lost.
    ChaosQueue {
        #[command(flatten)]
        programs: Programs,
        /// How long to inject faults, in seconds.
        #[arg(long, default_value_t = 120, value_name = "SECONDS")]
        seconds: u64,
        /// The seed of the randomness, to repeat the faults of an earlier time. Without one, a new seed is printed.
        #[arg(long, value_name = "NUMBER")]
        seed: Option<u64>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Queue { programs, short, only } => queue::run(&programs.programs, short, only.as_deref()).await,
        Command::Events { programs, short } => events::run(&programs.programs, short).await,
        Command::Pages { programs, short } => pages::run(&programs.programs, short).await,
        Command::Sweep { programs, short } => sweep::run(&programs.programs, short).await,
        Command::Hooks { programs, short } => hooks::run(&programs.programs, short).await,
        Command::Gateway { programs: _, short } => gateway::run(short).await,
        Command::GatewayAlone { upstream } => gateway::serve(&upstream).await,
        Command::Launch { programs, images, short } => Box::pin(launch::run(&programs.programs, &images, short)).await,
        Command::Runner { programs, images, short } => {
            Box::pin(launch::run_runner(&programs.programs, &images, short)).await
        }
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
