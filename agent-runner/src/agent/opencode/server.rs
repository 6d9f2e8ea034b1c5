//! The process of `opencode serve`.

use super::config::environment;
use crate::agent::directories::Directories;
use crate::agent::environment::Variables;
use crate::agent::process::{AgentProcess, Launch, Signs};
use crate::agent::{AgentError, AgentOptions};
use secrecy::SecretString;
use terarchitect_outbound::Proxies;
use tokio::sync::watch;
use url::Url;

/// What the server prints once it listens.
const LISTENING: &str = "opencode server listening on ";

/// What to do where the program can't be run.
const MISSING: &str = "install OpenCode (npm install -g opencode-ai), or set OPENCODE_BIN to its path";

/// A server that starts: where it will listen, and whether it still lives.
#[derive(Clone)]
pub(super) struct StartingServer {
    listening: watch::Receiver<Option<Url>>,
    pub(super) signs: Signs,
}

/// What is drawn by lot for each server: its password, and the mark by which its processes are found.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) password: SecretString,
    marker: String,
}

impl Identity {
    pub(super) fn draw() -> Self {
        let password = SecretString::from(format!("{:032x}", rand::random::<u128>()));
        Self { password, marker: uuid::Uuid::new_v4().to_string() }
    }

    /// All variables of a server with these options.
    pub(super) fn environment(&self, options: &AgentOptions) -> Variables {
        let directories = Directories::new(options);
        environment(options, &directories, &self.password, &self.marker, |name| std::env::var_os(name))
    }
}

/// Starts `opencode serve` on a free port of the loopback device.
pub(super) fn spawn(options: &AgentOptions, identity: &Identity) -> Result<(AgentProcess, StartingServer), AgentError> {
    let directories = Directories::new(options);
    directories.create(&options.state_dir, options.run_as.as_ref())?;
    let mut secrets = Proxies::of_environment().secrets();
    secrets.extend([Some(identity.password.clone()), options.provider.api_key.clone()].into_iter().flatten());
    secrets.extend(options.secrets.iter().map(|(_, value)| value.clone()));
    let launch = Launch {
        program: options.program.clone(),
        args: ["serve", "--hostname", "127.0.0.1", "--port", "0"].map(str::to_owned).to_vec(),
        env: identity.environment(options),
        directory: options.state_dir.clone(),
        run_as: options.run_as.clone(),
        marker: identity.marker.clone(),
        secrets,
    };
    let (announce, listening) = watch::channel(None);
    let process = AgentProcess::spawn(launch, move |line, _| {
        let line = String::from_utf8_lossy(line);
        if let Some(url) = line.trim().strip_prefix(LISTENING).and_then(|address| address.trim().parse().ok()) {
            announce.send_replace(Some(url));
        }
    });
    let process = process.map_err(|source| AgentError::Missing {
        program: options.program.display().to_string(),
        advice: MISSING,
        source,
    })?;
    let signs = process.signs().clone();
    Ok((process, StartingServer { listening, signs }))
}

impl StartingServer {
    /// Waits until the server says where it listens. Returns an error if it ends first; there is no time limit here.
    pub(super) async fn listening(&self) -> Result<Url, AgentError> {
        let mut listening = self.listening.clone();
        let announced = async {
            match listening.wait_for(Option::is_some).await {
                Ok(url) => url.clone(),
                Err(_) => None,
            }
        };
        tokio::select! {
            error = self.died_early() => Err(error),
            Some(url) = announced => Ok(url),
        }
    }

    /// Waits for the process to end before it was ready.
    pub(super) async fn died_early(&self) -> AgentError {
        let (exit, stderr_tail) = self.signs.died().await;
        AgentError::Startup { message: format!("`opencode serve` ended with {exit} before it was ready"), stderr_tail }
    }
}
