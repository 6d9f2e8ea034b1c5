//! An API process, started as a user starts it, and what it costs the machine.

use anyhow::{Context, ensure};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running API process; killed when dropped.
#[derive(Debug)]
pub(crate) struct Api {
    child: Child,
    pub(crate) address: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Api {
    /// Starts one and waits until it serves. `port` 0 picks a free one.
    pub(crate) async fn start(
        programs: &Path,
        database_url: &str,
        port: u16,
        more: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir().context("could not create a temporary directory")?;
        let ready = dir.path().join("ready.json");
        let log = std::fs::File::create(dir.path().join("log")).context("could not create the log")?;
        let program = programs.join("terarchitect-api");
        let child = Command::new(&program)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("RUST_LOG", "warn")
            .env("DATABASE_URL", database_url)
            .env("TERARCHITECT_DATA_DIR", dir.path())
            .env("TERARCHITECT_LISTEN", format!("127.0.0.1:{port}"))
            .env("TERARCHITECT_READY_FILE", &ready)
            // One key for all replicas, so that each reads the other's tokens and settings.
            .env("TERARCHITECT_SECRET_KEY", "0".repeat(64))
            // Old rows of a seeded database must not be deleted while something is measured.
            .env("TERARCHITECT_RETENTION_DAYS", "0")
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("could not start {}", program.display()))?;
        let mut api = Self { child, address: ([127, 0, 0, 1], port).into(), _dir: dir };
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Ok(text) = std::fs::read_to_string(&ready) {
                let said: serde_json::Value = serde_json::from_str(&text).context("the ready file is not JSON")?;
                let url = said["urls"][0].as_str().and_then(|url| url.strip_prefix("http://")).unwrap_or_default();
                api.address = url.parse().context("the ready file has no valid address")?;
                return Ok(api);
            }
            let log = || std::fs::read_to_string(api._dir.path().join("log")).unwrap_or_default();
            if let Some(status) = api.child.try_wait().context("could not check whether the API runs")? {
                anyhow::bail!("the API ended with {status}: {}", log());
            }
            ensure!(Instant::now() < deadline, "the API was not ready in time: {}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills it, and waits for its end.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.kill();
        let log = std::fs::read_to_string(self._dir.path().join("log")).unwrap_or_default();
        for line in log.lines().filter(|line| line.contains("ERROR")).take(5) {
            eprintln!("the API logged: {line}");
        }
    }
}

/// The resident memory of a process, in bytes.
pub(crate) fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("the process has ended")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().context("VmRSS is not a number")?;
    Ok(kib * 1024)
}

/// The processor time of a process so far, in seconds; with `family`, also that of its children, running or ended.
pub(crate) fn cpu_seconds(pid: u32, family: bool) -> anyhow::Result<f64> {
    let mut ticks = own_ticks(pid, family).context("the process has ended")?;
    if family {
        for entry in std::fs::read_dir("/proc").context("no /proc")?.flatten() {
            let child: Option<u32> = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(child) =
                child.filter(|child| stat(*child).is_some_and(|stat| stat.get(1) == Some(&u64::from(pid))))
            {
                ticks += own_ticks(child, false).unwrap_or(0);
            }
        }
    }
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// utime and stime; with `reaped`, also those of children that have ended.
fn own_ticks(pid: u32, reaped: bool) -> Option<u64> {
    let stat = stat(pid)?;
    let last = if reaped { 14 } else { 12 };
    stat.get(11..=last).map(|ticks| ticks.iter().sum())
}

/// The numbers after the name in `/proc/<pid>/stat`; index 1 is the parent, 11 to 14 are the processor times.
fn stat(pid: u32) -> Option<Vec<u64>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    // The state's letter and negative numbers become 0; no caller reads those fields.
    Some(rest.split_whitespace().map(|word| word.parse().unwrap_or(0)).collect())
}
