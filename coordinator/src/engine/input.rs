//! The standard input of a container.

use super::EngineError;
use secrecy::{ExposeSecret, SecretString};
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// The standard input of a container.
pub type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// Writes to a container's standard input and closes it, within a limit.
///
/// # Errors
/// It was not taken in time, or is closed.
pub async fn write_input(mut input: Input, text: &SecretString, limit: Duration) -> Result<(), EngineError> {
    let writing = async {
        input.write_all(text.expose_secret().as_bytes()).await?;
        input.flush().await?;
        input.shutdown().await
    };
    let written = tokio::time::timeout(limit, writing).await;
    written
        .map_err(|_| EngineError::TimedOut { attempted: "take a container's standard input", limit })?
        .map_err(EngineError::Stdin)
}
