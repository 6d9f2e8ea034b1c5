//! What one delivery changes here, in its transaction.

use super::deliveries::Outcome;
use super::follow::follow;
use crate::actions::ActionResult;
use crate::changes::Change;
use crate::db;
use crate::db::forges::deliveries::Claimed;
use crate::db::forges::pulls::{Candidate, Pull};
use crate::domain::forges::event::{
    CheckFacts, CheckState, ForgeEvent, Heard, NewComment, PullFacts, PullRef, ReviewFacts, ticket_of,
};
use crate::domain::forges::{self, CommentKind, ForgeKind, ReviewState};
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::projects::repository;
use serde_json::json;
use terarchitect_worker_api::ProjectId;
use uuid::Uuid;

/// Which projects a delivery may concern, and who sent it.
struct Scope {
    sender: ForgeKind,
    projects: Vec<Uuid>,
}

/// Works on a delivery. `project` becomes the project that it is about, where that is known.
pub(super) async fn deliver(
    change: &mut Change,
    claimed: &Claimed,
    project: &mut Option<Uuid>,
) -> ActionResult<Outcome> {
    let Ok(body) = serde_json::from_slice(&claimed.body) else {
        return Ok(Outcome::Unreadable("The body is not valid JSON."));
    };
    let heard = forges::read(claimed.sender, &claimed.event, &body);
    if let ForgeEvent::Nothing(why) = heard.what {
        return Ok(Outcome::Ignored(why.to_owned()));
    }
    let found = candidates(change, heard.repository.as_deref(), claimed.hook_project_id).await?;
    let [first, others @ ..] = found.as_slice() else {
        let why = match claimed.hook_project_id {
            Some(_) => "It is about another repository than the project's.",
            None => "No project has this repository.",
        };
        return Ok(Outcome::Ignored(why.to_owned()));
    };
    if others.is_empty() {
        *project = Some(first.id);
    }
    let scope = Scope { sender: claimed.sender, projects: found.iter().map(|candidate| candidate.id).collect() };
    let (outcome, touched) = apply(change, &scope, heard, &found).await?;
    *project = touched.or(*project);
    Ok(outcome)
}

async fn candidates(change: &mut Change, address: Option<&str>, only: Option<Uuid>) -> ActionResult<Vec<Candidate>> {
    let Some(place) = address.and_then(repository::place) else { return Ok(Vec::new()) };
    let mut found = db::forges::pulls::candidates(change, &place.1, only).await?;
    found.retain(|candidate| repository::place(&candidate.github_url).as_ref() == Some(&place));
    Ok(found)
}

type Applied = (Outcome, Option<Uuid>);

async fn apply(change: &mut Change, scope: &Scope, heard: Heard, found: &[Candidate]) -> ActionResult<Applied> {
    let by = heard.sender.as_ref().map(|sender| sender.login.clone());
    match heard.what {
        ForgeEvent::PullChanged(facts) => pull_changed(change, scope, &facts, by.as_deref()).await,
        ForgeEvent::Reviewed(review) => reviewed(change, scope, &review).await,
        ForgeEvent::CommentMade { pull, comment } => {
            let pulls = pulls_of(change, scope, &pull).await?;
            for found in &pulls {
                receive_anew(change, found, &comment).await?;
            }
            Ok(of_pulls(&pulls, &pull))
        }
        ForgeEvent::CommentDeleted { pull, kind, forge_id, author } => {
            let pulls = pulls_of(change, scope, &pull).await?;
            for found in &pulls {
                db::forges::reviews::touch(change, found.id).await?;
                db::forges::comments::deleted(change, found.id, kind, &forge_id, &author.login).await?;
            }
            Ok(of_pulls(&pulls, &pull))
        }
        ForgeEvent::CheckChanged(check) => checked(change, scope, &check).await,
        ForgeEvent::Look(which) => {
            let pulls = db::forges::pulls::find(change, &scope.projects, &which).await?;
            for found in &pulls {
                db::forges::pulls::look(change, found.id).await?;
            }
            Ok(done_or(&pulls, "No ticket has this pull request."))
        }
        ForgeEvent::Pushed { branch, before, after } => {
            pushed(change, scope, &branch, before.as_deref(), after.as_deref()).await
        }
        ForgeEvent::IssueLabelled { label, .. } => {
            let is_wanted = found.iter().any(|project| project.issue_label.as_deref() == Some(label.as_str()));
            if !is_wanted {
                let why = "No project makes tickets of issues with this label.";
                return Ok((Outcome::Ignored(why.to_owned()), None));
            }
            // The issue is read from the forge: what the event says of it may be old.
            for project in found.iter().filter(|project| project.issue_label.as_deref() == Some(label.as_str())) {
                db::forges::sweeps::wake(change, ProjectId(project.id)).await?;
            }
            Ok((Outcome::Done, None))
        }
        ForgeEvent::Noted { name, state, url, sha } => {
            let data = json!({"name": name, "state": state, "url": url, "sha": sha, "by": by});
            for project in &scope.projects {
                change.record(NewEvent::of_project(EventKind::ForgeNoted, ProjectId(*project)).with(data.clone()));
            }
            Ok((Outcome::Done, None))
        }
        ForgeEvent::Nothing(why) => Ok((Outcome::Ignored(why.to_owned()), None)),
    }
}

fn done_or(pulls: &[Pull], why: &str) -> Applied {
    match pulls.first() {
        Some(first) => (Outcome::Done, Some(first.project_id)),
        None => (Outcome::Ignored(why.to_owned()), None),
    }
}

fn of_pulls(pulls: &[Pull], which: &PullRef) -> Applied {
    match pulls.first() {
        Some(first) => (Outcome::Done, Some(first.project_id)),
        None => (Outcome::NoTicket(which.number), None),
    }
}

/// The pull requests that are meant. One that is not known is noted, if a ticket has it or it has the ticket's branch.
async fn pulls_of(change: &mut Change, scope: &Scope, which: &PullRef) -> ActionResult<Vec<Pull>> {
    let known = db::forges::pulls::find(change, &scope.projects, which).await?;
    let (true, Some(number)) = (known.is_empty(), which.number) else { return Ok(known) };
    let of_branch = which.head_branch.as_deref().and_then(ticket_of);
    for (project, ticket) in db::forges::pulls::tickets_of(change, &scope.projects, number, of_branch).await? {
        // Before the row, as where the runner reports it.
        db::tickets::lock_moves(change, ticket).await?;
        if db::forges::pulls::insert(change, project, ticket, number, None, Some(scope.sender)).await? {
            db::forges::deliveries::wake(change, number).await?;
        }
    }
    Ok(db::forges::pulls::find(change, &scope.projects, which).await?)
}

/// Lets a pull request be read that has changed at its forge, if it is a ticket's. Returns how many rows that concerns.
pub(super) async fn note_pull(
    change: &mut Change,
    project: Uuid,
    forge: ForgeKind,
    facts: &PullFacts,
) -> ActionResult<usize> {
    let scope = Scope { sender: forge, projects: vec![project] };
    let pulls = pulls_of(change, &scope, &PullRef { head_sha: None, ..facts.as_ref() }).await?;
    let mut news = 0;
    for pull in &pulls {
        news += usize::from(db::forges::pulls::look_if_newer(change, pull.id, facts.updated_at).await?);
    }
    Ok(news)
}

async fn pull_changed(
    change: &mut Change,
    scope: &Scope,
    facts: &PullFacts,
    by: Option<&str>,
) -> ActionResult<Applied> {
    let which = facts.as_ref();
    let pulls = pulls_of(change, scope, &which).await?;
    for pull in &pulls {
        follow(change, pull, scope.sender, facts, by).await?;
        // GitLab has no event of its own for a reviewer's state.
        if scope.sender == ForgeKind::GitLab {
            db::forges::pulls::look(change, pull.id).await?;
        }
    }
    if pulls.is_empty() && facts.is_from_fork {
        return Ok((Outcome::Ignored("It is about a pull request from another repository.".to_owned()), None));
    }
    Ok(of_pulls(&pulls, &which))
}

/// Notes a comment of a delivery.
async fn receive_anew(change: &mut Change, pull: &Pull, comment: &NewComment) -> ActionResult<()> {
    // Before the comment: what was read of the pull request before is old, whether or not the comment is new here.
    db::forges::reviews::touch(change, pull.id).await?;
    receive(change, pull, comment).await.map(drop)
}

/// Notes a comment as it is now, and that its review is known, if it is one. False: it is not new.
pub(super) async fn receive(change: &mut Change, pull: &Pull, comment: &NewComment) -> ActionResult<bool> {
    if !db::forges::comments::insert(change, pull.id, comment).await? {
        return Ok(false);
    }
    if comment.kind == CommentKind::Review {
        db::forges::comments::wake_review(change, pull.id, &comment.forge_id).await?;
    }
    let (project, ticket) = pull.place();
    let data = json!({
        "pr_number": pull.number, "comment_kind": comment.kind, "by": comment.author.login, "path": comment.path,
    });
    change.record(NewEvent::of_ticket(EventKind::CommentReceived, project, ticket).with(data));
    Ok(true)
}

async fn reviewed(change: &mut Change, scope: &Scope, review: &ReviewFacts) -> ActionResult<Applied> {
    let pulls = pulls_of(change, scope, &review.pull).await?;
    for pull in &pulls {
        let by = &review.author.login;
        let is_new = match review.state {
            Some(ReviewState::Commented) => false,
            Some(state) => {
                let head = review.head_sha.as_deref();
                db::forges::pulls::reviewed(change, pull.id, state, by, head, review.at).await?
            }
            None => db::forges::pulls::dismissed(change, pull.id, by).await?,
        };
        if is_new {
            let (project, ticket) = pull.place();
            let data = json!({
                "pr_number": pull.number, "review_state": review.state, "review_by": by, "review_head": review.head_sha,
            });
            change.record(NewEvent::of_ticket(EventKind::PullRequestChanged, project, ticket).with(data));
        }
        if let Some(comment) = &review.comment {
            receive_anew(change, pull, comment).await?;
        }
    }
    Ok(of_pulls(&pulls, &review.pull))
}

async fn checked(change: &mut Change, scope: &Scope, check: &CheckFacts) -> ActionResult<Applied> {
    if check.is_own() {
        return Ok((Outcome::Ignored("This system itself posted it.".to_owned()), None));
    }
    let pulls = pulls_of(change, scope, &check.pull).await?;
    for pull in &pulls {
        if db::forges::pulls::checked(change, pull.id, &check.sha, &check.name, check.state).await? {
            let (project, ticket) = pull.place();
            let data = json!({"pr_number": pull.number, "check": check.name, "check_state": check.state.as_str()});
            change.record(NewEvent::of_ticket(EventKind::PullRequestChanged, project, ticket).with(data));
        }
        if check.state == CheckState::Failure {
            receive_anew(change, pull, &failed_check(check)).await?;
        }
    }
    let is_ours = check.pull.head_branch.as_deref().and_then(ticket_of).is_some();
    if pulls.is_empty() && !is_ours && check.pull.number.is_none() {
        return Ok((Outcome::Ignored("No ticket has a pull request with this commit.".to_owned()), None));
    }
    Ok(of_pulls(&pulls, &check.pull))
}

/// A failed check as something to do. Its log's end is read from the forge later, where the forge has it.
pub(super) fn failed_check(check: &CheckFacts) -> NewComment {
    let summary = check.summary.as_deref().map(|text| format!("\n\n{text}")).unwrap_or_default();
    NewComment {
        forge_id: check.forge_id.clone(),
        kind: CommentKind::Check,
        thread_id: None,
        review_id: None,
        review_state: None,
        head_sha: Some(check.sha.clone()),
        author: check.author.clone(),
        body: format!("{}: {}{summary}", check.name, check.conclusion),
        path: None,
        line: None,
        hunk: None,
        url: check.url.clone(),
    }
}

async fn pushed(
    change: &mut Change,
    scope: &Scope,
    branch: &str,
    before: Option<&str>,
    after: Option<&str>,
) -> ActionResult<Applied> {
    let which = PullRef { head_branch: Some(branch.to_owned()), ..PullRef::default() };
    let pulls = db::forges::pulls::find(change, &scope.projects, &which).await?;
    for pull in &pulls {
        db::forges::pulls::pushed(change, pull.id, before, after).await?;
    }
    let on_it = db::forges::pulls::look_at_base(change, &scope.projects, branch).await?;
    if on_it > 0 {
        return Ok((Outcome::Done, None));
    }
    Ok(done_or(&pulls, "No open pull request of a ticket has this branch."))
}
