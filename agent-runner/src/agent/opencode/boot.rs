//! Waits until a server responds: one that the runner started, or one at a given address.

use super::api::{Api, ApiError};
use super::protocol;
use super::server::StartingServer;
use crate::agent::{AgentError, AgentOptions, ServerAddress};
use reqwest::StatusCode;
use secrecy::SecretString;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// How long one health check may take. The server never responds on a connection that it accepts right after its start,
/// so a check without a limit of its own could wait forever.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// The pause between two health checks.
const PROBE_PAUSE: Duration = Duration::from_millis(50);

/// A client of a server that is ready, and the server's version.
type Booted = Result<(Api, String), AgentError>;

/// Waits for the runner's own server. Its client is for a directory other than the workspace: that is still empty, and OpenCode
/// looks for its repository only once.
pub(super) async fn own_server(options: &AgentOptions, server: &StartingServer, password: SecretString) -> Booted {
    let (limit, started) = (options.startup_timeout, Instant::now());
    let Ok(booted) = tokio::time::timeout(limit, first_contact(server, password, &options.state_dir)).await else {
        let message = format!("`opencode serve` was not ready within {} seconds", limit.as_secs());
        return Err(AgentError::Startup { message, stderr_tail: server.signs.tail() });
    };
    let (api, version) = booted?;
    let duration_ms = started.elapsed().as_millis();
    tracing::info!(agent.version = version, duration_ms, "the agent is ready: OpenCode {version}");
    Ok((api, version))
}

/// Waits for a server that the runner did not start.
pub(super) async fn given_server(options: &AgentOptions, address: ServerAddress) -> Booted {
    let (limit, url) = (options.startup_timeout, shown(&address.url));
    let api = Api::new(address.url, address.username, address.password, &options.directory)
        .map_err(|error| protocol("setting up the HTTP client", &error))?;
    tokio::time::timeout(limit, first_response(api, &url, None)).await.unwrap_or_else(|_| {
        let seconds = limit.as_secs();
        let message =
            format!("no OpenCode server responded at {url} within {seconds} seconds: check OPENCODE_SERVER_URL");
        Err(AgentError::Server { message })
    })
}

async fn first_contact(server: &StartingServer, password: SecretString, directory: &Path) -> Booted {
    let url = server.listening().await?;
    let api = Api::new(url.clone(), None, Some(password), directory)
        .map_err(|error| protocol("setting up the HTTP client", &error))?;
    first_response(api, &shown(&url), Some(server)).await
}

async fn first_response(api: Api, url: &str, server: Option<&StartingServer>) -> Booted {
    loop {
        match api.health(PROBE_LIMIT).await {
            Ok(health) if health.healthy => return Ok((api, health.version)),
            Err(ApiError::Status { status: StatusCode::UNAUTHORIZED, .. }) => return Err(refused(url)),
            Err(ApiError::Body(_)) => return Err(not_opencode(url)),
            Err(ApiError::Status { status, .. }) if status.is_client_error() => return Err(not_opencode(url)),
            Ok(_) | Err(_) => {}
        }
        if let Some(server) = server
            && server.signs.is_dead()
        {
            return Err(server.died_early().await);
        }
        tokio::time::sleep(PROBE_PAUSE).await;
    }
}

fn refused(url: &str) -> AgentError {
    let message = format!(
        "the OpenCode server at {url} refuses the password: check OPENCODE_SERVER_PASSWORD and OPENCODE_SERVER_USERNAME"
    );
    AgentError::Server { message }
}

fn not_opencode(url: &str) -> AgentError {
    AgentError::Server { message: format!("the server at {url} is not an OpenCode server: check OPENCODE_SERVER_URL") }
}

/// The address without the credentials that may be part of it.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.to_string()
}
