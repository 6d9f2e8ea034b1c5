//! A program that was started: its log, its readiness, its end.

use crate::exit::failed;
use crate::text;
use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// How long a program may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(60);
/// How often a ready file is looked for.
const LOOK: Duration = Duration::from_millis(50);
/// How much of a log is shown when its program ends.
const TAIL_LINES: usize = 15;

pub(super) struct Process {
    pub(super) name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program in a process group of its own: Ctrl-C in the terminal must reach it through this program, in
    /// order.
    pub(super) fn start(name: &'static str, mut command: Command, dir: &Path) -> anyhow::Result<Self> {
        let log = dir.join("logs").join(name).with_extension("log");
        let file = std::fs::File::create(&log).with_context(|| format!("could not write {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("could not start {name}"))?;
        Ok(Self { name, child, log })
    }

    /// Waits until the program has written its ready file, and returns what is in it.
    pub(super) async fn ready<T: DeserializeOwned>(&mut self, file: &Path, limit: Duration) -> anyhow::Result<T> {
        let deadline = Instant::now() + limit;
        loop {
            if let Ok(text) = tokio::fs::read_to_string(file).await
                && let Ok(value) = serde_json::from_str(&text)
            {
                return Ok(value);
            }
            if let Some(status) = self.child.try_wait().context("could not see whether the program runs")? {
                return Err(self.did_not_start(&format!("ended ({status})")));
            }
            if Instant::now() >= deadline {
                return Err(self.did_not_start(&format!("was not ready after {} seconds", limit.as_secs())));
            }
            sleep(LOOK).await;
        }
    }

    fn did_not_start(&self, how: &str) -> anyhow::Error {
        failed(format!("{} {how}; the end of its log ({}):\n{}", self.name, self.log.display(), self.log_tail()))
    }

    /// Waits for its end, and says which it is and how it ended.
    pub(super) async fn ended(&mut self) -> (&'static str, String) {
        let status = self.child.wait().await;
        (self.name, status.map_or_else(|error| error.to_string(), |status| status.to_string()))
    }

    /// The end of its log.
    pub(super) fn log_tail(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        text::block(&lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"))
    }

    /// Asks it to end, and waits; what does not end in time is killed.
    pub(super) async fn end(&mut self) {
        let id = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        // It fails only where it has ended already.
        let asked = id.is_some_and(|id| kill_process(id, Signal::TERM).is_ok());
        if asked && timeout(GRACE, self.child.wait()).await.is_ok() {
            return;
        }
        self.kill().await;
    }

    pub(super) async fn kill(&mut self) {
        // It fails only where it has ended already.
        let _ = self.child.kill().await;
    }
}
