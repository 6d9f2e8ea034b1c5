//! Prepares checkouts and verifies the work: the project's commands, as the agent's user. Nothing that an agent says counts here.

use super::places::temporary;
use super::setup_cache::{Checkout, SetupCache};
use super::{Attempt, AttemptError};
use crate::agent::users::{self, RunAs};
use crate::agent::{CommandOptions, run_command};
use crate::config::ConfigError;
use crate::director::{Outcome, Verified};
use crate::git::{Exported, RemoteUrl, Workspace};
use crate::proof::{CommandRun, Evidence, FILE, LOCK_FILES, Purpose, Terms, image, proposed, setup_key};
use std::path::{Path, PathBuf};
use std::time::Duration;
use terarchitect_forge::{CheckState, NewStatus};
use terarchitect_outbound::{Retry, chain};
use terarchitect_worker_api::{AcceptanceEntry, EntryData};
use tokio_util::sync::CancellationToken;

/// How much of the repository's file is read, in bytes.
const MAX_FILE_BYTES: usize = 64 * 1024;
/// How much of the end of a command's output is kept, in bytes.
const MAX_OUTPUT_BYTES: usize = 16 * 1024;
/// For how long the API is asked to take a proposal.
const PROPOSAL_PATIENCE: Duration = Duration::from_secs(5);
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

/// Where what setup commands leave is kept for a checkout.
struct KeptSetup {
    cache: SetupCache,
    name: String,
    /// The files that its key is made of.
    files: String,
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

    /// Where no command verifies the work, proposes those of the repository's build files to the people of the project. That it could
    /// not be told costs nothing but that: an older API does not know of it.
    pub(super) async fn propose(&self, attempt: &Attempt, workspace: &Workspace) -> Result<(), AttemptError> {
        if !self.terms.verification.is_empty() || attempt.scratch.is_some() {
            return Ok(());
        }
        let terms =
            proposed(&workspace.root_of_base()?, |file| workspace.file_of_base(file, MAX_FILE_BYTES).ok().flatten());
        if terms.is_empty() {
            return Ok(());
        }
        let found = terms.setup.iter().chain(&terms.verification).map(|command| format!("`{command}`"));
        let found = found.collect::<Vec<_>>().join(", ");
        let text = format!(
            "No command verifies this work. By the repository's build files it could be {found}: an admin can take that over in the project's tab Verification"
        );
        attempt.reporter.log("proposed_verification", &text, None);
        let (project, ticket) = (attempt.config.project, attempt.config.ticket);
        let telling = attempt.client.propose_proof(project, ticket, &terms, Retry::For(PROPOSAL_PATIENCE));
        let told = tokio::select! {
            told = telling => told,
            () = attempt.cancel.cancelled() => return Ok(()),
        };
        if let Err(error) = told {
            tracing::debug!(error = chain(&error), "the API did not take what is proposed for the verification");
        }
        Ok(())
    }

    /// What must hold, numbered, a line each.
    pub(super) fn acceptance(&self) -> String {
        let lines = self.terms.acceptance.iter().enumerate();
        lines.map(|(at, line)| format!("{}. {line}", at + 1)).collect::<Vec<_>>().join("\n")
    }

    /// Prepares the agent's workspace, where the agent works in that. A command that fails is logged, and the agent finds out what is missing: mending it may be
    /// what the ticket asks for.
    pub(super) async fn prepare(&self, attempt: &Attempt, workspace: &Workspace) -> Result<(), AttemptError> {
        if self.terms.setup.is_empty() || attempt.agent.works_elsewhere() {
            return Ok(());
        }
        let run_as = attempt.agents_user()?;
        let state = temporary("terarchitect-setup-")?;
        let place = Place {
            directory: workspace.workdir().to_owned(),
            state_dir: state.path().to_owned(),
            home: run_as.as_ref().map(|user| user.home.clone()),
            run_as,
            commit: None,
        };
        let kept = self.kept_setup(attempt, workspace)?;
        if self.restore_setup(attempt, kept.as_ref(), &place).await? {
            return Ok(());
        }
        for line in &self.terms.setup {
            let run = self.run(attempt, Purpose::Setup, line, &place).await?;
            if !run.end.passed() {
                return Ok(());
            }
        }
        // What an agent has written may have had a hand in it otherwise.
        match kept {
            Some(kept) if !workspace.has_work()? && !workspace.is_continued() => {
                self.keep_setup(attempt, &kept, &place).await
            }
            _ => Ok(()),
        }
    }

    /// Where what setup leaves is kept for a checkout of the branch's head; none where it is not.
    fn kept_setup(&self, attempt: &Attempt, workspace: &Workspace) -> Result<Option<KeptSetup>, AttemptError> {
        if self.terms.setup.is_empty() || self.terms.cached.is_empty() {
            return Ok(None);
        }
        let Some(dir) = attempt.config.unpushed_dir.as_ref().map(|dir| dir.join("setup")) else { return Ok(None) };
        let Some(cache) = SetupCache::new(dir, attempt.agent.github_token.clone()) else { return Ok(None) };
        let files = workspace.files_named(LOCK_FILES, &self.terms.cache_key)?;
        if files.is_empty() {
            let text = "What the setup commands leave is not kept: the repository has no lock file, and setup.cache_key in .terarchitect.toml names no other";
            attempt.reporter.log("setup", text, None);
            return Ok(None);
        }
        let name = setup_key(&attempt.config.project.to_string(), &self.terms, &files, &image());
        let files = files.into_iter().map(|(path, _)| path).collect::<Vec<_>>().join(", ");
        Ok(Some(KeptSetup { cache, name, files }))
    }

    /// Whether what an earlier setup left is in the checkout now. Whatever goes wrong only means that the commands run.
    async fn restore_setup(
        &self,
        attempt: &Attempt,
        kept: Option<&KeptSetup>,
        place: &Place,
    ) -> Result<bool, AttemptError> {
        let Some(kept) = kept else { return Ok(false) };
        let began = std::time::Instant::now();
        let restored = kept.cache.restore(&kept.name, &self.checkout(attempt, place)).await;
        if attempt.cancel.is_cancelled() {
            return Err(AttemptError::Cancelled);
        }
        match restored {
            Ok(true) => {
                let text = format!(
                    "Setup skipped: {} as an earlier setup left it, since its commands, the image and {} are the same ({:.1} s)",
                    self.terms.cached.join(", "),
                    kept.files,
                    began.elapsed().as_secs_f64()
                );
                attempt.reporter.log("setup", &text, None);
                attempt.progress.done(&format!("       {text}"));
                Ok(true)
            }
            Ok(false) => Ok(false),
            Err(error) => {
                tracing::warn!(error = chain(&error), "what an earlier setup left can't be used; the commands run");
                Ok(false)
            }
        }
    }

    async fn keep_setup(&self, attempt: &Attempt, kept: &KeptSetup, place: &Place) -> Result<(), AttemptError> {
        let reason = match kept.cache.keep(&kept.name, &self.checkout(attempt, place)).await {
            Ok(None) => return Ok(()),
            Ok(Some(reason)) => reason.to_owned(),
            Err(error) => chain(&error),
        };
        if attempt.cancel.is_cancelled() {
            return Err(AttemptError::Cancelled);
        }
        attempt.reporter.log("setup", &format!("What the setup commands left is not kept: {reason}"), None);
        Ok(())
    }

    fn checkout<'a>(&'a self, attempt: &'a Attempt, place: &'a Place) -> Checkout<'a> {
        Checkout {
            directory: &place.directory,
            run_as: place.run_as.as_ref(),
            cached: &self.terms.cached,
            cancel: &attempt.cancel,
        }
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
        // What may not be read here is no reason to lose the workspace.
        let kept = self.kept_setup(attempt, &taken);
        let (into, above, user) = (directory.clone(), top.path().to_owned(), run_as.clone());
        let cancel = attempt.cancel.clone();
        let exporting = tokio::task::spawn_blocking(move || {
            let exported = export(&taken, &into, &above, user.as_ref(), &cancel);
            (taken, exported)
        });
        let (taken, exported) = exporting
            .await
            .map_err(|error| AttemptError::Internal(format!("the task that makes a clean checkout failed: {error}")))?;
        *workspace = Some(taken);
        let kept = kept?;
        let Some(Exported { commit, not_filled }) = exported? else { return Ok(Verified::default()) };
        for text in not_filled {
            attempt.reporter.log("not_filled", &text, None);
        }
        let state_dir = state.path().to_owned();
        let place = Place { directory, state_dir, home: None, run_as, commit: Some(commit) };
        self.run_all(attempt, kept.as_ref(), &place).await
    }

    async fn run_all(
        &mut self,
        attempt: &Attempt,
        kept: Option<&KeptSetup>,
        place: &Place,
    ) -> Result<Verified, AttemptError> {
        self.evidence = Evidence { commit: place.commit.clone().unwrap_or_default(), ..Evidence::default() };
        let is_prepared = self.restore_setup(attempt, kept, place).await?;
        for line in self.terms.setup.iter().filter(|_| !is_prepared) {
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
    cancel: &CancellationToken,
) -> Result<Option<Exported>, AttemptError> {
    if !workspace.has_work()? {
        return Ok(None);
    }
    let io = |source| AttemptError::Io { attempted: "could not create a clean checkout".to_owned(), source };
    std::fs::create_dir(into).map_err(io)?;
    let exported = workspace.export_head(into, cancel)?;
    if let Some(user) = user {
        users::hand_over(top, user).map_err(io)?;
    }
    Ok(Some(exported))
}

/// Logs what the Director says about each acceptance line, for the ticket's page.
pub(super) fn log_acceptance(attempt: &Attempt, evidence: &Evidence) {
    if evidence.acceptance.is_empty() {
        return;
    }
    let lines = evidence.acceptance.iter().map(|(line, judged)| AcceptanceEntry {
        line: line.clone(),
        met: judged.as_ref().map(|judged| judged.met),
        place: judged.as_ref().map(|judged| judged.place.clone()).unwrap_or_default(),
    });
    let lines: Vec<AcceptanceEntry> = lines.collect();
    let met = lines.iter().filter(|line| line.met == Some(true)).count();
    let text = format!("By the Director, {met} of {} acceptance lines hold", lines.len());
    attempt.reporter.log_data("acceptance", &text, None, EntryData::Acceptance { lines });
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
