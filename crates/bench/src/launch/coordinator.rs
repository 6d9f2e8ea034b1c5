//! A coordinator process, started as a user starts it.

use anyhow::{Context, ensure};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running coordinator; killed when dropped.
pub(crate) struct Coordinator {
    child: Child,
    dir: tempfile::TempDir,
}

impl Coordinator {
    /// Starts one and waits until it claims.
    pub(crate) async fn start(
        programs: &Path,
        url: &str,
        key: &str,
        image: &str,
        more: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir().context("could not create a temporary directory")?;
        let ready = dir.path().join("ready");
        let log = std::fs::File::create(dir.path().join("log")).context("could not create the log")?;
        let child = Command::new(programs.join("terarchitect-coordinator"))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TERARCHITECT_API_URL", url)
            .env("TERARCHITECT_WORKER_API_KEY", key)
            .env("AGENT_IMAGE", image)
            .env("AGENT_PULL_POLICY", "never")
            .env("DRAIN_MODE", "cancel")
            .env("COORDINATOR_STATE_DIR", dir.path())
            .env("COORDINATOR_READY_FILE", &ready)
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("could not start the coordinator")?;
        let mut coordinator = Self { child, dir };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !ready.exists() {
            if let Some(status) =
                coordinator.child.try_wait().context("could not check whether the coordinator runs")?
            {
                anyhow::bail!("the coordinator ended with {status}: {}", coordinator.log());
            }
            ensure!(Instant::now() < deadline, "the coordinator was not ready in time: {}", coordinator.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(coordinator)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Ends it with TERM, which cancels its jobs.
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).context("could not stop the coordinator")?;
        self.child.wait().context("could not wait for the coordinator")?;
        Ok(())
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
