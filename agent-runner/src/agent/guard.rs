//! A second process of this program that ends the agent where the runner can't: when the runner itself was killed.
//!
//! In a container everything ends with the runner. On a bare machine nothing would end the agent, which would go on
//! working, and paying for its model, in a project that the next attempt uses. The guard holds the end of a pipe: if it
//! is closed without a word, the runner is gone.

use super::reap::Family;
use super::users::RunAs;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// The argument with which this program is a guard.
const ARGUMENT: &str = "--guard";
/// What a runner says that has ended the agent itself.
const DISMISSED: &str = "dismissed";

/// The program to start as a guard. Only the program itself can be one, not that of a test.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Whom to end.
#[derive(Debug, Serialize, Deserialize)]
struct Charge {
    marker: String,
    /// User and group of the agent, where they are not the runner's own.
    user: Option<(u32, u32)>,
}

/// To be called first by the program: it is the guard of another process of itself if it was started as one. Returns
/// whether it was one; then there is nothing else to do.
#[must_use]
pub fn stand_guard() -> bool {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == ARGUMENT) {
        guard(std::io::stdin().lock());
        return true;
    }
    // This name is valid also when the file was replaced by a newer version.
    let _ = PROGRAM.set(PathBuf::from("/proc/self/exe"));
    false
}

fn guard(mut runner: impl BufRead) {
    let (mut line, mut last) = (String::new(), String::new());
    let charge = runner.read_line(&mut line).ok().and_then(|_| serde_json::from_str::<Charge>(&line).ok());
    let Some(charge) = charge else { return };
    // An error is an end as well.
    let _ = runner.read_line(&mut last);
    if last.trim() != DISMISSED {
        let run_as = charge.user.map(|(uid, gid)| RunAs { uid, gid, home: PathBuf::from("/") });
        Family { root: 0, marker: charge.marker, run_as }.kill(true);
    }
}

/// A guard that was started for one agent.
pub(super) struct Guard {
    process: Child,
}

impl Guard {
    /// Starts a guard, before the agent itself. Without one, a runner that is killed leaves its agent behind, so that a
    /// failure is only logged.
    pub(super) fn start(marker: &str, run_as: Option<&RunAs>) -> Option<Self> {
        let program = PROGRAM.get()?;
        let charge = Charge { marker: marker.to_owned(), user: run_as.map(|user| (user.uid, user.gid)) };
        let started = || {
            // In a group of its own, so that what kills the runner's group does not kill the guard.
            let mut process = Command::new(program)
                .arg(ARGUMENT)
                .env_clear()
                .current_dir("/")
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn()?;
            if let Some(pipe) = &mut process.stdin {
                pipe.write_all(format!("{}\n", serde_json::to_string(&charge)?).as_bytes())?;
            }
            Ok::<_, std::io::Error>(Self { process })
        };
        started()
            .inspect_err(|error| {
                tracing::warn!(%error, "could not start the process that ends the agent if the runner is killed");
            })
            .ok()
    }
}

impl Drop for Guard {
    /// The agent has been ended by the runner.
    fn drop(&mut self) {
        if let Some(mut pipe) = self.process.stdin.take() {
            // An error means that it has ended already.
            let _ = pipe.write_all(format!("{DISMISSED}\n").as_bytes());
        }
        let _ = self.process.wait();
    }
}
