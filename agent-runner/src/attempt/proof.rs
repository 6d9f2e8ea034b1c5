//! Prepares checkouts and verifies the work: the project's commands, as the agent's user. Nothing that an agent says counts here.

use super::places::temporary;
use super::{Attempt, AttemptError};
use crate::agent::users::{self, RunAs};
use crate::agent::{CommandOptions, run_command};
use crate::config::ConfigError;
use crate::director::{Outcome, Verified};
use crate::git::{RemoteUrl, Workspace};
use crate::proof::{CommandRun, Evidence, FILE, Purpose, Terms};
use std::path::{Path, PathBuf};
use std::time::Duration;
use terarchitect_forge::{CheckState, NewStatus};
use terarchitect_outbound::chain;
use terarchitect_worker_api::EntryData;

/// How much of the repository's file is read, in bytes.
const MAX_FILE_BYTES: usize = 64 * 1024;
/// How much of the end of a command's output is kept, in bytes.
const MAX_OUTPUT_BYTES: usize = 16 * 1024;
/// What the status of a commit is about.
const STATUS: &str = "terarchitect/verification";

/// What is asked of the ticket, and what it has shown.
pub(super) struct Prover {
    terms: Terms,
    /// Counts verifications from 1.
    round: u32,
    evidence: Evidence,
}

/// Where a command runs.
struct Place {
    directory: PathBuf,
    state_dir: PathBuf,
    home: Option<PathBuf>,
    run_as: Option<RunAs>,
    /// The commit whose clean checkout it is.
    commit: Option<String>,
}

impl Prover {
    /// What the project, the ticket and the repository's base branch ask for.
    pub(super) fn new(attempt: &Attempt, workspace: &Workspace) -> Result<Self, AttemptError> {
        let file = workspace.file_of_base(FILE, MAX_FILE_BYTES)?;
        let terms = Terms::of(&attempt.context.proof, file.as_deref());
        let terms = terms.map_err(|error| ConfigError::one(error.to_string()))?;
        Ok(Self { terms, round: 0, evidence: Evidence::default() })
    }

    /// How often the verification may fail; 0: there is none.
    pub(super) fn verifications(&self) -> u32 {
        if self.terms.verification.is_empty() { 0 } else { self.terms.rounds }
    }

    /// What must hold, numbered, a line each.
    pub(super) fn acceptance(&self) -> String {
        let lines = self.terms.acceptance.iter().enumerate();
        lines.map(|(at, line)| format!("{}. {line}", at + 1)).collect::<Vec<_>>().join("\n")
    }

    /// Prepares the agent's workspace, where the agent works in that. A command that fails is logged, and the agent finds out what is missing: mending it may be
    /// what the ticket asks for.
    pub(super) async fn prepare(&self, attempt: &Attempt, directory: &Path) -> Result<(), AttemptError> {
        if self.terms.setup.is_empty() || attempt.agent.works_elsewhere() {
            return Ok(());
        }
        let run_as = attempt.agents_user()?;
        let state = temporary("terarchitect-setup-")?;
        let place = Place {
            directory: directory.to_owned(),
            state_dir: state.path().to_owned(),
            home: run_as.as_ref().map(|user| user.home.clone()),
            run_as,
            commit: None,
        };
        for line in &self.terms.setup {
            let run = self.run(attempt, Purpose::Setup, line, &place).await?;
            if !run.end.passed() {
                break;
            }
        }
        Ok(())
    }

    /// Runs every command of the verification in a clean checkout of the branch's head. `workspace` is empty afterwards only if the
    /// task that reads it failed.
    pub(super) async fn verify(
        &mut self,
        attempt: &Attempt,
        workspace: &mut Option<Workspace>,
    ) -> Result<Verified, AttemptError> {
        self.round += 1;
        // What an earlier round showed was about another commit.
        self.evidence = Evidence::default();
        let run_as = attempt.agents_user()?;
        let (top, state) = (temporary("terarchitect-proof-")?, temporary("terarchitect-proof-")?);
        let directory = top.path().join("checkout");
        let Some(taken) = workspace.take() else {
            return Err(AttemptError::Internal("the workspace was lost in a task that failed".to_owned()));
        };
        let (exported, above, user) = (directory.clone(), top.path().to_owned(), run_as.clone());
        let exporting = tokio::task::spawn_blocking(move || {
            let commit = export(&taken, &exported, &above, user.as_ref());
            (taken, commit)
        });
        let (taken, commit) = exporting
            .await
            .map_err(|error| AttemptError::Internal(format!("the task that makes a clean checkout failed: {error}")))?;
        *workspace = Some(taken);
        let Some(commit) = commit? else { return Ok(Verified::default()) };
        let state_dir = state.path().to_owned();
        self.run_all(attempt, &Place { directory, state_dir, home: None, run_as, commit: Some(commit) }).await
    }

    async fn run_all(&mut self, attempt: &Attempt, place: &Place) -> Result<Verified, AttemptError> {
        self.evidence = Evidence { commit: place.commit.clone().unwrap_or_default(), ..Evidence::default() };
        for line in &self.terms.setup {
            let run = self.run(attempt, Purpose::Setup, line, place).await?;
            let failed = !run.end.passed();
            self.evidence.runs.push(run);
            if failed {
                break;
            }
        }
        if self.evidence.passed() {
            for line in &self.terms.verification {
                let run = self.run(attempt, Purpose::Verification, line, place).await?;
                self.evidence.runs.push(run);
            }
        }
        Ok(Verified { failure: self.evidence.failure(), for_agent: self.evidence.for_agent() })
    }

    async fn run(
        &self,
        attempt: &Attempt,
        purpose: Purpose,
        line: &str,
        place: &Place,
    ) -> Result<CommandRun, AttemptError> {
        attempt.progress.now(&format!("{}: {}", purpose.as_str(), attempt.mask.apply(line)));
        let time_limit: Duration = match purpose {
            Purpose::Setup => self.terms.setup_limit,
            Purpose::Verification => self.terms.verification_limit,
        };
        let options = CommandOptions {
            line: line.to_owned(),
            directory: place.directory.clone(),
            state_dir: place.state_dir.clone(),
            home: place.home.clone(),
            run_as: place.run_as.clone(),
            secrets: attempt.secrets.for_commands(),
            time_limit,
        };
        let mut end = run_command(options, &attempt.cancel).await?;
        end.output = end_of(attempt.mask.apply(&end.output));
        let run = CommandRun { purpose, command: attempt.mask.apply(line), end };
        let data = EntryData::Command {
            purpose: purpose.as_str().to_owned(),
            command: run.command.clone(),
            commit: place.commit.clone(),
            round: self.round,
            exit_code: run.end.exit_code,
            timed_out: run.end.timed_out,
            took_ms: u64::try_from(run.end.took.as_millis()).unwrap_or(u64::MAX),
        };
        let text = format!("{} {} ({:.1} s)", run.command, run.result(), run.end.took.as_secs_f64());
        let output = Some(run.end.output.as_str());
        attempt.reporter.log_outcome(purpose.as_str(), &text, output, data, run.end.passed());
        attempt.progress.done(&format!("       {}: {text}", purpose.as_str()));
        Ok(run)
    }

    /// What was shown, with what the Director says about each acceptance line.
    pub(super) fn evidence(mut self, outcome: Option<&Outcome>) -> Evidence {
        let lines = self.terms.acceptance.into_iter().enumerate();
        let judged = |at: usize| {
            let number = u32::try_from(at + 1).ok()?;
            outcome?.acceptance.get(&number).cloned()
        };
        self.evidence.acceptance = lines.map(|(at, line)| (line, judged(at))).collect();
        self.evidence
    }
}

/// The end of an output, once nothing secret is in it: half a secret would not be found.
fn end_of(output: String) -> String {
    if output.len() <= MAX_OUTPUT_BYTES {
        return output;
    }
    format!("…{}", &output[output.ceil_char_boundary(output.len() - MAX_OUTPUT_BYTES)..])
}

/// Checks the branch's head out for the agent's user. None where the branch has no work, so that there is nothing to verify.
fn export(
    workspace: &Workspace,
    into: &Path,
    top: &Path,
    user: Option<&RunAs>,
) -> Result<Option<String>, AttemptError> {
    if !workspace.has_work()? {
        return Ok(None);
    }
    let io = |source| AttemptError::Io { attempted: "could not create a clean checkout".to_owned(), source };
    std::fs::create_dir(into).map_err(io)?;
    let commit = workspace.export_head(into)?;
    if let Some(user) = user {
        users::hand_over(top, user).map_err(io)?;
    }
    Ok(Some(commit))
}

/// Shows at the forge what became of the verification. A forge that does not take it costs nothing but that.
pub(super) async fn post_status(attempt: &Attempt, remote: &RemoteUrl, evidence: &Evidence) {
    if evidence.runs.is_empty() {
        return;
    }
    let failure = evidence.failure();
    let status = NewStatus {
        context: STATUS.to_owned(),
        state: if failure.is_empty() { CheckState::Success } else { CheckState::Failure },
        description: if failure.is_empty() {
            format!("{} commands passed in a clean checkout", evidence.runs.len())
        } else {
            failure
        },
        url: None,
    };
    let posted = async {
        match super::finish::forge(attempt, remote).await? {
            Some(forge) => forge.set_status(&evidence.commit, &status).await.map_err(AttemptError::Forge),
            None => Ok(()),
        }
    };
    let posted = tokio::select! {
        posted = posted => posted,
        () = attempt.cancel.cancelled() => return,
    };
    if let Err(error) = posted {
        let text = format!("The forge did not take the commit's status: {}", chain(&error));
        attempt.reporter.log("status", &text, None);
    }
}
