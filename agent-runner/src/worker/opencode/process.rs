//! The server's process: start, readiness, last words, end.

use super::config::{Directories, environment};
use super::options::{OpenCodeOptions, RunAs};
use super::reap::Family;
use crate::worker::WorkerError;
use secrecy::{ExposeSecret, SecretString};
use std::collections::VecDeque;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use url::Url;

/// What the server prints once it listens.
const LISTENING: &str = "opencode server listening on ";

/// How long the server may take to end when asked; it does not end at all while a turn runs.
const STOP_GRACE: Duration = Duration::from_millis(500);

/// How long a killed process may take to be gone.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// How many of the last printed lines are kept, and how much of each.
const TAIL_LINES: usize = 20;
const TAIL_LINE_CHARS: usize = 300;

/// How much of a line is read at once.
const LINE_BYTES: u64 = 4096;

/// A server that we started. Dropping it kills all that it started.
pub(super) struct Server {
    family: Family,
    signs: Signs,
    is_cleared: bool,
}

/// What can be seen of a server from anywhere.
#[derive(Clone)]
pub(super) struct Signs {
    exited: watch::Receiver<Option<ExitStatus>>,
    listening: watch::Receiver<Option<Url>>,
    tail: Arc<Tail>,
}

impl Server {
    /// Starts `opencode serve` on a free port of the loopback device.
    pub(super) fn spawn(options: &OpenCodeOptions, password: &SecretString) -> Result<Self, WorkerError> {
        let directories = Directories::new(options);
        make_directories(&options.state_dir, &directories, options.run_as.as_ref())?;
        let marker = uuid::Uuid::new_v4().to_string();
        let mut command = Command::new(&options.binary);
        command
            .args(["serve", "--hostname", "127.0.0.1", "--port", "0"])
            .env_clear()
            .envs(environment(options, &directories, password, &marker, |name| std::env::var_os(name)))
            .current_dir(&options.state_dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(user) = &options.run_as {
            // As root, the standard library also drops all supplementary groups before it changes the user.
            command.gid(user.gid).uid(user.uid);
        }
        let child = command
            .spawn()
            .map_err(|source| WorkerError::Missing { binary: options.binary.display().to_string(), source })?;
        Ok(Self::watch(child, Family { root: 0, marker, run_as: options.run_as.clone() }, secrets(options, password)))
    }

    fn watch(mut child: Child, mut family: Family, secrets: Vec<SecretString>) -> Self {
        // A child that was not waited for always has an id.
        family.root = child.id().unwrap_or_default();
        let tail = Arc::new(Tail { lines: Mutex::default(), secrets });
        let (announce, listening) = watch::channel(None);
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(read_lines(stderr, tail.clone(), None));
        }
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(read_lines(stdout, tail.clone(), Some(announce)));
        }
        let (report, exited) = watch::channel(None);
        tokio::spawn(async move {
            if let Ok(status) = child.wait().await {
                report.send_replace(Some(status));
            }
        });
        Self { family, signs: Signs { exited, listening, tail }, is_cleared: false }
    }

    /// What can be seen of it.
    pub(super) fn signs(&self) -> &Signs {
        &self.signs
    }

    /// Ends the server and all that it started, and waits until it is gone.
    pub(super) async fn stop(mut self) {
        self.family.ask_to_end();
        let _ = tokio::time::timeout(STOP_GRACE, self.signs.died()).await;
        self.kill().await;
    }

    /// Ends all of it at once.
    pub(super) async fn kill(&mut self) {
        let (family, is_dead) = (self.family.clone(), self.signs.is_dead());
        // Reads /proc, which can take a while on a busy host.
        let _ = tokio::task::spawn_blocking(move || family.kill(is_dead)).await;
        self.is_cleared = true;
        if tokio::time::timeout(KILL_GRACE, self.signs.died()).await.is_err() {
            tracing::error!(process.id = self.family.root, "the agent's process can't be killed");
        }
    }
}

impl Signs {
    /// Waits until the server says where it listens. Ends with an error if it ends first; has no time limit itself.
    pub(super) async fn listening(&self) -> Result<Url, WorkerError> {
        let mut listening = self.listening.clone();
        tokio::select! {
            error = self.died_early() => Err(error),
            Ok(url) = wait_for_some(&mut listening) => Ok(url),
        }
    }

    /// Waits for the process to end, which is too early.
    pub(super) async fn died_early(&self) -> WorkerError {
        let (exit, stderr_tail) = self.died().await;
        WorkerError::Startup { message: format!("`opencode serve` ended with {exit} before it was ready"), stderr_tail }
    }

    /// Waits for the process to end: its exit status and its last words.
    pub(super) async fn died(&self) -> (String, String) {
        let mut exited = self.exited.clone();
        match wait_for_some(&mut exited).await {
            Ok(status) => (status.to_string(), self.tail()),
            Err(()) => ("an unknown status".to_owned(), self.tail()),
        }
    }

    /// Whether the process has ended.
    pub(super) fn is_dead(&self) -> bool {
        self.exited.borrow().is_some()
    }

    /// The last lines that it printed, without secrets.
    pub(super) fn tail(&self) -> String {
        self.tail.text()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A run that panics or is dropped leaves nothing behind either.
        if !self.is_cleared {
            self.family.kill(self.signs.is_dead());
        }
    }
}

async fn wait_for_some<T: Clone>(receiver: &mut watch::Receiver<Option<T>>) -> Result<T, ()> {
    let value = receiver.wait_for(Option::is_some).await.map_err(|_| ())?;
    value.clone().ok_or(())
}

/// Keeps the pipe empty, so that the server never blocks on it; without `announce` the last lines are all it is for.
async fn read_lines(pipe: impl AsyncRead + Unpin, tail: Arc<Tail>, announce: Option<watch::Sender<Option<Url>>>) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    // A line without an end comes in pieces.
    while matches!((&mut pipe).take(LINE_BYTES).read_until(b'\n', &mut line).await, Ok(read) if read > 0) {
        let text = String::from_utf8_lossy(&line);
        if let Some(announce) = &announce
            && let Some(url) = text.trim().strip_prefix(LISTENING).and_then(|address| address.trim().parse().ok())
        {
            announce.send_replace(Some(url));
        }
        tail.push(&text);
        line.clear();
    }
}

/// The last lines, with our secrets masked.
struct Tail {
    lines: Mutex<VecDeque<String>>,
    secrets: Vec<SecretString>,
}

impl Tail {
    fn push(&self, line: &str) {
        let mut line = line.trim_end().to_owned();
        for secret in &self.secrets {
            line = line.replace(secret.expose_secret(), "[secret]");
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == TAIL_LINES {
            lines.pop_front();
        }
        lines.push_back(line.chars().take(TAIL_LINE_CHARS).collect());
    }

    fn text(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// Secrets that could be printed; masking an empty one would spoil every line.
fn secrets(options: &OpenCodeOptions, password: &SecretString) -> Vec<SecretString> {
    let key = options.provider.api_key.clone();
    [Some(password.clone()), key].into_iter().flatten().filter(|secret| !secret.expose_secret().is_empty()).collect()
}

/// Makes the agent's directories, for its user's eyes only.
///
/// The one above them stays ours, with the agent's group let in: root without further capabilities may not enter a
/// directory that is closed to it.
fn make_directories(state: &Path, directories: &Directories, user: Option<&RunAs>) -> Result<(), WorkerError> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
    let failed = |path: &Path, error: std::io::Error| WorkerError::Startup {
        message: format!("could not prepare {}: {error}", path.display()),
        stderr_tail: String::new(),
    };
    let make = |path: &Path| std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    make(state).map_err(|error| failed(state, error))?;
    if let Some(user) = user {
        let ours = chown(state, Some(rustix::process::geteuid().as_raw()), Some(user.gid))
            .and_then(|()| std::fs::set_permissions(state, std::fs::Permissions::from_mode(0o750)));
        ours.map_err(|error| failed(state, error))?;
    }
    for directory in directories.all() {
        let is_new = !directory.exists();
        make(directory).map_err(|error| failed(directory, error))?;
        // A home that was there before is the user's own business.
        if let Some(user) = user
            && (is_new || directory.starts_with(state))
        {
            chown(directory, Some(user.uid), Some(user.gid)).map_err(|error| failed(directory, error))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_keeps_the_last_lines_and_no_secret() {
        let tail = Tail { lines: Mutex::default(), secrets: vec![SecretString::from("hunter2")] };
        for number in 0..50 {
            tail.push(&format!("line {number} hunter2"));
        }
        let text = tail.text();
        assert!(text.starts_with("line 30 [secret]"), "{text}");
        assert!(text.ends_with("line 49 [secret]"), "{text}");
    }
}
