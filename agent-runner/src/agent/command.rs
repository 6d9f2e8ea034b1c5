//! One shell command of a project, run to its end as the agent's user, with nothing of the runner's or of the agent's in its
//! environment and home.

use super::directories::Directories;
use super::environment::{environment, secret_variables};
use super::process::{AgentProcess, Launch};
use super::users::RunAs;
use super::{AgentError, process};
use secrecy::SecretString;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use terarchitect_outbound::chain;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How much of the end of the output is kept, in bytes, beside its last line.
const MAX_OUTPUT_BYTES: usize = 16 * 1024;
/// The longest line that is kept, in bytes. A longer one is left out as a whole: where it was cut, half a secret could be left.
const MAX_LINE_BYTES: usize = 64 * 1024;
const TOO_LONG: &str = "… (a line that is too long)";
/// How long the rest of the output may take once nothing is left that could write any.
const OUTPUT_GRACE: Duration = Duration::from_secs(2);

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct CommandOptions {
    /// The command, as `sh` reads it.
    pub line: String,
    /// Where it runs.
    pub directory: PathBuf,
    /// Where its temporary files go, and its home, unless that is elsewhere. Created if it is missing.
    pub state_dir: PathBuf,
    /// Its home.
    pub home: Option<PathBuf>,
    /// The user that it runs as; needs root. Unset: the runner's own.
    pub run_as: Option<RunAs>,
    /// Secrets of the project, as variables. Others of the same names come before them.
    pub secrets: Vec<(String, SecretString)>,
    /// How long it may take.
    pub time_limit: Duration,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandEnd {
    /// Its exit code; none if it was stopped, by a signal or for its time limit.
    pub exit_code: Option<i32>,
    /// Whether it took too long.
    pub timed_out: bool,
    /// How long it took.
    pub took: Duration,
    /// The end of what it printed to both its outputs, in whole lines and with whatever secrets it printed.
    pub output: String,
}

impl CommandEnd {
    /// Whether it succeeded.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.exit_code == Some(0)
    }
}

/// Runs a command to its end. Nothing that it started is left.
///
/// # Errors
/// [`AgentError::Cancelled`], and [`AgentError::Startup`] where no command can be run at all.
pub async fn run_command(options: CommandOptions, cancel: &CancellationToken) -> Result<CommandEnd, AgentError> {
    let mut directories = Directories::below(&options.state_dir);
    directories.home = options.home.unwrap_or(directories.home);
    directories.create(&options.state_dir, options.run_as.as_ref())?;
    let marker = uuid::Uuid::new_v4().to_string();
    let mut env = secret_variables(&options.secrets);
    env.extend(environment(&directories, &marker, |name| std::env::var_os(name)));
    // Programs then neither ask nor watch, and print no colours.
    env.extend([("CI", "true"), ("TERM", "dumb"), ("NO_COLOR", "1")].map(|(name, value)| (name.into(), value.into())));
    let launch = Launch {
        program: "/bin/sh".into(),
        args: vec!["-c".to_owned(), format!("exec 2>&1\n{}", options.line)],
        env,
        directory: options.directory,
        run_as: options.run_as,
        marker,
        secrets: Vec::new(),
    };
    let started = Instant::now();
    let (end, lines) = (Arc::new(Mutex::new(Lines::default())), oneshot::channel::<()>());
    let (open, closed) = lines;
    let kept = end.clone();
    let process = AgentProcess::spawn(launch, move |piece, begins| {
        // Dropped with this closure, at the end of the output.
        let _open = &open;
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(piece, begins);
    });
    let process = process.map_err(|error| AgentError::Startup {
        message: format!("could not run a command: {}", chain(&error)),
        stderr_tail: String::new(),
    })?;
    let signs: process::Signs = process.signs().clone();
    let ended = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(AgentError::Cancelled),
        status = signs.ended() => Ok(status),
        () = tokio::time::sleep(options.time_limit) => Ok(None),
    };
    let timed_out = ended.is_ok() && !signs.is_dead();
    let took = started.elapsed();
    process.clear_beside().await;
    let exit_code = ended?.and_then(|status| status.code());
    // What was killed no longer holds the output open. A process that could not be found must not be waited for.
    let _ = tokio::time::timeout(OUTPUT_GRACE, closed).await;
    let output = end.lock().unwrap_or_else(PoisonError::into_inner).text();
    Ok(CommandEnd { exit_code, timed_out, took, output })
}

/// The end of an output.
#[derive(Debug, Default)]
struct Lines {
    /// Without their ends.
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    is_cut: bool,
}

impl Lines {
    /// Takes a line, or the next piece of the last one.
    fn push(&mut self, piece: &[u8], begins: bool) {
        if begins || self.lines.is_empty() {
            self.lines.push_back(Vec::new());
        }
        let Some(last) = self.lines.back_mut() else { return };
        let is_over = last == TOO_LONG.as_bytes() && !begins;
        let before = last.len();
        if !is_over && before + piece.len() <= MAX_LINE_BYTES {
            last.extend_from_slice(without_end(piece));
        } else {
            TOO_LONG.as_bytes().clone_into(last);
        }
        self.bytes = self.bytes - before + last.len() + usize::from(begins);
        while self.bytes > MAX_OUTPUT_BYTES
            && self.lines.len() > 1
            && let Some(first) = self.lines.pop_front()
        {
            self.bytes -= first.len() + 1;
            self.is_cut = true;
        }
    }

    fn text(&self) -> String {
        let lines = self.lines.iter().map(|line| String::from_utf8_lossy(line));
        let start = self.is_cut.then_some("…".into());
        start.into_iter().chain(lines).collect::<Vec<_>>().join("\n")
    }
}

fn without_end(line: &[u8]) -> &[u8] {
    match line.strip_suffix(b"\n") {
        Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::users;

    async fn run(line: &str, time_limit: Duration, cancel: &CancellationToken) -> Result<CommandEnd, AgentError> {
        let place = tempfile::tempdir().unwrap();
        let options = CommandOptions {
            line: line.to_owned(),
            directory: place.path().to_owned(),
            state_dir: place.path().join("state"),
            home: None,
            run_as: None,
            secrets: Vec::new(),
            time_limit,
        };
        run_command(options, cancel).await
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_command_s_exit_code_and_both_its_outputs_are_known() {
        let cancel = CancellationToken::new();
        let end = run("echo one; echo two >&2; test -z \"$TERARCHITECT_WORKER_API_KEY\" && exit 3", LONG, &cancel)
            .await
            .unwrap();
        assert_eq!((end.exit_code, end.timed_out, end.output.as_str()), (Some(3), false, "one\ntwo"));
        assert!(!end.passed());
        assert!(run("true", LONG, &cancel).await.unwrap().passed());
        assert_eq!(run("no-such-command-at-all", LONG, &cancel).await.unwrap().exit_code, Some(127));
        assert_eq!(run("kill -9 $$", LONG, &cancel).await.unwrap().exit_code, None);
    }

    #[tokio::test]
    async fn only_the_end_of_a_long_output_is_kept() {
        let cancel = CancellationToken::new();
        let end = run("i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done", LONG, &cancel).await.unwrap();
        assert!(end.output.len() <= MAX_OUTPUT_BYTES + 4, "{}", end.output.len());
        assert!(end.output.starts_with('…') && end.output.ends_with("line 4999"), "{}", end.output);
    }

    #[test]
    fn no_line_is_cut() {
        let mut lines = Lines::default();
        // A character lies across two pieces.
        let long = "ä".repeat(10_000);
        lines.push(b"before", true);
        for (at, piece) in long.as_bytes().chunks(4095).enumerate() {
            lines.push(piece, at == 0);
        }
        assert_eq!(lines.text(), format!("…\n{long}"));
        for at in 0..40 {
            lines.push(&[b'x'; 4096], at == 0);
        }
        lines.push(b"after", true);
        assert_eq!(lines.text(), format!("…\n{TOO_LONG}\nafter"));
    }

    #[tokio::test]
    async fn a_secret_of_the_project_is_a_variable_and_takes_no_others_place() {
        let place = tempfile::tempdir().unwrap();
        let secrets = [("NPM_TOKEN", "hunter2\nhunter2"), ("HOME", "/elsewhere"), ("CI", "no")];
        let options = CommandOptions {
            line: "test \"$HOME\" != /elsewhere && echo \"$CI $NPM_TOKEN\"".to_owned(),
            directory: place.path().to_owned(),
            state_dir: place.path().join("state"),
            home: None,
            run_as: None,
            secrets: secrets.map(|(name, value)| (name.to_owned(), SecretString::from(value))).into(),
            time_limit: LONG,
        };
        let end = run_command(options, &CancellationToken::new()).await.unwrap();
        assert_eq!((end.exit_code, end.output.as_str()), (Some(0), "true hunter2\nhunter2"));
    }

    #[tokio::test]
    async fn a_command_that_takes_too_long_is_stopped_with_all_that_it_started() {
        let place = tempfile::tempdir().unwrap();
        let pid = place.path().join("pid");
        let line = format!("echo begun; (sleep 600 & echo $! > {}; wait)", pid.display());
        let end = run(&line, Duration::from_secs(1), &CancellationToken::new()).await.unwrap();
        assert_eq!((end.exit_code, end.timed_out, end.output.as_str()), (None, true, "begun"));
        let pid = std::fs::read_to_string(pid).unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
    }

    #[tokio::test]
    async fn what_runs_in_the_background_does_not_delay_the_end() {
        let started = Instant::now();
        let end = run("sleep 600 & echo done", LONG, &CancellationToken::new()).await.unwrap();
        assert_eq!((end.exit_code, end.output.as_str()), (Some(0), "done"));
        assert!(started.elapsed() < LONG);
    }

    #[tokio::test]
    async fn another_user_has_a_home_and_a_place_for_temporary_files() {
        let (work, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let run_as = users::find(Some("nobody")).unwrap();
        if let Some(user) = &run_as {
            users::hand_over(work.path(), user).unwrap();
        }
        let options = CommandOptions {
            line: "touch here \"$HOME/x\" \"$TMPDIR/y\" \"$XDG_CACHE_HOME/z\" && id -u".to_owned(),
            directory: work.path().to_owned(),
            state_dir: state.path().to_owned(),
            home: None,
            secrets: Vec::new(),
            time_limit: LONG,
            run_as: run_as.clone(),
        };
        let end = run_command(options, &CancellationToken::new()).await.unwrap();
        let own = rustix::process::geteuid().as_raw();
        assert_eq!((end.exit_code, end.output), (Some(0), run_as.map_or(own, |user| user.uid).to_string()));
    }

    #[tokio::test]
    async fn a_cancellation_stops_it() {
        let cancel = CancellationToken::new();
        cancel.cancel();
        assert!(matches!(run("sleep 600", LONG, &cancel).await, Err(AgentError::Cancelled)));
    }
}
