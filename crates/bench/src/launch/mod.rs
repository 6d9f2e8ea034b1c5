//! How fast a claimed job starts, and what a coordinator and a runner cost.

mod coordinator;
mod hundred;
mod image;
mod runner;
mod scripted_engine;
mod start;
mod system;
mod ticket;

pub(crate) use system::gateway;

use crate::report::print_head;
use anyhow::{Context, ensure};
use clap::Args;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The images to measure with.
#[derive(Clone, Debug, Args)]
pub(crate) struct Images {
    /// An image whose container prints the time in seconds and ends.
    #[arg(long, value_name = "IMAGE")]
    clock_image: String,
    /// The agent image, as scripts/build-agent-image builds it.
    #[arg(long, value_name = "IMAGE")]
    agent_image: String,
    /// The image that the agent image is built on.
    #[arg(long, value_name = "IMAGE")]
    base_image: String,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Effort {
    /// Launches of containers.
    launches: u32,
    /// How long a coordinator is watched: several heartbeats.
    watched: Duration,
    /// Tickets.
    tickets: u32,
}

const FULL: Effort = Effort { launches: 20, watched: Duration::from_secs(60), tickets: 7 };
const SHORT: Effort = Effort { launches: 2, watched: Duration::from_secs(5), tickets: 1 };

/// Measures launches of containers, whole tickets up to their first prompt, coordinators, and the image.
pub(crate) async fn run(programs: &Path, images: &Images, short: bool) -> anyhow::Result<bool> {
    let effort = if short { SHORT } else { FULL };
    print_head();
    start::run(programs, &images.clock_image, effort).await?;
    hundred::run(programs, effort).await?;
    ticket::run(programs, &images.agent_image, effort).await?;
    image::run(&images.agent_image, &images.base_image)?;
    Ok(true)
}

/// Measures what a ticket and a turn cost that is neither model nor agent, starts with a container that is ready, and the gateway.
pub(crate) async fn run_runner(programs: &Path, images: &Images, short: bool) -> anyhow::Result<bool> {
    let effort = if short { SHORT } else { FULL };
    print_head();
    runner::run(programs, &images.agent_image, effort).await?;
    ticket::run(programs, &images.agent_image, effort).await?;
    crate::gateway::run(short).await
}

/// What docker prints.
fn docker(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("docker").args(arguments).output().context("could not run docker")?;
    ensure!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
