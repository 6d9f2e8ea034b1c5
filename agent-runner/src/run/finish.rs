//! The end of a run: the last push, the pull request, and the word to the API that the ticket is done.

use super::phases::Phases;
use super::{Finished, Run, RunError, forge_of};
use crate::director::Outcome;
use crate::forge::{NewPull, OpenPull};
use crate::git::{Change, RemoteUrl, Workspace};
use std::time::Duration;
use terarchitect_worker_api::client::Retry;
use terarchitect_worker_api::{CompleteTicketRequest, IndexRequest};

/// How long the API is told that the ticket is done. Losing this would lose the run's work from the board.
const COMPLETE_PATIENCE: Duration = Duration::from_secs(600);
/// The longest title of a pull request that GitHub takes, in characters.
const MAX_TITLE_CHARS: usize = 256;
/// The longest text of a pull request, in bytes; GitHub takes 65 536.
const MAX_BODY_BYTES: usize = 48 * 1024;

pub(super) async fn finish(
    run: &Run,
    workspace: Workspace,
    remote: &RemoteUrl,
    outcome: Outcome,
    mut phases: Phases,
) -> Result<Finished, RunError> {
    if run.cancel.is_cancelled() {
        return Err(RunError::Cancelled);
    }
    let has_work = workspace.has_work()?;
    if !has_work && outcome.reason.is_none() {
        return Err(RunError::NothingChanged);
    }
    let (branch, base) = (workspace.branch().to_owned(), workspace.default_branch().to_owned());
    let change = workspace.change_of_run()?;
    let mut pull = None;
    if has_work {
        push(run, workspace).await?;
        run.log_phase(&mut phases, "push", &format!("Pushed {branch}"));
        pull = open_pull(run, remote, &branch, &base, &outcome, &change, &mut phases).await?;
    } else {
        let reason = outcome.reason.as_deref().unwrap_or_default();
        run.reporter.log("nothing_changed", &format!("Nothing needed to change: {reason}"), None);
    }
    complete(run, &outcome, pull.as_ref(), &mut phases).await?;
    remember(run, &outcome).await;
    Ok(Finished {
        branch,
        diffstat: change.diffstat,
        pull_url: pull.map(|pull| pull.url),
        summary: outcome.summary,
        phases: phases.all(),
    })
}

async fn push(run: &Run, mut workspace: Workspace) -> Result<(), RunError> {
    let cancel = run.cancel.clone();
    let pushed = tokio::task::spawn_blocking(move || workspace.push(&cancel)).await;
    pushed.map_err(|error| RunError::Internal(format!("the push ended badly: {error}")))??;
    Ok(())
}

async fn open_pull(
    run: &Run,
    remote: &RemoteUrl,
    branch: &str,
    base: &str,
    outcome: &Outcome,
    change: &Change,
    phases: &mut Phases,
) -> Result<Option<OpenPull>, RunError> {
    let api = run.agent.github_api_url.as_ref();
    let Some(forge) = forge_of(remote, api, run.agent.github_token.as_ref())? else {
        let text = format!(
            "{} is at no forge that is known, so no pull request is opened; the branch {branch} is pushed (for GitHub \
             Enterprise set GITHUB_API_URL)",
            remote.as_str()
        );
        run.reporter.log("pull_request", &text, None);
        return Ok(None);
    };
    let ticket = &run.context.current_ticket.ticket;
    let new = NewPull {
        head: branch.to_owned(),
        base: base.to_owned(),
        title: run.mask.apply(&ticket.title).chars().take(MAX_TITLE_CHARS).collect(),
        body: run.mask.apply(&body(run, outcome, change)),
    };
    let pull = tokio::select! {
        pull = forge.open_pull(&new) => pull?,
        () = run.cancel.cancelled() => return Err(RunError::Cancelled),
    };
    let verb = if pull.reused { "Updated" } else { "Opened" };
    run.log_phase(phases, "pull_request", &format!("{verb} {}", pull.url));
    Ok(Some(pull))
}

fn body(run: &Run, outcome: &Outcome, change: &Change) -> String {
    let ticket = &run.context.current_ticket.ticket;
    let mut text = format!(
        "{}\n\n### Ticket\n\n{} (`{}`)\n\n### Changes\n\n```\n{}\n```\n",
        outcome.summary.trim(),
        ticket.title,
        ticket.id,
        change.diffstat
    );
    if text.len() > MAX_BODY_BYTES {
        text.truncate(text.floor_char_boundary(MAX_BODY_BYTES));
        text.push_str("\n```\n\n(cut)\n");
    }
    text
}

async fn complete(run: &Run, outcome: &Outcome, pull: Option<&OpenPull>, phases: &mut Phases) -> Result<(), RunError> {
    let request = CompleteTicketRequest {
        pr_url: pull.map(|pull| pull.url.clone()),
        pr_number: pull.map(|pull| pull.number),
        summary: Some(run.mask.apply(&outcome.summary).replace('\0', "")),
        review_comment_body: None,
    };
    let (project, ticket) = (run.config.project, run.config.ticket);
    run.client
        .complete_ticket(project, ticket, &request, Retry::For(COMPLETE_PATIENCE))
        .await
        .map_err(RunError::Api)?;
    run.log_phase(phases, "complete", "The ticket is complete");
    Ok(())
}

/// What was done becomes part of the project's memory; without that the next ticket is poorer, not this one wrong.
async fn remember(run: &Run, outcome: &Outcome) {
    // An API that says what it remembers also remembers by itself.
    if run.context.memory.is_some() {
        return;
    }
    let ticket = &run.context.current_ticket.ticket;
    let doc = run.mask.apply(&format!("{}: {}", ticket.title, outcome.summary)).replace('\0', "");
    let request = IndexRequest { docs: vec![doc] };
    if let Err(error) = run.client.index_memory(run.config.project, &request, Retry::Never).await {
        tracing::info!(error = error.chain(), "the project's memory was not added to");
    }
}
