//! The process: start it, watch it, end it, and end one that an earlier API left running.

use super::{Binaries, ClusterError, Layout, Owner};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, test_kill_process};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::Child;

/// How long a fast shutdown may take before an immediate one is asked for; then as long again.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// A log larger than this is emptied at the next start.
const MAX_LOG_BYTES: u64 = 16 * 1024 * 1024;
/// The lock file beside the socket.
const SOCKET_LOCK: &str = ".s.PGSQL.5432.lock";
/// How much of the log's end goes into an error message.
const TAIL_BYTES: usize = 1_500;

/// A running Postgres.
#[derive(Debug)]
pub(super) struct Postmaster {
    child: Child,
}

impl Postmaster {
    pub(super) fn start(binaries: &Binaries, owner: &Owner, layout: &Layout) -> Result<Self, ClusterError> {
        let program = binaries.path("postgres");
        let mut command = clean_command(&program);
        command.arg("-D").arg(&layout.data);
        command.arg("-c").arg(format!("unix_socket_directories={}", layout.socket_dir.display()));
        for setting in [
            "listen_addresses=",
            "unix_socket_permissions=0700",
            "logging_collector=off",
            "log_timezone=UTC",
            "timezone=UTC",
        ] {
            command.args(["-c", setting]);
        }
        let log = open_log(&layout.log)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        // A group of its own: Ctrl-C in a terminal reaches the API, which then stops Postgres in order.
        command.process_group(0);
        owner.apply(&mut command);
        let child =
            tokio::process::Command::from(command).spawn().map_err(|source| ClusterError::Run { program, source })?;
        Ok(Self { child })
    }

    /// Waits for its end.
    pub(super) async fn wait(&mut self) -> Option<ExitStatus> {
        self.child.wait().await.ok()
    }

    /// Asks for a fast shutdown, after a while for an immediate one, and waits.
    pub(super) async fn stop(mut self) -> Result<(), ClusterError> {
        let Some(pid) = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) else {
            return Ok(());
        };
        for signal in [Signal::INT, Signal::QUIT] {
            // A process that has ended meanwhile can't be signalled; the wait below sees it.
            let _ = kill_process(pid, signal);
            if tokio::time::timeout(STOP_LIMIT, self.child.wait()).await.is_ok() {
                return Ok(());
            }
        }
        Err(ClusterError::LeftOver { pid: pid.as_raw_nonzero().get() })
    }
}

/// A command with nothing of the caller's environment that could change what Postgres does.
pub(super) fn clean_command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8").current_dir("/");
    command
}

fn open_log(path: &Path) -> Result<File, ClusterError> {
    let large = fs::metadata(path).is_ok_and(|meta| meta.len() > MAX_LOG_BYTES);
    File::options()
        .create(true)
        .append(!large)
        .write(true)
        .truncate(large)
        .open(path)
        .map_err(|source| ClusterError::Directory { path: path.to_owned(), source })
}

/// The end of the log, for an error message.
pub(super) fn log_tail(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    let from = bytes.len().saturating_sub(TAIL_BYTES);
    String::from_utf8_lossy(&bytes[from..]).trim().to_owned()
}

/// Stops a Postgres on this data that an API which was killed has left behind. Where another process has its number by
/// now, Postgres would refuse to start for as long as that one lives, so its lock files are released.
pub(super) async fn stop_left_over(layout: &Layout) -> Result<(), ClusterError> {
    let lock_file = layout.data.join("postmaster.pid");
    let Ok(text) = fs::read_to_string(&lock_file) else { return release_socket(layout) };
    let Some(raw) = first_number(&text) else { return Ok(()) };
    let Some(pid) = Pid::from_raw(raw) else { return Ok(()) };
    if !works_in(raw, &layout.data) {
        if test_kill_process(pid).is_ok() {
            tracing::warn!(pid = raw, "releasing the lock of a private Postgres whose number another process has now");
            release(&lock_file, &text)?;
        }
        return release_socket(layout);
    }
    tracing::warn!(pid = raw, "stopping a private Postgres that an earlier API left running");
    for signal in [Signal::INT, Signal::QUIT] {
        if ended_after(pid, signal).await {
            return Ok(());
        }
    }
    Err(ClusterError::LeftOver { pid: raw })
}

/// The process id may belong to another program by now: only a Postgres that runs in this very folder is ours.
fn works_in(pid: i32, data: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data)
}

/// Puts this process's number into the lock file, which a Postgres takes for none, because it is its parent's. The file
/// stays, because Postgres also reads from it whether processes of an earlier one are still at work on the data.
fn release(lock_file: &Path, text: &str) -> Result<(), ClusterError> {
    let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
    let released = format!("{}\n{rest}", std::process::id());
    fs::write(lock_file, released).map_err(|source| ClusterError::Directory { path: lock_file.to_owned(), source })
}

/// Deletes the socket's lock file if it names a process that is no Postgres on this data.
fn release_socket(layout: &Layout) -> Result<(), ClusterError> {
    let path = layout.socket_dir.join(SOCKET_LOCK);
    let Some(raw) = fs::read_to_string(&path).ok().and_then(|text| first_number(&text)) else { return Ok(()) };
    if works_in(raw, &layout.data) {
        return Ok(());
    }
    fs::remove_file(&path).map_err(|source| ClusterError::Directory { path, source })
}

fn first_number(lock_file: &str) -> Option<i32> {
    lock_file.lines().next()?.trim().parse().ok()
}

async fn ended_after(pid: Pid, signal: Signal) -> bool {
    // No handle means that it has ended already.
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return true };
    if kill_process(pid, signal).is_err() {
        return true;
    }
    let wait = move || {
        let limit = Timespec { tv_sec: STOP_LIMIT.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: 0 };
        poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&limit))
    };
    matches!(tokio::task::spawn_blocking(wait).await, Ok(Ok(ended)) if ended > 0)
}
