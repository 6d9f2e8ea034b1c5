//! The command's process.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// No command takes this long.
const LIMIT: Duration = Duration::from_secs(100);

/// A user's shell: their home, their server and their key.
pub(crate) struct Person {
    pub(crate) home: TempDir,
    variables: Vec<(String, String)>,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    /// Checks the exit code, and returns what was printed.
    #[track_caller]
    pub(crate) fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

impl Person {
    /// A user without a server or a key.
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// A user whose environment names a server and a key.
    pub(crate) fn at(url: &str, key: &str) -> Self {
        Self::new().with("TERARCHITECT_API_URL", url).with("TERARCHITECT_API_KEY", key)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn servers_file(&self) -> PathBuf {
        self.home.path().join("config/terarchitect/servers.json")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_terarchitect"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TZ", "UTC")
            .env("HOME", self.home.path())
            .env("XDG_CONFIG_HOME", self.home.path().join("config"))
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Done {
        self.run_with(arguments, "").await
    }

    /// Runs a command that reads this.
    pub(crate) async fn run_with(&self, arguments: &[&str], input: &str) -> Done {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that reads nothing may have ended.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        finish(child).await
    }
}

/// Waits for a command's end.
pub(crate) async fn finish(child: Child) -> Done {
    let output = tokio::time::timeout(LIMIT, child.wait_with_output()).await.expect("the command did not end").unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Done { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A command that prints JSON, one object a line, while it runs.
pub(crate) struct Following {
    pub(crate) child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Following {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next line; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        let line = tokio::time::timeout(LIMIT, self.lines.next_line()).await.expect("no line came").unwrap()?;
        Some(serde_json::from_str(&line).unwrap())
    }

    /// Everything up to a line that fits, with it.
    pub(crate) async fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut lines = Vec::new();
        while let Some(line) = self.next().await {
            let found = fits(&line);
            lines.push(line);
            if found {
                return lines;
            }
        }
        panic!("the command ended before: {lines:#?}");
    }
}

/// The folder with the other programs, which are built together with this one's tests.
pub(crate) fn programs() -> &'static Path {
    let folder = Path::new(env!("CARGO_BIN_EXE_terarchitect")).parent().unwrap();
    assert!(
        folder.join("terarchitect-api").is_file(),
        "these tests start the API: cargo build -p terarchitect-api -p terarchitect-coordinator --all-features"
    );
    folder
}
