//! Secrets that arrive on standard input, so that neither the container's description nor the process list shows them.

use crate::cli::Options;
use crate::config::ConfigError;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

/// How long the coordinator may take to write its line.
const LIMIT: Duration = Duration::from_secs(30);
/// The longest line.
const MAX_BYTES: u64 = 1024 * 1024;

#[derive(Deserialize)]
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
    /// The line is not what it should be.
    #[error(transparent)]
    Malformed(#[from] ConfigError),
}

/// Reads one line `{"env": {"NAME": "value"}}` and sets the options that have no value yet.
///
/// # Errors
/// No line arrived in time, or it is malformed.
pub async fn read(options: &mut Options) -> Result<(), StdinError> {
    let mut text = String::new();
    let mut input = BufReader::new(tokio::io::stdin().take(MAX_BYTES));
    match tokio::time::timeout(LIMIT, input.read_line(&mut text)).await {
        Err(_) => return Err(StdinError::Absent("nothing within 30 seconds")),
        Ok(Err(_)) => return Err(StdinError::Absent("it could not be read")),
        Ok(Ok(0)) => return Err(StdinError::Absent("it was closed")),
        Ok(Ok(_)) => {}
    }
    // serde's own message could show a part of the line.
    let line: Line = serde_json::from_str(&text)
        .map_err(|_| ConfigError::one("standard input must contain one line {\"env\": {\"NAME\": \"value\"}}"))?;
    for (name, value) in line.env {
        options.set(&name, &value);
    }
    Ok(())
}
