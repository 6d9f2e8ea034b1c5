//! What happens around the agent's turns: a commit and a push after each that changed something, and log entries.

use super::budget::require_other;
use super::checkpoints::Stopped;
use super::diffs::MAX_PATCH_BYTES;
use super::kept::{Archive, Keeper};
use super::models::Models;
use super::patience::DOUBTS;
use super::people::People;
use super::phases::Phases;
use super::proof::Prover;
use super::{Attempt, AttemptError, cloud, finish, hand_over, review};
use crate::agent::{Asked, TurnOutput};
use crate::director::{DriveHooks, Phase, TurnChanges, Verdict, Verified, Words};
use crate::git::{Committed, GitError, Patch, Update, Workspace, describe_skipped};
use async_trait::async_trait;
use serde_json::{Map, json};
use std::time::Duration;
use terarchitect_outbound::{Retriable, chain};
use terarchitect_worker_api::{BudgetLimit, CheckpointStage, EntryData};
use tokio_util::sync::CancellationToken;

/// How many earlier commits the agent is shown.
const EARLIER_COMMITS: usize = 20;

pub(super) struct Hooks<'a> {
    attempt: &'a Attempt,
    /// Absent only while a blocking task works with it.
    workspace: Option<Workspace>,
    prover: Prover,
    models: &'a Models,
    phases: &'a mut Phases,
    people: People,
    /// How many plans the agent has written.
    plans: u32,
    keeper: Keeper,
    resumed: Option<String>,
    /// The last push failed: only this attempt has the newest commits.
    unpushed: bool,
    /// A person has approved the plan, or need not.
    may_work: bool,
}

impl<'a> Hooks<'a> {
    pub(super) fn new(
        attempt: &'a Attempt,
        (workspace, prover, models): (Workspace, Prover, &'a Models),
        phases: &'a mut Phases,
    ) -> Self {
        Self {
            attempt,
            workspace: Some(workspace),
            prover,
            models,
            phases,
            people: People::default(),
            plans: 0,
            keeper: Keeper::default(),
            resumed: None,
            unpushed: false,
            may_work: false,
        }
    }

    pub(super) fn into_parts(self) -> (Result<Workspace, AttemptError>, Prover) {
        (self.workspace.ok_or_else(lost), self.prover)
    }

    /// What is asked of the ticket.
    pub(super) fn prover(&self) -> &Prover {
        &self.prover
    }

    /// Goes on from where an earlier attempt was: what that one did is a part of what this one hands in.
    pub(super) fn resume(&mut self, earlier: Archive) -> Result<(), AttemptError> {
        if let Some(workspace) = &mut self.workspace {
            workspace.count_whole_branch()?;
        }
        self.keeper.resume(self.attempt, &earlier);
        self.resumed = Some(earlier.director);
        Ok(())
    }

    pub(super) fn earlier_work(&self) -> Result<String, AttemptError> {
        let commits =
            self.workspace.as_ref().map(|workspace| workspace.earlier_commits(EARLIER_COMMITS)).transpose()?;
        Ok(commits.unwrap_or_default().join("\n"))
    }

    /// What the repository says about working on it.
    pub(super) fn conventions(&self) -> String {
        self.workspace.as_ref().map(Workspace::conventions).unwrap_or_default()
    }

    /// The branch that the ticket's branch was started from.
    pub(super) fn base(&self) -> String {
        self.workspace.as_ref().map(|workspace| workspace.default_branch().to_owned()).unwrap_or_default()
    }

    /// Whether the work that an earlier attempt speaks of is here: what it could not push waits on its own host alone.
    pub(super) fn has_work_of(&self, earlier: &Archive) -> bool {
        let has = |head: &String| self.workspace.as_ref().is_some_and(|workspace| workspace.has_commit(head));
        earlier.unpushed_head.as_ref().is_none_or(has)
    }

    /// The files in which the base's changes conflict with the branch's.
    pub(super) fn conflicts(&self) -> Vec<String> {
        match self.workspace.as_ref().map(Workspace::update) {
            Some(Update::Conflicts(files)) => files.clone(),
            _ => Vec::new(),
        }
    }

    /// Those of them that still have the marks of a conflict.
    pub(super) fn unresolved(&self) -> Vec<String> {
        self.workspace.as_ref().map(Workspace::unresolved).unwrap_or_default()
    }

    /// Commits the merge of the base, with the conflicts resolved, and pushes it.
    pub(super) async fn keep_merge(&mut self) -> Result<(), AttemptError> {
        let ticket = self.attempt.config.ticket;
        let message =
            format!("Merge branch '{}' into ticket-{ticket}\n\nThe agent resolved the conflicts.\n", self.base());
        let committed = self.keep(message, None, None).await?;
        self.left_out();
        if let Some(committed) = committed {
            let text = format!("{}: merged {} into the branch", committed.short_id, self.base());
            self.attempt.reporter.log("update", &text, Some(&committed.change.diffstat));
        }
        self.phases.end("conflicts");
        Ok(())
    }

    /// Undoes the merge of the base.
    pub(super) fn give_up_merge(&mut self) -> Result<(), AttemptError> {
        let Some(workspace) = &mut self.workspace else { return Ok(()) };
        workspace.give_up_merge()?;
        hand_over(workspace, self.attempt.agents_user()?.as_ref())
    }

    /// Names what the last commit left out, in the log too.
    fn left_out(&self) -> String {
        let skipped = self.workspace.as_ref().map(Workspace::skipped).unwrap_or_default();
        let text = describe_skipped(skipped);
        if let Some(first) = text.lines().next() {
            let more = if skipped.len() > 1 { format!(" ({} more)", skipped.len() - 1) } else { String::new() };
            self.attempt.reporter.log("left_out", &format!("Not committed: {first}{more}"), Some(&text));
        }
        text
    }

    /// Commits what the turn changed, or takes over what it pushed to the remote's branch `from`, and pushes it, so that no
    /// kill can lose a finished turn.
    async fn keep(
        &mut self,
        message: String,
        turn: Option<u32>,
        from: Option<&str>,
    ) -> Result<Option<Committed>, AttemptError> {
        let mut taken = None;
        if let Some(from) = from {
            let workspace = self.workspace.take().ok_or_else(lost)?;
            let (workspace, committed) = cloud::take_over(self.attempt, workspace, from).await;
            self.workspace = workspace;
            let Some(committed) = committed? else { return Ok(None) };
            taken = Some(committed);
        }
        let mut workspace = self.workspace.take().ok_or_else(lost)?;
        let cancel = self.attempt.cancel.clone();
        let kept = tokio::task::spawn_blocking(move || {
            let kept = keep(&mut workspace, taken, &message, &cancel);
            (workspace, kept)
        });
        let (workspace, kept) =
            kept.await.map_err(|error| AttemptError::Internal(format!("the task that commits failed: {error}")))?;
        self.workspace = Some(workspace);
        if let Ok(Some(kept)) = &kept {
            self.unpushed = kept.pushed.is_err();
        }
        let Some(Kept { committed, pushed, of_turn, of_branch }) = kept? else { return Ok(None) };
        let of_turn = turn.and_then(|turn| Some((Some(turn), of_turn?)));
        for (turn, patch) in of_turn.into_iter().chain(of_branch.map(|patch| (None, patch))) {
            self.attempt.diffs.send(turn, patch);
        }
        if let Err(error) = pushed {
            let error = self.attempt.look_closer(error, true, &mut { DOUBTS }).await;
            if !error.may_pass() {
                return Err(error.into());
            }
            // The end of the attempt pushes again, and fails if that fails.
            let text = format!("could not push this commit; the next push includes it: {}", chain(&error));
            self.attempt.reporter.log("retry", &text, None);
        }
        Ok(Some(committed))
    }

    /// Pushes what could not be pushed before: an attempt on another host finds nothing else.
    async fn push_rest(&mut self) -> Result<(), AttemptError> {
        let Some(mut workspace) = self.workspace.take_if(|_| self.unpushed) else { return Ok(()) };
        let cancel = self.attempt.cancel.clone();
        let pushing = tokio::task::spawn_blocking(move || {
            let pushed = workspace.push(&cancel);
            (workspace, pushed)
        });
        let (workspace, pushed) =
            pushing.await.map_err(|error| AttemptError::Internal(format!("the task that pushes failed: {error}")))?;
        self.workspace = Some(workspace);
        pushed?;
        self.unpushed = false;
        Ok(())
    }

    /// What the commit of a turn says.
    fn message_of(&self, turn: u32, what: &str) -> String {
        let (title, ticket) = (self.attempt.title(), self.attempt.config.ticket);
        let review = self.attempt.config.review.as_ref().map(|order| format!("{}\n", review::mark(order)));
        format!("{title}\n\nTicket {ticket}, turn {turn} ({what}).\n{}", review.unwrap_or_default())
    }

    /// Keeps what a turn did that was cut off, and shows it in a draft.
    async fn keep_cut_turn(
        &mut self,
        limit: &BudgetLimit,
        turn: u32,
        saved: &str,
        remembered: Option<String>,
    ) -> Result<(), AttemptError> {
        self.attempt.live.abandon();
        if !self.attempt.agent.works_elsewhere() {
            let committed = self.keep(self.message_of(turn, "cut off"), Some(turn), None).await?;
            self.left_out();
            if let Some(committed) = committed {
                self.log_commit(turn, &committed);
            }
        }
        self.push_rest().await?;
        if self.keeps() && remembered.is_some() {
            self.keeper.keep(self.attempt, turn, saved.to_owned(), (remembered, None)).await;
        } else if self.keeps() {
            self.keeper.keep_again(self.attempt, saved.to_owned()).await;
        }
        self.attempt.tell_usage(self.models).await;
        let workspace = self.workspace.as_ref().ok_or_else(lost)?;
        let draft = finish::unfinished(self.attempt, workspace, &limit.used_up());
        finish::show_unfinished(self.attempt, draft, self.phases).await;
        Ok(())
    }

    /// Where the budget ended while the agent resolved conflicts: undoes the merge, and asks for more. This attempt then goes on
    /// without the base's changes.
    pub(super) async fn ask_for_more_after(&mut self, error: AttemptError) -> Result<(), AttemptError> {
        match (&error, self.models.reached()) {
            (AttemptError::Agent(of), Some(limit)) if of.is_budget() => {
                self.attempt.live.abandon();
                self.give_up_merge()?;
                self.attempt.tell_usage(self.models).await;
                self.ask_for_more(&limit).await
            }
            _ => Err(error),
        }
    }

    /// Asks a person for more of a budget that is used up, and goes on once it is granted.
    async fn ask_for_more(&mut self, limit: &BudgetLimit) -> Result<(), AttemptError> {
        if let Stopped::Waits { id, message } = self.attempt.stop_for_more(limit).await? {
            self.attempt.hold(id, message).await?;
        }
        self.attempt.hear_what_was_granted(Some(self.models)).await?;
        require_other(limit, self.models.reached())
    }

    /// Stops for a person, as the job's policy says. Returns what the person said.
    async fn stop_at(
        &mut self,
        stage: CheckpointStage,
        text: &str,
        saved: &str,
    ) -> Result<Option<String>, AttemptError> {
        let data = Map::from_iter([("text".to_owned(), json!(text))]);
        match self.attempt.stop_at(stage, text, data).await? {
            Stopped::GoOn(said) => Ok(said),
            Stopped::Waits { id, message } => {
                // What the agent changed is pushed; the next attempt goes on right here.
                self.push_rest().await?;
                self.keeper.keep_again(self.attempt, saved.to_owned()).await;
                self.attempt.tell_usage(self.models).await;
                self.attempt.hold(id, message).await
            }
        }
    }
}

fn lost() -> AttemptError {
    AttemptError::Internal("the workspace was lost in a task that failed".to_owned())
}

/// A turn's end: the commit, how its push went, and what people can read of it.
struct Kept {
    committed: Committed,
    pushed: Result<bool, GitError>,
    of_turn: Option<Patch>,
    of_branch: Option<Patch>,
}

/// `taken` is what was committed elsewhere.
fn keep(
    workspace: &mut Workspace,
    taken: Option<Committed>,
    message: &str,
    cancel: &CancellationToken,
) -> Result<Option<Kept>, GitError> {
    let committed = match taken {
        Some(taken) => taken,
        None => match workspace.commit(message)? {
            Some(committed) => committed,
            None => return Ok(None),
        },
    };
    let pushed = workspace.push(cancel);
    // At once, so that no kill can lose the turn either. The end of the attempt says what became of it.
    if let Err(error) = &pushed
        && let Err(error) = workspace.shelve(matches!(error, GitError::Refused { .. }))
    {
        tracing::warn!(error = chain(&error), "could not keep a commit that could not be pushed");
    }
    let of_turn = readable(workspace.patch_of_turn(&committed, MAX_PATCH_BYTES));
    let of_branch = readable(workspace.patch_of_branch(MAX_PATCH_BYTES));
    Ok(Some(Kept { committed, pushed, of_turn, of_branch }))
}

/// What people can't read is no reason to fail.
fn readable(patch: Result<Patch, GitError>) -> Option<Patch> {
    patch.inspect_err(|error| tracing::warn!(error = chain(error), "people can't read this change")).ok()
}

impl Hooks<'_> {
    /// Logs the end of a turn: what the agent said last, and of a plan the plan by itself.
    fn log_turn(&mut self, phase: Phase, turn: u32, output: &TurnOutput, took: Duration) {
        let said = output.text.lines().find(|line| !line.trim().is_empty()).unwrap_or("(no text)");
        let (step, tools) = (step_of(phase), output.tools.len());
        let summary = format!("{said} ({tools} tool calls, {:.1} s)", took.as_secs_f64());
        let ended = EntryData::TurnEnded {
            phase: phase.word(),
            turn,
            tools: u64::try_from(tools).unwrap_or(u64::MAX),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        };
        let reporter = &self.attempt.reporter;
        if phase == Phase::Plan {
            self.plans += 1;
            reporter.log_data(step, &summary, Some(&output.text), EntryData::Plan { round: self.plans });
            reporter.log_data(step, &format!("Agent turn {turn} ended"), None, ended);
        } else {
            reporter.log_data(step, &summary, Some(&output.text), ended);
        }
        self.attempt.progress.done(&format!("{:>6.1}s  {step}: {said}", took.as_secs_f64()));
    }

    fn log_commit(&mut self, turn: u32, committed: &Committed) {
        let change = &committed.change;
        let last_line = change.diffstat.lines().last().unwrap_or_default().trim();
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let data = EntryData::Commit {
            turn,
            commit: committed.id.clone(),
            files: number(change.files),
            added: number(change.added),
            removed: number(change.removed),
        };
        let summary = format!("{}: {last_line}", committed.short_id);
        self.attempt.reporter.log_data("commit", &summary, Some(&change.diffstat), data);
        self.phases.end("commit and push");
    }
}

/// The log's step for a turn of this phase.
fn step_of(phase: Phase) -> &'static str {
    match phase {
        Phase::Execution | Phase::Review => "turn",
        other => other.as_str(),
    }
}

#[async_trait]
impl DriveHooks for Hooks<'_> {
    async fn after_turn(&mut self, phase: Phase, turn: u32, output: &TurnOutput) -> Result<TurnChanges, anyhow::Error> {
        self.attempt.live.end(output);
        let took = self.phases.end(step_of(phase));
        self.log_turn(phase, turn, output, took);
        self.people.confirmed().await;

        let message = self.message_of(turn, phase.as_str());
        let committed = self.keep(message, Some(turn), output.branch.as_deref()).await?;
        let left_out = self.left_out();
        let Some(committed) = committed else { return Ok(TurnChanges { left_out, ..TurnChanges::default() }) };
        self.log_commit(turn, &committed);
        let change = committed.change;
        Ok(TurnChanges { changed: true, diffstat: change.diffstat, diff: Some(change.diff), left_out })
    }

    async fn stopped(&mut self, phase: Phase, turn: u32) -> Result<(), anyhow::Error> {
        self.attempt.live.abandon();
        self.phases.end(step_of(phase));
        self.people.confirmed().await;
        if self.attempt.agent.works_elsewhere() {
            return Ok(());
        }
        let committed = self.keep(self.message_of(turn, "stopped"), Some(turn), None).await?;
        self.left_out();
        if let Some(committed) = committed {
            self.log_commit(turn, &committed);
        }
        Ok(())
    }

    async fn so_far(&mut self) -> String {
        match self.workspace.as_ref().map(Workspace::change_of_attempt) {
            Some(Ok(change)) => change.diffstat,
            Some(Err(error)) => {
                tracing::warn!(error = chain(&error), "the agent is not told what the branch changes so far");
                String::new()
            }
            None => String::new(),
        }
    }

    fn resumed(&mut self) -> Option<String> {
        self.resumed.take()
    }

    fn keeps(&self) -> bool {
        self.keeper.keeps(self.attempt)
    }

    async fn keep(&mut self, turn: u32, saved: String, remembered: Option<String>) {
        let head = self.workspace.as_ref().filter(|_| self.unpushed).and_then(|workspace| workspace.head_id().ok());
        self.keeper.keep(self.attempt, turn, saved, (remembered, head)).await;
    }

    async fn may_work(&mut self, phase: Phase, plan: &str, saved: &str) -> Result<Option<String>, anyhow::Error> {
        if self.may_work || phase != Phase::Execution || plan.is_empty() {
            return Ok(None);
        }
        let said = self.stop_at(CheckpointStage::Plan, plan, saved).await?;
        self.may_work = true;
        Ok(said)
    }

    async fn verify(&mut self) -> Result<Verified, anyhow::Error> {
        let verified = self.prover.verify(self.attempt, &mut self.workspace).await;
        self.phases.end("verification");
        Ok(verified?)
    }

    async fn ask(&mut self, asked: &Asked, saved: &str) -> Result<Option<String>, anyhow::Error> {
        let text = match asked {
            Asked::Question { text } => text.clone(),
            Asked::Permission { .. } => format!("The agent asks for a permission: {}", asked.text()),
        };
        Ok(self.stop_at(CheckpointStage::Question, &text, saved).await?)
    }

    async fn out_of_budget(
        &mut self,
        turn: u32,
        saved: &str,
        remembered: Option<String>,
    ) -> Result<bool, anyhow::Error> {
        // A model's server that says the same of itself ends no budget.
        let Some(limit) = self.models.reached() else { return Ok(false) };
        self.attempt.reporter.log("budget", &limit.used_up(), None);
        self.keep_cut_turn(&limit, turn, saved, remembered).await?;
        self.ask_for_more(&limit).await?;
        Ok(true)
    }

    async fn messages(&mut self, turn: u32) -> Vec<Words> {
        self.people.take(self.attempt, turn).await
    }

    async fn before_turn(&mut self, phase: Phase, turn: u32, prompt: &str, words: &[Words]) {
        let accepted = self.attempt.live.begin(&phase.word(), turn);
        self.people.confirm(self.attempt, turn, words, accepted);
        self.phases.end(phase.as_str());
        let data = EntryData::TurnStarted {
            phase: phase.word(),
            turn,
            prompt_bytes: u64::try_from(prompt.len()).unwrap_or(u64::MAX),
            messages: words.iter().map(|words| words.id).collect(),
        };
        let with = if words.is_empty() { "" } else { ", with messages" };
        let summary = format!("Agent turn {turn} starts{with}");
        self.attempt.reporter.log_data(phase.as_str(), &summary, None, data);
        self.attempt.progress.now(&summary);
    }

    async fn decided(&mut self, phase: Phase, turn: u32, summary: &str, answer: Option<&str>, verdict: &Verdict) {
        self.phases.end(phase.as_str());
        let data = EntryData::Verdict {
            phase: phase.word(),
            turn,
            round: verdict.round,
            approved: verdict.approved,
            complete: verdict.complete,
            feedback: verdict.feedback.clone(),
            next: verdict.next.clone(),
        };
        self.attempt.reporter.log_data(phase.as_str(), summary, answer, data);
        self.attempt.progress.now(summary);
    }

    async fn log(&mut self, step: &str, summary: &str, raw_output: Option<&str>) {
        self.phases.end(step);
        self.attempt.reporter.log(step, summary, raw_output);
        self.attempt.progress.now(summary);
    }
}
