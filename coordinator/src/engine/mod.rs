//! The interface through which the coordinator uses a container engine.

mod connect;
mod docker;
mod input;
mod local;
mod registry;
#[cfg(test)]
pub(crate) mod scripted;
pub mod spec;

pub use connect::NotReached;
pub use docker::Docker;
pub use input::{Input, write_input};
pub use local::WithLocal;

use crate::engine::spec::ContainerSpec;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use terarchitect_worker_api::Reason;
use uuid::Uuid;

/// A container engine.
#[async_trait]
pub trait ContainerEngine: Send + Sync {
    /// The engine's name and version.
    async fn version(&self) -> Result<String, EngineError>;

    /// Whether the image is on the engine's machine.
    async fn has_image(&self, image: &str) -> Result<bool, EngineError>;

    /// Pulls an image.
    async fn pull(&self, image: &str) -> Result<(), EngineError>;

    /// The folder in which the engine keeps images and containers, if it is on this machine.
    async fn root_dir(&self) -> Result<Option<PathBuf>, EngineError>;

    /// Creates a container. Returns the existing one if the name is taken: this host has that attempt already.
    async fn create(&self, spec: &ContainerSpec) -> Result<Created, EngineError>;

    /// Starts a container, and writes the spec's secrets to its standard input.
    async fn start(&self, id: &str, spec: &ContainerSpec) -> Result<(), EngineError>;

    /// Starts a container without telling it anything, and returns its standard input, which stays open.
    async fn start_waiting(&self, id: &str) -> Result<Input, EngineError>;

    /// Gives a container another name.
    async fn rename(&self, id: &str, name: &str) -> Result<(), EngineError>;

    /// Waits until the container has ended. Also returns when the engine no longer knows it.
    async fn wait(&self, id: &str) -> Result<(), EngineError>;

    /// The current state of a container.
    async fn inspect(&self, id: &str) -> Result<Found, EngineError>;

    /// The last lines of its output, with at most this many bytes.
    async fn log_tail(&self, id: &str, max_bytes: usize) -> Result<String, EngineError>;

    /// Sends a signal. A container that has ended is not an error.
    async fn signal(&self, id: &str, signal: Signal) -> Result<(), EngineError>;

    /// Removes a container. A container that does not exist is not an error.
    async fn remove(&self, id: &str) -> Result<(), EngineError>;

    /// Every container of this coordinator, in any state.
    async fn list_own(&self, coordinator: Uuid) -> Result<Vec<Found>, EngineError>;
}

/// The longest secret, in bytes, whose end can't show where output without line ends is cut off.
const LONGEST_SECRET: usize = 1024;

/// The end of some output as text: at most `max_bytes`. Where something was cut off, it begins at the start of a line,
/// so that no half of a secret is left, which masking would not recognise.
fn end_of(output: &[u8], max_bytes: usize) -> String {
    let Some(cut) = output.len().checked_sub(max_bytes).filter(|&cut| cut > 0) else { return text_of(output) };
    // A cut right behind the end of a line splits no line.
    let line = output[cut - 1..].iter().position(|&byte| byte == b'\n');
    text_of(&output[line.map_or(output.len().min(cut + LONGEST_SECRET), |at| cut + at)..])
}

fn text_of(output: &[u8]) -> String {
    String::from_utf8_lossy(output).replace('\0', "\u{fffd}")
}

/// Whether an engine's message says that its disk, or the user's share of it, is full.
fn says_full(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["no space left on device", "disk quota exceeded"].iter().any(|words| message.contains(words))
}

/// The result of creating a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// It was created, with this id.
    New(String),
    /// A container with this id had the name already.
    Existing(String),
}

/// A signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Asks it to stop.
    Term,
    /// Kills it at once.
    Kill,
}

impl Signal {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Term => "SIGTERM",
            Self::Kill => "SIGKILL",
        }
    }
}

/// A container as the engine has it.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its state.
    pub state: State,
}

/// Where a container stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Created, never started.
    Created,
    /// Running since then.
    Running {
        /// When it was started, by the engine's clock.
        since: Option<DateTime<Utc>>,
    },
    /// Ended.
    Exited(Exited),
    /// The engine does not know it.
    Gone,
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exited {
    /// Its exit code.
    pub code: i32,
    /// Whether the kernel killed one of its processes because its memory limit was reached.
    pub oom_killed: bool,
    /// The engine's message about a failed start.
    pub error: Option<String>,
}

/// Why a call to the engine failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It can't be reached.
    #[error(
        "the Docker engine does not respond; start it (sudo systemctl start docker), or set DOCKER_HOST to its socket"
    )]
    Unreachable(#[source] bollard::errors::Error),
    /// There is no contact with it.
    #[error(transparent)]
    NotReached(#[from] NotReached),
    /// It took too long.
    #[error("the container engine did not {attempted} within {} seconds", limit.as_secs())]
    TimedOut {
        /// What was attempted.
        attempted: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The image is not on this machine.
    #[error(
        "the image {image} is not on this machine; build it with scripts/build-agent-image, or pull it with docker pull {image}"
    )]
    NoImage {
        /// The image.
        image: String,
    },
    /// It refused or failed.
    #[error("the container engine could not {attempted}")]
    Failed {
        /// What was attempted.
        attempted: &'static str,
        /// The engine's error.
        #[source]
        source: bollard::errors::Error,
    },
    /// The engine reported a state that this version does not know.
    #[error("the container engine reported an unknown state of container {container}: {state}")]
    UnknownState {
        /// The container's id.
        container: String,
        /// The state as it was reported.
        state: String,
    },
    /// The image can't be pulled.
    #[error("the image {image} could not be pulled")]
    NotPulled {
        /// The image.
        image: String,
        /// What the engine or the registry said.
        #[source]
        source: bollard::errors::Error,
    },
    /// Jobs of local projects are not run here.
    #[error(
        "this job's project has execution_mode local, which this coordinator does not allow; set ALLOW_LOCAL_EXECUTION=1 here, or the project's execution_mode to docker"
    )]
    LocalNotAllowed,
    /// A local job could not be started or supervised.
    #[error("could not {attempted}")]
    Local {
        /// What was attempted.
        attempted: String,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// Another container has the name of this job's.
    #[error("a container called {name} exists that is not this coordinator's; rename or remove it")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A bug of the coordinator: only claimed jobs get a container.
    #[error("the coordinator tried to create a container without a claim; please report this as a bug")]
    NoClaim,
    /// The secrets could not be passed to the container.
    #[error("could not write the secrets to the container's standard input")]
    Stdin(#[source] std::io::Error),
}

impl EngineError {
    /// The reason that a job fails with.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Failed { source, .. } | Self::NotPulled { source, .. } if says_full(&source.to_string()) => {
                Reason::DiskFull
            }
            Self::NoImage { .. } | Self::NotPulled { .. } => Reason::ImageUnavailable,
            Self::LocalNotAllowed => Reason::AgentMisconfigured,
            _ => Reason::EngineError,
        }
    }

    /// Whether a failed start may have started the container: the connection broke, and the engine did not refuse.
    #[must_use]
    pub fn leaves_start_unknown(&self) -> bool {
        match self {
            Self::Failed { source, .. } => !matches!(source, bollard::errors::Error::DockerResponseServerError { .. }),
            Self::Unreachable(_) | Self::TimedOut { .. } | Self::Stdin(_) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_said_in_several_ways() {
        for message in [
            "mkdir /var/lib/docker/overlay2/0bc2-init/diff: disk quota exceeded",
            "write /root/.local/share/containers/x: No space left on device",
        ] {
            let source =
                || bollard::errors::Error::DockerResponseServerError { status_code: 500, message: message.to_owned() };
            let failed = EngineError::Failed { attempted: "create a container", source: source() };
            let pulled = EngineError::NotPulled { image: "image".to_owned(), source: source() };
            assert_eq!((failed.reason(), pulled.reason()), (Reason::DiskFull, Reason::DiskFull), "{message}");
        }
    }

    #[test]
    fn output_is_cut_at_lines_and_never_inside_a_secret() {
        assert_eq!(end_of(b"one\ntwo\n", 8), "one\ntwo\n");
        assert_eq!(end_of(b"key=secret-of-the-job\nthe end\n", 15), "the end\n");
        assert_eq!(end_of(b"one\ntwo\n", 4), "two\n");
        let endless = [b"secret-of-the-job".as_slice(), &[b'x'; 3000]].concat();
        assert!(!end_of(&endless, 3005).contains("job"));
        assert_eq!(end_of(&endless, 3005).len(), 3005 - LONGEST_SECRET);
    }
}
