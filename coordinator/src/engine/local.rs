//! Jobs of local projects: the runner as a process of this machine, behind the same interface as a container.
//!
//! What a container engine would store is kept in a folder per job: labels, process, output, and at the end the exit
//! code, written by the shell that started the runner. So a local job outlives its coordinator, and the next one adopts
//! it.

use super::{ContainerEngine, Created, Docker, EngineError, Exited, Found, Input, Signal, State, end_of};
use crate::engine::spec::{ContainerSpec, LABEL_PREFIX};
use async_trait::async_trait;
use rustix::process::Pid;
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

/// The prefix of every local job's id.
const PREFIX: &str = "local:";
/// How often to check a process. One that an earlier coordinator started is not a child of this one, so its end can
/// only be polled.
const POLL: Duration = Duration::from_millis(200);
/// How long a removed job's processes may take to stop by themselves.
const REMOVE_GRACE: Duration = Duration::from_secs(10);
/// How long after the runner's end its last output may still be on the way to the file.
const OUTPUT_GRACE: Duration = Duration::from_secs(2);
/// The files with output, oldest first. Each has at most 2048 pieces of 4 KiB, so that no runner fills the disk, as with
/// a container's log.
const OUTPUT: [&str; 3] = ["output.2", "output.1", "output"];
/// Exists once all output has been written.
const OUTPUT_END: &str = "output.end";
/// Starts the runner and writes its exit code to a file, whole or not at all. The shells ignore the signals that all
/// get, so that they can still write the code and the last output once the runner has stopped. What keeps the output
/// never stops reading, also on a full disk: the runner must not block on it.
const SUPERVISOR: &str = r#"trap : TERM INT
{
    trap : TERM INT
    "$0" ticket 2>&1
    echo $? >"$1/exit.new"
    mv "$1/exit.new" "$1/exit"
} | {
    trap '' TERM INT
    while dd bs=4096 count=2048 of="$1/output" 2>/dev/null && [ -s "$1/output" ]; do
        [ ! -e "$1/output.1" ] || mv "$1/output.1" "$1/output.2"
        mv "$1/output" "$1/output.1"
    done
    cat >/dev/null
    : >"$1/output.end"
}"#;

/// A Docker engine for most jobs, and this machine itself for those of local projects.
pub struct WithLocal {
    docker: Docker,
    runner: PathBuf,
    folder: PathBuf,
}

impl WithLocal {
    /// Runs local jobs with this runner, and keeps what it knows about them in the state directory.
    #[must_use]
    pub fn new(docker: Docker, runner: PathBuf, state_dir: &Path) -> Self {
        Self { docker, runner, folder: state_dir.join("local") }
    }

    fn local(&self, id: &str) -> Option<LocalJob> {
        let name = id.strip_prefix(PREFIX)?;
        Some(LocalJob { folder: self.folder.join(name) })
    }
}

/// One attempt of a local job.
struct LocalJob {
    folder: PathBuf,
}

fn failed(attempted: impl Into<String>) -> impl FnOnce(io::Error) -> EngineError {
    let attempted = attempted.into();
    move |source| EngineError::Local { attempted, source }
}

impl LocalJob {
    fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.folder.join(name)).ok().map(|text| text.trim().to_owned())
    }

    /// The process, if it is still the one that was started: process ids are reused.
    fn process(&self) -> Option<Pid> {
        let kept = self.read("process")?;
        let (pid, started) = kept.split_once(' ')?;
        let pid: i32 = pid.parse().ok()?;
        (start_time(pid)? == started).then(|| Pid::from_raw(pid)).flatten()
    }

    fn found(&self, id: &str) -> Found {
        let labels = self.read("labels").and_then(|text| serde_json::from_str(&text).ok());
        let state = if labels.is_none() {
            State::Gone
        } else if let Some(code) = self.read("exit").and_then(|text| text.parse().ok()) {
            State::Exited(Exited { code, ..Exited::default() })
        } else if self.process().is_some() {
            let since = fs::metadata(self.folder.join("process")).and_then(|meta| meta.modified()).ok();
            State::Running { since: since.map(Into::into) }
        } else if self.folder.join("process").exists() {
            // Killed together with the shell that would have written the exit code.
            State::Exited(Exited { code: 137, ..Exited::default() })
        } else {
            State::Created
        };
        Found {
            id: id.to_owned(),
            name: id.trim_start_matches(PREFIX).to_owned(),
            labels: labels.unwrap_or_default(),
            state,
        }
    }

    /// Whether the runner has ended by itself.
    fn has_ended(&self) -> bool {
        self.folder.join("exit").exists()
    }

    /// The end of its output.
    fn output(&self, max_bytes: usize) -> io::Result<String> {
        // One byte more than wanted shows that something was cut off.
        let most = max_bytes as u64 + 1;
        let mut tail = Vec::new();
        for name in OUTPUT {
            let mut file = match fs::File::open(self.folder.join(name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            file.seek(SeekFrom::Start(file.metadata()?.len().saturating_sub(most)))?;
            file.take(most).read_to_end(&mut tail)?;
        }
        Ok(end_of(&tail, max_bytes))
    }

    /// The group of processes that was started, also when the shell has ended and others of the group are left. Its id
    /// is not reused for as long as one of them lives.
    fn group(&self) -> Option<Pid> {
        let kept = self.read("process")?;
        let pid: i32 = kept.split_once(' ')?.0.parse().ok()?;
        let ours =
            self.process().is_some() || (!Path::new(&format!("/proc/{pid}")).exists() && self.read("exit").is_none());
        ours.then(|| Pid::from_raw(pid)).flatten()
    }

    fn signal(&self, signal: Signal) -> Result<(), EngineError> {
        let Some(pid) = self.group() else { return Ok(()) };
        let signal = match signal {
            Signal::Term => rustix::process::Signal::TERM,
            Signal::Kill => rustix::process::Signal::KILL,
        };
        match rustix::process::kill_process_group(pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(errno) => Err(failed("signal a local job")(errno.into())),
        }
    }
}

/// When a process was started, as the kernel counts; none when it does not exist or is a zombie.
fn start_time(pid: i32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    if fields.next() == Some("Z") {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}

#[async_trait]
impl ContainerEngine for WithLocal {
    async fn version(&self) -> Result<String, EngineError> {
        self.docker.version().await
    }

    async fn has_image(&self, image: &str) -> Result<bool, EngineError> {
        self.docker.has_image(image).await
    }

    async fn pull(&self, image: &str) -> Result<(), EngineError> {
        self.docker.pull(image).await
    }

    async fn root_dir(&self) -> Result<Option<PathBuf>, EngineError> {
        self.docker.root_dir().await
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<Created, EngineError> {
        let Some(path) = &spec.local_path else { return self.docker.create(spec).await };
        if !path.is_dir() {
            let source = io::Error::new(io::ErrorKind::NotFound, "there is no such folder on this machine");
            return Err(failed(format!("use the project's path {}", path.display()))(source));
        }
        let id = format!("{PREFIX}{}", spec.name);
        let folder = self.folder.join(&spec.name);
        if folder.join("labels").exists() {
            return Ok(Created::Existing(id));
        }
        let labels =
            serde_json::to_vec(&spec.labels).map_err(|error| failed("write a local job's labels")(error.into()))?;
        let written =
            fs::create_dir_all(folder.join("workspace")).and_then(|()| fs::write(folder.join("labels"), labels));
        written.map_err(failed("create the folder of a local job"))?;
        Ok(Created::New(id))
    }

    async fn start(&self, id: &str, spec: &ContainerSpec) -> Result<(), EngineError> {
        let (Some(job), Some(path)) = (self.local(id), &spec.local_path) else {
            return self.docker.start(id, spec).await;
        };
        let inherited = ["PATH", "HOME", "USER", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "TMPDIR"];
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(SUPERVISOR).arg(&self.runner).arg(&job.folder).current_dir(path).env_clear();
        command.envs(inherited.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.envs(spec.env.iter().cloned()).env("WORKSPACE_DIR", job.folder.join("workspace"));
        // A process group of its own: a signal to the coordinator's group must not stop the job.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut child = tokio::process::Command::from(command).spawn().map_err(failed("start a local job"))?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default();
        let kept = format!("{pid} {}", start_time(pid).unwrap_or_default());
        fs::write(job.folder.join("process"), kept).map_err(failed("write a local job's process id"))?;
        let stdin = child.stdin.take();
        if let (Some(mut stdin), Some(secrets)) = (stdin, &spec.stdin) {
            stdin.write_all(secrets.expose_secret().as_bytes()).await.map_err(EngineError::Stdin)?;
            stdin.shutdown().await.map_err(EngineError::Stdin)?;
        }
        // Only reaps the process; how it ended is read from its folder.
        tokio::spawn(async move { child.wait().await });
        Ok(())
    }

    async fn start_waiting(&self, id: &str) -> Result<Input, EngineError> {
        self.docker.start_waiting(id).await
    }

    async fn rename(&self, id: &str, name: &str) -> Result<(), EngineError> {
        self.docker.rename(id, name).await
    }

    async fn wait(&self, id: &str) -> Result<(), EngineError> {
        let Some(job) = self.local(id) else { return self.docker.wait(id).await };
        while matches!(job.found(id).state, State::Running { .. }) {
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    async fn inspect(&self, id: &str) -> Result<Found, EngineError> {
        match self.local(id) {
            Some(job) => Ok(job.found(id)),
            None => self.docker.inspect(id).await,
        }
    }

    async fn log_tail(&self, id: &str, max_bytes: usize) -> Result<String, EngineError> {
        let Some(job) = self.local(id) else { return self.docker.log_tail(id, max_bytes).await };
        let complete = async {
            while job.has_ended() && !job.folder.join(OUTPUT_END).exists() {
                tokio::time::sleep(POLL / 10).await;
            }
        };
        let _ = tokio::time::timeout(OUTPUT_GRACE, complete).await;
        job.output(max_bytes).map_err(failed("read the output of a local job"))
    }

    async fn signal(&self, id: &str, signal: Signal) -> Result<(), EngineError> {
        match self.local(id) {
            Some(job) => job.signal(signal),
            None => self.docker.signal(id, signal).await,
        }
    }

    async fn remove(&self, id: &str) -> Result<(), EngineError> {
        let Some(job) = self.local(id) else { return self.docker.remove(id).await };
        if matches!(job.found(id).state, State::Running { .. }) {
            // There is no container that ends what the runner started, so the runner gets time to do it.
            job.signal(Signal::Term)?;
            if tokio::time::timeout(REMOVE_GRACE, self.wait(id)).await.is_err() {
                tracing::warn!(job = id, "a local job did not stop in time; killing its processes");
            }
        }
        job.signal(Signal::Kill)?;
        match fs::remove_dir_all(&job.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove the folder of a local job")(error))
            }
            _ => Ok(()),
        }
    }

    async fn list_own(&self, coordinator: Uuid) -> Result<Vec<Found>, EngineError> {
        let mut own = self.docker.list_own(coordinator).await?;
        let label = format!("{LABEL_PREFIX}coordinator-id");
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let found = LocalJob { folder: entry.path() }.found(&format!("{PREFIX}{name}"));
            let labels: &BTreeMap<String, String> = &found.labels;
            if labels.get(&label) == Some(&coordinator.to_string()) {
                own.push(found);
            }
        }
        Ok(own)
    }
}
