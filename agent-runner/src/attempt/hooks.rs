//! What happens around the agent's turns: a commit and a push after each that changed something, and log entries.

use super::patience::DOUBTS;
use super::phases::Phases;
use super::{Attempt, AttemptError, hand_over};
use crate::agent::TurnOutput;
use crate::director::{DriveHooks, Phase, TurnChanges};
use crate::git::{Committed, GitError, Update, Workspace, describe_skipped};
use async_trait::async_trait;
use terarchitect_outbound::{Retriable, chain};
use tokio_util::sync::CancellationToken;

/// How many earlier commits the agent is shown.
const EARLIER_COMMITS: usize = 20;

pub(super) struct Hooks<'a> {
    attempt: &'a Attempt,
    /// Absent only while a blocking task works with it.
    workspace: Option<Workspace>,
    phases: &'a mut Phases,
}

impl<'a> Hooks<'a> {
    pub(super) fn new(attempt: &'a Attempt, workspace: Workspace, phases: &'a mut Phases) -> Self {
        Self { attempt, workspace: Some(workspace), phases }
    }

    pub(super) fn into_workspace(self) -> Result<Workspace, AttemptError> {
        self.workspace.ok_or_else(|| AttemptError::Internal("the workspace was lost in a task that failed".to_owned()))
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
        let committed = self.keep(message).await?;
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

    /// Commits what the turn changed and pushes it, so that no kill can lose a finished turn.
    async fn keep(&mut self, message: String) -> Result<Option<Committed>, AttemptError> {
        let Some(mut workspace) = self.workspace.take() else {
            return Err(AttemptError::Internal("the workspace was lost in a task that failed".to_owned()));
        };
        let cancel = self.attempt.cancel.clone();
        let kept = tokio::task::spawn_blocking(move || {
            let kept = keep(&mut workspace, &message, &cancel);
            (workspace, kept)
        });
        let (workspace, kept) =
            kept.await.map_err(|error| AttemptError::Internal(format!("the task that commits failed: {error}")))?;
        self.workspace = Some(workspace);
        let Some((committed, pushed)) = kept? else { return Ok(None) };
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
}

/// The commit, and how its push went.
type Kept = (Committed, Result<bool, GitError>);

fn keep(workspace: &mut Workspace, message: &str, cancel: &CancellationToken) -> Result<Option<Kept>, GitError> {
    let Some(committed) = workspace.commit(message)? else { return Ok(None) };
    let pushed = workspace.push(cancel);
    // At once, so that no kill can lose the turn either. The end of the attempt says what became of it.
    if let Err(error) = &pushed
        && let Err(error) = workspace.shelve(matches!(error, GitError::Refused { .. }))
    {
        tracing::warn!(error = chain(&error), "could not keep a commit that could not be pushed");
    }
    Ok(Some((committed, pushed)))
}

#[async_trait]
impl DriveHooks for Hooks<'_> {
    async fn after_turn(&mut self, phase: Phase, turn: u32, output: &TurnOutput) -> Result<TurnChanges, anyhow::Error> {
        let tools: Vec<String> = output.tools.iter().map(ToString::to_string).collect();
        let said = output.text.lines().find(|line| !line.trim().is_empty()).unwrap_or("(no text)");
        let step = match phase {
            Phase::Execution => "turn",
            other => other.as_str(),
        };
        let raw = format!("{}\n\nTools:\n{}", output.text, tools.join("\n"));
        let took = self.phases.end(step);
        let summary = format!("{said} ({} tool calls, {:.1} s)", tools.len(), took.as_secs_f64());
        self.attempt.reporter.log(step, &summary, Some(&raw));
        self.attempt.progress.done(&format!("{:>6.1}s  {step}: {said}", took.as_secs_f64()));

        let title = self.attempt.title();
        let ticket = self.attempt.config.ticket;
        let message = format!("{title}\n\nTicket {ticket}, turn {turn} ({phase}).\n");
        let committed = self.keep(message).await?;
        let left_out = self.left_out();
        let Some(committed) = committed else { return Ok(TurnChanges { left_out, ..TurnChanges::default() }) };
        let last_line = committed.change.diffstat.lines().last().unwrap_or_default().trim().to_owned();
        self.attempt.reporter.log(
            "commit",
            &format!("{}: {last_line}", committed.short_id),
            Some(&committed.change.diffstat),
        );
        self.phases.end("commit and push");
        let change = committed.change;
        Ok(TurnChanges { changed: true, diffstat: change.diffstat, diff: Some(change.diff), left_out })
    }

    async fn log(&mut self, step: &str, summary: &str, raw_output: Option<&str>) {
        self.phases.end(step);
        self.attempt.reporter.log(step, summary, raw_output);
        self.attempt.progress.now(summary);
    }
}
