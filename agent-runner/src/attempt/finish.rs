//! The end of an attempt: the last push, the pull request, and the report to the API that the ticket is complete.

use super::checkpoints::Stopped;
use super::phases::Phases;
use super::{Attempt, AttemptError, Finished, finished, proof, review};
use crate::config::AgentConfig;
use crate::director::{DriveError, Outcome};
use crate::git::{Change, GitError, RemoteUrl, TokenHome, Workspace};
use crate::proof::Evidence;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use terarchitect_forge::{EditPull, Forge, NewPull, OpenPull, Repository, Tokens, forge_at};
use terarchitect_outbound::{Retry, chain};
use terarchitect_worker_api::{CheckpointStage, CompleteTicketRequest, EntryData, IndexRequest, ReviewReply};
use tokio_util::sync::CancellationToken;

/// For how long the report that the ticket is complete is retried. Without it the work would not show on the board.
const COMPLETE_PATIENCE: Duration = Duration::from_secs(600);
/// The longest title of a pull request that GitHub accepts, in characters.
const MAX_TITLE_CHARS: usize = 256;
/// The longest description of a pull request, in bytes; GitHub accepts 65 536.
const MAX_BODY_BYTES: usize = 48 * 1024;
/// How many files of instructions it names.
const MAX_NAMED_FILES: usize = 50;

pub(super) async fn finish(
    attempt: &Attempt,
    workspace: Workspace,
    remote: &RemoteUrl,
    outcome: Outcome,
    mut phases: Phases,
) -> Result<Finished, AttemptError> {
    if attempt.cancel.is_cancelled() {
        shelve(attempt, &workspace, false);
        return Err(AttemptError::Cancelled);
    }
    let has_work = workspace.has_work()?;
    let reply = review::reply(attempt, &workspace, &outcome)?;
    let replies = review::replies(attempt, &workspace, &outcome)?;
    let workdir = workspace.workdir().to_owned();
    if !has_work && outcome.reason.is_none() && reply.is_none() && attempt.scratch.is_none() {
        return Err(AttemptError::NothingChanged);
    }
    let (branch, base) = (workspace.branch().to_owned(), workspace.default_branch().to_owned());
    let change = workspace.change_of_attempt()?;
    let instructions = workspace.changed_instructions()?;
    let mut pull = None;
    if has_work || reply.is_some() {
        let head = workspace.head_id()?;
        if attempt.context.finished_work.as_ref().is_none_or(|noted| noted.head != head) {
            finished::note(attempt, &head, &outcome, reply.as_deref(), &replies).await;
        }
        push(attempt, workspace).await?;
        attempt.log_phase(&mut phases, "push", &format!("Pushed {branch}"));
        if reply.is_none() && attempt.scratch.is_none() {
            show_work(attempt, &head, &outcome, &change).await?;
        }
        pull = if reply.is_some() {
            review::find_pull(attempt, remote, &branch, &mut phases).await?
        } else if attempt.scratch.is_some() {
            // Its repository is at no forge.
            None
        } else {
            let new = NewPull {
                head: branch.clone(),
                base,
                title: attempt.mask.apply(&attempt.title()).chars().take(MAX_TITLE_CHARS).collect(),
                body: attempt.mask.apply(&body(attempt, &outcome, &change, &instructions)),
                draft: false,
            };
            open_pull(attempt, remote, new, &mut phases).await?
        };
    } else {
        let reason = outcome.reason.as_deref().unwrap_or_default();
        attempt.reporter.log("nothing_changed", &format!("Nothing needed to change: {reason}"), None);
    }
    if let Some(output) = attempt.hand_in(&workdir, &outcome.summary).await? {
        show_output(attempt, &output).await?;
    }
    complete(attempt, &outcome, pull.as_ref(), (reply, replies), &mut phases).await?;
    remember(attempt, &outcome).await;
    Ok(Finished {
        branch,
        diffstat: change.diffstat,
        pull_url: pull.map(|pull| pull.url),
        summary: outcome.summary,
        phases: phases.all(),
    })
}

/// Where the job's policy says so, a person looks at the work before its pull request is opened. It is pushed and noted as done, so
/// that the attempt that goes on begins here.
async fn show_work(attempt: &Attempt, head: &str, outcome: &Outcome, change: &Change) -> Result<(), AttemptError> {
    for stage in [CheckpointStage::Diff, CheckpointStage::Output] {
        let text = match stage {
            CheckpointStage::Diff => format!("{}\n\n{}", change.diffstat, change.diff),
            _ => outcome.summary.clone(),
        };
        let data = Map::from_iter([("text".to_owned(), json!(text)), ("summary".to_owned(), json!(outcome.summary))]);
        if let Stopped::Waits { id, message } = attempt.stop_at(stage, head, data).await? {
            attempt.hold(id, message).await?;
        }
    }
    Ok(())
}

/// Where the job's policy says so, a person looks at what came of a job that works on data. It is stored, so that the attempt that goes
/// on begins here.
async fn show_output(attempt: &Attempt, output: &Value) -> Result<(), AttemptError> {
    // Not the text of the whole: a database gives it back in another order.
    let files = output["files"].as_array().map(Vec::as_slice).unwrap_or_default().iter();
    let files =
        files.map(|file| format!("{}{}{}{}", file["path"], file["size"], file["content"], file["contentBase64"]));
    let about = format!("{}{}", output["result"], files.collect::<String>());
    for stage in [CheckpointStage::Diff, CheckpointStage::Output] {
        let mut data = output.as_object().cloned().unwrap_or_default();
        if let Some(result) = data.remove("result") {
            data.insert("text".to_owned(), result);
        }
        if let Stopped::Waits { id, message } = attempt.stop_at(stage, &about, data).await? {
            attempt.hold(id, message).await?;
        }
    }
    Ok(())
}

/// What an earlier attempt handed in before it waited for a person: once that is approved, only the report is missing.
pub(super) async fn handed_in_before(attempt: &Attempt, phases: &mut Phases) -> Result<Option<Finished>, AttemptError> {
    let Some(output) = attempt.context.output_data.as_ref().filter(|_| attempt.scratch.is_some()) else {
        return Ok(None);
    };
    let text = "An earlier attempt did the work; going on at what is missing";
    attempt.reporter.log("resumed", text, None);
    show_output(attempt, output).await?;
    let summary = output["result"].as_str().unwrap_or_default().to_owned();
    let outcome = Outcome { summary: summary.clone(), ..Outcome::default() };
    complete(attempt, &outcome, None, (None, Vec::new()), phases).await?;
    Ok(Some(Finished { summary, phases: std::mem::replace(phases, Phases::start()).all(), ..Finished::default() }))
}

/// Pushes work whose verification failed, and shows people in a draft what failed. The job fails whatever becomes of this.
pub(super) async fn hand_in_unproven(
    attempt: &Attempt,
    workspace: Workspace,
    remote: &RemoteUrl,
    evidence: &Evidence,
    mut phases: Phases,
) {
    let handed_in = async {
        let summary =
            "This is a draft: it is not done, since its verification failed. The agent had no more rounds to mend it.";
        let outcome = Outcome { summary: summary.to_owned(), proof: evidence.for_pull_request(), ..Outcome::default() };
        let draft = draft(attempt, &workspace, &outcome)?;
        push(attempt, workspace).await?;
        if let Some(draft) = draft {
            open_pull(attempt, remote, draft, &mut phases).await?;
        }
        proof::post_status(attempt, remote, evidence).await;
        Ok::<(), AttemptError>(())
    };
    if let Err(error) = handed_in.await {
        not_shown(attempt, &error);
    }
}

/// The draft of what was done up to the end of a budget, as `ended` says it; none if there is nothing to show. It is pushed already.
pub(super) fn unfinished(
    attempt: &Attempt,
    workspace: &Workspace,
    ended: &str,
) -> Result<Option<NewPull>, AttemptError> {
    if !workspace.has_work()? {
        return Ok(None);
    }
    let summary =
        format!("This is a draft: it is not done. {ended}, and the work goes on once a person has granted more.");
    draft(attempt, workspace, &Outcome { summary, ..Outcome::default() })
}

/// Shows people a draft. The job goes on whatever becomes of this.
pub(super) async fn show_unfinished(
    attempt: &Attempt,
    draft: Result<Option<NewPull>, AttemptError>,
    phases: &mut Phases,
) {
    let shown = async {
        if let Some(draft) = draft? {
            let remote = RemoteUrl::parse(&attempt.agent.repo_url)?;
            open_pull(attempt, &remote, draft, phases).await?;
        }
        Ok::<(), AttemptError>(())
    };
    if let Err(error) = shown.await {
        not_shown(attempt, &error);
    }
}

fn not_shown(attempt: &Attempt, error: &AttemptError) {
    let text = format!("The work could not be shown in a draft: {}", error.chain());
    attempt.reporter.failed("pull_request", &text);
}

/// A draft of the branch, where it is the ticket's own work in a repository.
fn draft(attempt: &Attempt, workspace: &Workspace, outcome: &Outcome) -> Result<Option<NewPull>, AttemptError> {
    if attempt.config.review.is_some() || attempt.scratch.is_some() {
        return Ok(None);
    }
    let (change, instructions) = (workspace.change_of_attempt()?, workspace.changed_instructions()?);
    Ok(Some(NewPull {
        head: workspace.branch().to_owned(),
        base: workspace.default_branch().to_owned(),
        title: attempt.mask.apply(&attempt.title()).chars().take(MAX_TITLE_CHARS).collect(),
        body: attempt.mask.apply(&body(attempt, outcome, &change, &instructions)),
        draft: true,
    }))
}

/// Pushes what an attempt that failed has committed and could not push before, so that the next one continues there.
pub(super) async fn keep_what_is_there(attempt: &Attempt, workspace: Workspace, error: &AttemptError) {
    // What ended the attempt in a turn may have been the push itself, and a cancellation has no time for another.
    let in_turn = match error {
        AttemptError::Drive(DriveError::Hook(error)) => error.downcast_ref::<AttemptError>(),
        _ => None,
    };
    if let Some(error) = in_turn {
        return give_up_or_shelve(attempt, &workspace, error);
    }
    if attempt.cancel.is_cancelled() {
        return shelve(attempt, &workspace, false);
    }
    if let Err(error) = push(attempt, workspace).await {
        tracing::warn!(error = error.chain(), "could not push what was committed before the attempt failed");
    }
}

/// Pushes what an earlier attempt could not push, before anything is paid for.
pub(super) async fn push_restored(attempt: &Attempt, workspace: Workspace) -> Result<Workspace, AttemptError> {
    if !workspace.is_restored() {
        return Ok(workspace);
    }
    let text = "An earlier attempt could not push its last commits; pushing them first";
    attempt.reporter.log("push", text, None);
    attempt.progress.now(text);
    push(attempt, workspace).await
}

/// Pushes the branch before anything is done on it, where the agent works elsewhere and starts from there.
pub(super) async fn publish(attempt: &Attempt, workspace: Workspace) -> Result<Workspace, AttemptError> {
    if !attempt.agent.works_elsewhere() {
        return Ok(workspace);
    }
    push_by(attempt, workspace, Workspace::publish).await
}

async fn push(attempt: &Attempt, workspace: Workspace) -> Result<Workspace, AttemptError> {
    push_by(attempt, workspace, Workspace::push).await
}

/// Pushes; what can't be pushed is kept for the next attempt.
async fn push_by(
    attempt: &Attempt,
    workspace: Workspace,
    push: fn(&mut Workspace, &CancellationToken) -> Result<bool, GitError>,
) -> Result<Workspace, AttemptError> {
    let workspace = Arc::new(Mutex::new(workspace));
    let push_once = || {
        let (workspace, cancel) = (workspace.clone(), attempt.cancel.clone());
        // A task before this one that panicked left nothing half done that a push could not do again.
        let pushing = tokio::task::spawn_blocking(move || {
            push(&mut workspace.lock().unwrap_or_else(PoisonError::into_inner), &cancel)
        });
        async move {
            let pushed = pushing.await;
            Ok(pushed.map_err(|error| AttemptError::Internal(format!("the task that pushes failed: {error}")))??)
        }
    };
    let pushed = attempt.patiently(true, push_once).await;
    let workspace = Arc::into_inner(workspace).map(|lock| lock.into_inner().unwrap_or_else(PoisonError::into_inner));
    let workspace = workspace.ok_or_else(|| AttemptError::Internal("a task that pushes still runs".to_owned()))?;
    if let Err(error) = pushed {
        give_up_or_shelve(attempt, &workspace, &error);
        return Err(error);
    }
    Ok(workspace)
}

fn give_up_or_shelve(attempt: &Attempt, workspace: &Workspace, error: &AttemptError) {
    match error {
        AttemptError::Git(GitError::Rejected { .. }) => workspace.clear_shelf(),
        AttemptError::Git(GitError::Refused { .. }) if workspace.was_refused() => set_aside(attempt, workspace),
        AttemptError::Git(GitError::Refused { .. }) => shelve(attempt, workspace, true),
        _ => shelve(attempt, workspace, false),
    }
}

/// What is refused again must not stand in the way of every further attempt.
fn set_aside(attempt: &Attempt, workspace: &Workspace) {
    let text = match workspace.set_aside() {
        Ok(file) => format!(
            "The remote refuses the commits of an earlier attempt again, so the next attempt starts without them. They stay \
             in {} for some days; rename it to end in .commits to have them pushed",
            file.display()
        ),
        Err(error) => chain(&error),
    };
    attempt.reporter.failed("push", &text);
}

fn shelve(attempt: &Attempt, workspace: &Workspace, refused: bool) {
    match workspace.shelve(refused) {
        Ok(false) => {}
        Ok(true) => {
            let text = "The last commits could not be pushed; they are kept, and the next attempt pushes them first";
            attempt.reporter.log("push", text, None);
        }
        Err(error) => {
            let text = format!(
                "The last commits could not be pushed, nor kept, and the next attempt repeats their turns: {}",
                chain(&error)
            );
            attempt.reporter.failed("push", &text);
        }
    }
}

async fn open_pull(
    attempt: &Attempt,
    remote: &RemoteUrl,
    new: NewPull,
    phases: &mut Phases,
) -> Result<Option<OpenPull>, AttemptError> {
    let Some(forge) = forge(attempt, remote).await? else {
        let text = format!(
            "Pushed {}, but opened no pull request: {} is not on a supported forge. For GitHub Enterprise, set \
             GITHUB_API_URL",
            new.head,
            remote.as_str()
        );
        attempt.reporter.log("pull_request", &text, None);
        return Ok(None);
    };
    let pull = tokio::select! {
        pull = forge.open_pull(&new) => pull.map_err(AttemptError::Forge)?,
        () = attempt.cancel.cancelled() => return Err(AttemptError::Cancelled),
    };
    if pull.reused && !new.draft {
        end_draft(forge.as_ref(), pull.number, new.body).await?;
    }
    let verb = if pull.reused { "Updated" } else { "Opened" };
    let data = EntryData::PullRequest { url: pull.url.clone(), number: Some(pull.number) };
    attempt.log_phase_data(phases, "pull_request", &format!("{verb} {}", pull.url), Some(data));
    Ok(Some(pull))
}

/// An earlier attempt may have left a draft, since its verification failed; this one's did not.
async fn end_draft(forge: &dyn Forge, number: i64, body: String) -> Result<(), AttemptError> {
    if forge.pull(number).await.map_err(AttemptError::Forge)?.draft {
        let edit = EditPull { body: Some(body), ..EditPull::default() };
        forge.edit_pull(number, &edit).await.map_err(AttemptError::Forge)?;
        forge.set_ready(number).await.map_err(AttemptError::Forge)?;
    }
    Ok(())
}

/// The repository's forge, if it is a known one.
pub(super) async fn forge(attempt: &Attempt, remote: &RemoteUrl) -> Result<Option<Box<dyn Forge>>, AttemptError> {
    let AgentConfig { github_api_url: api, forge_kind, token_home, .. } = &attempt.agent;
    let Some(repository) = repository(remote) else { return Ok(None) };
    let token = attempt.agent.github_token.as_ref();
    let is_home_of_api = TokenHome::find(None, api.as_ref()).is_some_and(|home| home.host() == token_home.host());
    let tokens = Tokens {
        for_host: token.filter(|_| remote.as_url().is_some_and(|url| token_home.covers(url))),
        for_api: token.filter(|_| is_home_of_api),
    };
    let found = tokio::select! {
        found = forge_at(remote.as_str(), repository, *forge_kind, api.as_ref(), tokens) => found,
        () = attempt.cancel.cancelled() => return Err(AttemptError::Cancelled),
    };
    found.map_err(AttemptError::Forge)
}

/// The repository as forges know it: an owner and a name.
fn repository(remote: &RemoteUrl) -> Option<Repository> {
    let (owner, name) = remote.owner_and_name()?;
    Some(Repository { host: remote.host().map(str::to_owned), owner, name })
}

fn body(attempt: &Attempt, outcome: &Outcome, change: &Change, instructions: &[String]) -> String {
    let ticket = &attempt.context.current_ticket.ticket;
    let mut text = outcome.summary.trim().to_owned();
    text.push_str(&review_first(instructions));
    if !outcome.proof.is_empty() {
        let _ = write!(text, "\n\n{}", outcome.proof.trim());
    }
    let _ = write!(
        text,
        "\n\n### Ticket\n\n{} (`{}`)\n\n### Changes\n\n```\n{}\n```\n",
        ticket.title, ticket.id, change.diffstat
    );
    if let Some(number) = attempt.context.closes_issue {
        // The words that every forge takes: the merge closes the issue.
        let _ = write!(text, "\nCloses #{number}\n");
    }
    if text.len() > MAX_BODY_BYTES {
        text.truncate(text.floor_char_boundary(MAX_BODY_BYTES));
        text.push_str("\n```\n\n(cut)\n");
    }
    text
}

/// Names what would steer coding agents once it is merged.
fn review_first(instructions: &[String]) -> String {
    if instructions.is_empty() {
        return String::new();
    }
    let mut text =
        "\n\n### Review these first\n\nCoding agents take these files as configuration or instructions. As soon \
                    as they are merged, they have an effect on every ticket:\n"
            .to_owned();
    for line in instructions.iter().take(MAX_NAMED_FILES) {
        let _ = write!(text, "\n- `{}`", line.replace('`', "'"));
    }
    if instructions.len() > MAX_NAMED_FILES {
        let _ = write!(text, "\n- and {} more", instructions.len() - MAX_NAMED_FILES);
    }
    text
}

async fn complete(
    attempt: &Attempt,
    outcome: &Outcome,
    pull: Option<&OpenPull>,
    (reply, replies): (Option<String>, Vec<ReviewReply>),
    phases: &mut Phases,
) -> Result<(), AttemptError> {
    let request = CompleteTicketRequest {
        pr_url: pull.map(|pull| pull.url.clone()),
        pr_number: pull.map(|pull| pull.number).or(attempt.config.review.as_ref().and_then(|order| order.pr_number)),
        summary: Some(attempt.mask.apply(&outcome.summary).replace('\0', "")),
        review_comment_body: reply,
        review_replies: replies,
    };
    let (project, ticket) = (attempt.config.project, attempt.config.ticket);
    attempt
        .client
        .complete_ticket(project, ticket, &request, Retry::For(COMPLETE_PATIENCE))
        .await
        .map_err(AttemptError::Api)?;
    if attempt.config.review.is_some() {
        attempt.log_phase(phases, "complete", "The review is dealt with");
    } else {
        attempt.log_phase(phases, "complete", "The ticket is complete");
    }
    Ok(())
}

/// Adds what was done to the project's memory, for later tickets. A failure does not fail this one.
async fn remember(attempt: &Attempt, outcome: &Outcome) {
    // An API that sends what it remembers with the context also adds to its memory by itself.
    if attempt.context.memory.is_some() {
        return;
    }
    let ticket = &attempt.context.current_ticket.ticket;
    let doc = attempt.mask.apply(&format!("{}: {}", ticket.title, outcome.summary)).replace('\0', "");
    let request = IndexRequest { docs: vec![doc] };
    if let Err(error) = attempt.client.index_memory(attempt.config.project, &request, Retry::Never).await {
        tracing::info!(error = error.chain(), "could not add to the project's memory");
    }
}
