//! Ends every process that an agent started, also those that left its process group.
//!
//! An agent's shell tool gives each command its own session, so killing the agent's process group is not enough, and
//! what was started in the background has lost its parent. Processes are found in three ways: through the process
//! tree, by a mark in their environment, and, where another user's environment can't be read, by that user.

use super::users::RunAs;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};
use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// The variable that marks every process of one agent, so that all of them can be found.
pub(super) const MARKER_VARIABLE: &str = "TERARCHITECT_AGENT_RUN";

/// How often processes are searched for. What starts them faster than that is up to the container's process limit.
const ROUNDS: usize = 5;

/// How long a killed process may take until it is gone.
const END_LIMIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };

/// One agent's processes: the one that was started, and how to recognise the rest.
#[derive(Clone, Debug)]
pub(super) struct Family {
    pub(super) root: u32,
    pub(super) marker: String,
    pub(super) run_as: Option<RunAs>,
}

impl Family {
    /// Asks the root's process group to end.
    pub(super) fn ask_to_end(&self) {
        signal_group(self.root, Signal::TERM);
    }

    /// Kills all members that can be found. The id of a dead root may belong to another process by now, so its group is
    /// left alone.
    pub(super) fn kill(&self, root_is_dead: bool) {
        for round in 0..ROUNDS {
            let members = self.members();
            if round == 0 && !root_is_dead {
                signal_group(self.root, Signal::KILL);
            }
            // They are held on to before the signal: an id alone may be another process's soon after.
            let killed: Vec<OwnedFd> = members.found.iter().filter_map(|&pid| held(pid)).collect();
            for &pid in &members.found {
                signal_process(pid, Signal::KILL);
            }
            wait_for_ends(&killed);
            match &self.run_as {
                Some(user) if members.hidden => return kill_all_of(user),
                _ if members.found.is_empty() => return,
                _ => {}
            }
        }
    }

    fn members(&self) -> Members {
        let processes = running_processes();
        let mark = format!("{MARKER_VARIABLE}={}", self.marker).into_bytes();
        let mut members = Members { found: descendants(self.root, &processes), hidden: false };
        for process in processes.iter().filter(|process| !process.is_dead) {
            match std::fs::read(format!("/proc/{}/environ", process.pid)) {
                Ok(environment) if environment.split(|&byte| byte == 0).any(|variable| variable == mark) => {
                    members.found.insert(process.pid);
                }
                Ok(_) => {}
                Err(_) => members.hidden |= self.belongs_to_agent(process.pid),
            }
        }
        // What was started without the mark has a marked parent, for as long as that lives.
        for pid in members.found.clone() {
            members.found.extend(descendants(pid, &processes));
        }
        members.found.remove(&std::process::id());
        members
    }

    fn belongs_to_agent(&self, pid: u32) -> bool {
        let owner = std::fs::metadata(format!("/proc/{pid}")).map(|metadata| metadata.uid());
        matches!((&self.run_as, owner), (Some(user), Ok(uid)) if uid == user.uid)
    }
}

struct Members {
    found: HashSet<u32>,
    /// Whether the agent's user has processes whose environment the runner may not read.
    hidden: bool,
}

/// One line of `/proc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    pid: u32,
    parent: u32,
    is_dead: bool,
}

fn running_processes() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid: u32| parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?))
        .collect()
}

/// Reads `pid (name) state parent …`; the name may hold spaces and parentheses itself.
fn parse_stat(stat: &str) -> Option<Process> {
    let (pid, rest) = stat.split_once(" (")?;
    let mut fields = rest.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    Some(Process { pid: pid.parse().ok()?, parent: fields.next()?.parse().ok()?, is_dead: matches!(state, "Z" | "X") })
}

/// All living processes below `root`, without itself.
fn descendants(root: u32, processes: &[Process]) -> HashSet<u32> {
    if root <= 1 {
        return HashSet::new();
    }
    let mut family = HashSet::from([root]);
    loop {
        let before = family.len();
        let children = processes.iter().filter(|process| family.contains(&process.parent));
        family.extend(children.map(|process| process.pid).collect::<Vec<_>>());
        if family.len() == before {
            break;
        }
    }
    family.remove(&root);
    family.retain(|pid| processes.iter().any(|process| process.pid == *pid && !process.is_dead));
    family
}

fn held(pid: u32) -> Option<OwnedFd> {
    pidfd_open(as_pid(pid)?, PidfdFlags::empty()).ok()
}

/// Waits for killed processes to be gone, at most [`END_LIMIT`] for each: the system takes its time with large ones.
fn wait_for_ends(killed: &[OwnedFd]) {
    for process in killed {
        // An error, or a process that stays, is found in the next round.
        let _ = poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&END_LIMIT));
    }
}

fn signal_group(leader: u32, signal: Signal) {
    if let Some(group) = as_pid(leader) {
        // An error means that it has already ended.
        let _ = kill_process_group(group, signal);
    }
}

fn signal_process(pid: u32, signal: Signal) {
    if let Some(pid) = as_pid(pid) {
        let _ = kill_process(pid, signal);
    }
}

/// Never 0 or 1: a signal to these would reach the runner itself or the whole container.
fn as_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().filter(|pid| *pid > 1).and_then(Pid::from_raw)
}

/// Kills everything that runs as `user`, from a process of that user, so that no other privilege is needed.
fn kill_all_of(user: &RunAs) {
    let killed = Command::new("/bin/sh")
        .args(["-c", "kill -s KILL -- -1"])
        .uid(user.uid)
        .gid(user.gid)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if let Err(error) = killed {
        tracing::warn!(%error, "could not kill the agent's remaining processes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_parentheses_is_read() {
        let process = parse_stat("42 (a) b (c) S 7 42 42 0").unwrap();
        assert_eq!(process, Process { pid: 42, parent: 7, is_dead: false });
    }

    #[test]
    fn descendants_are_found_at_any_depth_and_in_any_order() {
        let process = |pid, parent| Process { pid, parent, is_dead: false };
        let processes = [process(5, 4), process(4, 3), process(3, 2), process(9, 8), process(2, 1)];
        assert_eq!(descendants(3, &processes), HashSet::from([4, 5]));
    }

    #[test]
    fn a_child_that_left_its_group_and_lost_its_parent_is_killed_by_its_mark() {
        let marker = uuid::Uuid::new_v4().to_string();
        let mut root = Command::new("sh")
            .args(["-c", "(setsid sleep 600 >/dev/null 2>&1 &) ; sleep 600"])
            .env(MARKER_VARIABLE, &marker)
            .process_group(0)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let family = Family { root: root.id(), marker, run_as: None };
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while family.members().found.len() < 3 && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        family.kill(false);
        root.wait().unwrap();
        while !family.members().found.is_empty() && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert_eq!(family.members().found, HashSet::new());
    }
}
