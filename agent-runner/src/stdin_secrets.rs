//! Secrets that arrive on standard input, so that neither the container's description nor the process list shows them.
//!
//! Proxies may be among them, with a password in their address. They are variables of this process for everything that
//! goes out: git, every HTTP client and the agent. A running process can't change its variables safely, so it starts
//! itself again with them, under the same process id.

use crate::cli::Options;
use crate::config::ConfigError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;
use terarchitect_outbound::PROXY_VARIABLES;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

/// How long the coordinator may take to write its line.
const LIMIT: Duration = Duration::from_secs(30);
/// The longest line.
const MAX_BYTES: u64 = 1024 * 1024;

#[derive(Deserialize, Serialize)]
struct Line {
    env: BTreeMap<String, String>,
}

/// Why no secrets could be read.
#[derive(Debug, thiserror::Error)]
pub enum StdinError {
    /// None arrived, for example because the coordinator has ended. Another attempt may work.
    #[error(
        "no secrets arrived on standard input ({0}): write them there, or unset TERARCHITECT_SECRETS_STDIN to pass them \
         as variables"
    )]
    Absent(&'static str),
    /// The coordinator has ended, or has no job for this container any more.
    #[error("standard input was closed before a job arrived; nothing was done")]
    NoJob,
    /// The program could not be started again with its proxies.
    #[error("could not take over the proxies from standard input: {0}")]
    Proxies(std::io::Error),
    /// The line is not what it should be.
    #[error(transparent)]
    Malformed(#[from] ConfigError),
}

/// Reads one line `{"env": {"NAME": "value"}}` and sets the options that have no value yet.
///
/// # Errors
/// No line arrived in time, or it is malformed.
pub async fn read(options: &mut Options) -> Result<(), StdinError> {
    let reading = tokio::time::timeout(LIMIT, read_line()).await;
    let text = reading.unwrap_or(Err(StdinError::Absent("nothing within 30 seconds")))?;
    let mut line = Line::parse(&text.ok_or(StdinError::Absent("it was closed"))?)?;
    let proxies = line.env.extract_if(.., |name, _| PROXY_VARIABLES.contains(&name.as_str()));
    let proxies: BTreeMap<String, String> = proxies.collect();
    if !proxies.is_empty() {
        return Err(StdinError::Proxies(start_again(&proxies, &line)));
    }
    for (name, value) in line.env {
        options.set(&name, &value);
    }
    Ok(())
}

/// Waits for a job, however long that takes: the same line, with all variables of the job.
///
/// # Errors
/// No job comes, or the line is malformed, or it has proxies, which a program that runs can't take over any more.
pub async fn wait_for_job() -> Result<BTreeMap<String, String>, StdinError> {
    let line = Line::parse(&read_line().await?.ok_or(StdinError::NoJob)?)?;
    if line.env.keys().any(|name| PROXY_VARIABLES.contains(&name.as_str())) {
        return Err(
            ConfigError::one("a program that waits for a job can't take over proxies from standard input").into()
        );
    }
    Ok(line.env)
}

/// The first line of standard input; none at its end.
async fn read_line() -> Result<Option<String>, StdinError> {
    let mut text = String::new();
    let mut input = BufReader::new(tokio::io::stdin().take(MAX_BYTES));
    match input.read_line(&mut text).await {
        Err(_) => Err(StdinError::Absent("it could not be read")),
        Ok(0) => Ok(None),
        // Its writer ended in the middle of it.
        Ok(_) if !text.ends_with('\n') => Err(StdinError::Absent("it was closed within the line")),
        Ok(_) => Ok(Some(text)),
    }
}

impl Line {
    fn parse(text: &str) -> Result<Self, ConfigError> {
        // serde's own message could show a part of the line.
        serde_json::from_str(text)
            .map_err(|_| ConfigError::one("standard input must contain one line {\"env\": {\"NAME\": \"value\"}}"))
    }
}

/// Replaces this process by the same program, with these variables and the rest of the line. Returns only if that fails.
fn start_again(proxies: &BTreeMap<String, String>, rest: &Line) -> std::io::Error {
    match as_input(rest) {
        Ok(input) => {
            // The file may have another name by now, and its arguments are still those of this process.
            Command::new("/proc/self/exe").args(std::env::args_os().skip(1)).envs(proxies).stdin(input).exec()
        }
        Err(error) => error,
    }
}

/// A standard input that only exists in memory.
fn as_input(line: &Line) -> std::io::Result<Stdio> {
    let mut file = File::from(rustix::fs::memfd_create("secrets", rustix::fs::MemfdFlags::CLOEXEC)?);
    serde_json::to_writer(&file, line)?;
    file.write_all(b"\n")?;
    file.rewind()?;
    Ok(file.into())
}
