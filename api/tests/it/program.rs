//! The program itself, started as a user starts it.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A running program; killed when it is dropped.
pub(crate) struct Api {
    pub(crate) child: Child,
    pub(crate) base: String,
}

/// The program with its own data directory and a free port, not started yet.
pub(crate) fn command(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_terarchitect-api"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("TERARCHITECT_DATA_DIR", data_dir).env("TERARCHITECT_LISTEN", "127.0.0.1:0");
    command.stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

impl Api {
    /// Starts it and waits for the log line with its address.
    pub(crate) async fn start(data_dir: &Path) -> Self {
        Self::from(command(data_dir)).await
    }

    pub(crate) async fn from(mut command: Command) -> Self {
        let mut child = command.env("LOG_FORMAT", "json").spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            let entry: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(address) = entry["address"].as_str() {
                let base = format!("http://{address}");
                // Keep reading, so that the pipe never fills up.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Self { child, base };
            }
            seen.push(line);
        }
        panic!("the API ended: {}", seen.join("\n"));
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().unwrap().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

/// A directory that the user of the private Postgres can reach, also when the tests run as root.
pub(crate) fn data_dir() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    dir
}
