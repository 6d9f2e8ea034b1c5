//! An agent's process: start, last output, end.

use super::environment::Variables;
use super::guard::Guard;
use super::reap::Family;
use super::users::RunAs;
use secrecy::{ExposeSecret, SecretString};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use terarchitect_outbound::Mask;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;

/// How long the process may take to end when asked. Some agents do not end at all while a turn runs.
const STOP_GRACE: Duration = Duration::from_millis(500);

/// How long a killed process may take until it has ended.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// How many of the last printed lines are kept, and how much of each.
const TAIL_LINES: usize = 20;
const TAIL_LINE_CHARS: usize = 300;

/// How much of a line is read at once.
const LINE_BYTES: u64 = 4096;

/// What to start, and how.
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    /// The whole environment; nothing is inherited.
    pub(super) env: Variables,
    pub(super) directory: PathBuf,
    pub(super) run_as: Option<RunAs>,
    /// The value of [`MARKER_VARIABLE`](super::reap::MARKER_VARIABLE) in `env`.
    pub(super) marker: String,
    /// Secrets that the process knows and could print.
    pub(super) secrets: Vec<SecretString>,
}

/// A process that the runner started. Dropping it kills everything that it started.
pub(super) struct AgentProcess {
    family: Family,
    signs: Signs,
    is_cleared: bool,
    /// Dismissed last.
    _guard: Option<Guard>,
}

/// A process's exit and output, readable without owning the process.
#[derive(Clone)]
pub(super) struct Signs {
    exited: watch::Receiver<Option<ExitStatus>>,
    tail: Arc<Tail>,
}

/// A process that has just been started.
struct Started {
    family: Family,
    guard: Option<Guard>,
}

impl Launch {
    /// Starts it in a group of its own, with this as its standard input. Also returns the secrets that it could print.
    fn start(self, stdin: Stdio) -> std::io::Result<(Child, Vec<SecretString>, Started)> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .env_clear()
            .envs(self.env)
            .current_dir(&self.directory)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(user) = &self.run_as {
            // As root, the standard library also drops all supplementary groups before it changes the user.
            command.gid(user.gid).uid(user.uid);
        }
        let guard = Guard::start(&self.marker, self.run_as.as_ref());
        let child = command.spawn()?;
        // A child that was not waited for always has an id.
        let root = child.id().unwrap_or_default();
        let family = Family { root, marker: self.marker, run_as: self.run_as };
        Ok((child, self.secrets, Started { family, guard }))
    }
}

impl Started {
    fn watched(self, child: Child, tail: Arc<Tail>) -> AgentProcess {
        let signs = watch_child(child, tail);
        AgentProcess { family: self.family, signs, is_cleared: false, _guard: self.guard }
    }
}

impl AgentProcess {
    /// Starts a process in a group of its own. `on_line` is called for each line that it prints to standard output, for a long
    /// one with each piece of it, and whether that is the first.
    ///
    /// # Errors
    /// The system can't run the program.
    pub(super) fn spawn(launch: Launch, on_line: impl Fn(&[u8], bool) + Send + 'static) -> std::io::Result<Self> {
        let (mut child, secrets, started) = launch.start(Stdio::null())?;
        let tail = Arc::new(Tail::new(secrets));
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(read_lines(stdout, tail.clone(), on_line));
        }
        Ok(started.watched(child, tail))
    }

    /// Starts a process that is spoken to over standard input and output. Closing its input asks it to end.
    ///
    /// # Errors
    /// The system can't run the program.
    pub(super) fn spawn_talking(launch: Launch) -> std::io::Result<(Self, ChildStdin, ChildStdout)> {
        let (mut child, secrets, started) = launch.start(Stdio::piped())?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (stdin, stdout) = pipes.ok_or_else(|| std::io::Error::other("the process has no pipes"))?;
        Ok((started.watched(child, Arc::new(Tail::new(secrets))), stdin, stdout))
    }

    /// The process's exit and output.
    pub(super) fn signs(&self) -> &Signs {
        &self.signs
    }

    /// Ends the process and everything that it started, and waits until that is done.
    pub(super) async fn stop(mut self) {
        self.family.ask_to_end();
        let _ = tokio::time::timeout(STOP_GRACE, self.signs.died()).await;
        self.kill().await;
    }

    /// The same for a process beside another one of the same user, which goes on. What can't be told from that one is left to its
    /// end.
    pub(super) async fn clear_beside(mut self) {
        self.family.run_as = None;
        self.kill().await;
    }

    /// Kills all of it at once.
    pub(super) async fn kill(&mut self) {
        let (family, is_dead) = (self.family.clone(), self.signs.is_dead());
        // Reads /proc, which can take a while on a busy host.
        let _ = tokio::task::spawn_blocking(move || family.kill(is_dead)).await;
        self.is_cleared = true;
        if tokio::time::timeout(KILL_GRACE, self.signs.died()).await.is_err() {
            tracing::error!(process.id = self.family.root, "could not kill the agent's process; kill it by hand");
        }
    }
}

impl Signs {
    /// Waits for the process to end: its exit status and its last output.
    pub(super) async fn died(&self) -> (String, String) {
        let status = self.ended().await.map(|status| status.to_string());
        (status.unwrap_or_else(|| "an unknown status".to_owned()), self.tail())
    }

    /// Waits for the process to end: its exit status, unless the system does not say.
    pub(super) async fn ended(&self) -> Option<ExitStatus> {
        let mut exited = self.exited.clone();
        exited.wait_for(Option::is_some).await.ok().and_then(|status| *status)
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

impl Drop for AgentProcess {
    fn drop(&mut self) {
        // An attempt that panics or is dropped leaves nothing behind either.
        if !self.is_cleared {
            self.family.kill(self.signs.is_dead());
        }
    }
}

/// Reads what the child prints as errors, and waits for its end, both in the background.
fn watch_child(mut child: Child, tail: Arc<Tail>) -> Signs {
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(read_lines(stderr, tail.clone(), |_: &[u8], _| {}));
    }
    let (report, exited) = watch::channel(None);
    tokio::spawn(async move {
        if let Ok(status) = child.wait().await {
            report.send_replace(Some(status));
        }
    });
    Signs { exited, tail }
}

/// Keeps the pipe empty, so that the process never blocks on it.
async fn read_lines(pipe: impl AsyncRead + Unpin, tail: Arc<Tail>, on_line: impl Fn(&[u8], bool)) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    // A line without an end is read in pieces. Only the first is in the tail: a secret could lie across the end of a piece.
    let mut is_first = true;
    while matches!((&mut pipe).take(LINE_BYTES).read_until(b'\n', &mut line).await, Ok(read) if read > 0) {
        let text = String::from_utf8_lossy(&line);
        on_line(&line, is_first);
        if is_first {
            tail.push(&text);
        }
        is_first = line.ends_with(b"\n");
        line.clear();
    }
}

/// The last lines, with secrets masked whatever their length.
struct Tail {
    lines: Mutex<VecDeque<String>>,
    secrets: Vec<SecretString>,
    /// Also masks parts and other forms of those that are long enough.
    mask: Mask,
}

impl Tail {
    fn new(secrets: Vec<SecretString>) -> Self {
        // Masking an empty secret would spoil every line.
        let secrets = secrets.into_iter().filter(|secret| !secret.expose_secret().is_empty());
        let secrets: Vec<SecretString> = secrets.collect();
        let mask = Mask::new(&secrets);
        Self { lines: Mutex::default(), secrets, mask }
    }

    fn push(&self, line: &str) {
        let mut line = line.trim_end().to_owned();
        for secret in &self.secrets {
            line = line.replace(secret.expose_secret(), "[secret]");
        }
        line = self.mask.apply(&line);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_keeps_the_last_lines_and_no_secret() {
        let tail = Tail::new(vec![SecretString::from("hunter2"), SecretString::from("")]);
        for number in 0..50 {
            tail.push(&format!("line {number} hunter2"));
        }
        let text = tail.text();
        assert!(text.starts_with("line 30 [secret]"), "{text}");
        assert!(text.ends_with("line 49 [secret]"), "{text}");
    }

    #[tokio::test]
    async fn a_secret_across_two_pieces_of_a_long_line_is_not_shown() {
        let tail = Arc::new(Tail::new(vec![SecretString::from("hunter2-hunter2")]));
        let output = format!("{}hunter2-hunter2\nnext\n", "x".repeat(4090));
        read_lines(output.as_bytes(), tail.clone(), |_, _| {}).await;
        assert!(!tail.text().contains("unter2") && tail.text().ends_with("\nnext"), "{}", tail.text());
    }
}
