//! Reads one pull request from its forge, and puts what is new through the rows of deliveries.

use super::ReadForge;
use crate::actions::ActionResult;
use crate::actions::forges::ask::{ForgePlace, NoAnswer};
use crate::actions::forges::deliver::{failed_check, receive};
use crate::actions::forges::follow::follow;
use crate::changes::{Change, Database};
use crate::db;
use crate::db::forges::looks::{DueLook, Stored};
use crate::db::forges::pulls::Pull;
use crate::domain::actor::Actor;
use crate::domain::forges::event::{CheckState, NewComment};
use crate::domain::forges::pace::{Standing, look_pause, retry_pause};
use crate::domain::forges::seen::{Fit, Seen, standing};
use crate::domain::forges::{Account, CommentKind, ForgeKind, PullState, ReviewState};
use crate::domain::live::event::{EventKind, NewEvent};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};
use std::time::Duration;
use terarchitect_worker_api::ProjectId;

/// For how long no other process reads a pull request that one is reading: longer than its calls may take.
const LEASE: Duration = Duration::from_secs(180);
/// A forge may list a comment a moment after it has told of it.
const LIST_LAG: TimeDelta = TimeDelta::seconds(120);

/// Reads the next pull request whose time has come; false if there is none.
///
/// # Errors
/// When the database is not available.
pub async fn look_at_next(database: &Database, forge: &dyn ReadForge) -> ActionResult<bool> {
    let next = db::forges::looks::claim_look(&mut *database.read().await?, LEASE).await?;
    let Some(due) = next else { return Ok(false) };
    let begun = Utc::now();
    match read(forge, &due).await {
        Ok(Some(seen)) => apply(database, &due, &seen, begun).await?,
        Ok(None) => db::forges::looks::looked(&mut *database.read().await?, &due, None).await?,
        Err(NoAnswer { sentence, retry_after }) => {
            tracing::warn!(project.id = %due.project_id, pr.number = due.number, why = sentence, "could not read a pull request; retrying later");
            let pause = retry_pause(due.looks_failed.try_into().unwrap_or_default());
            let wait = retry_after.map_or(pause, |wait| wait.max(pause));
            db::forges::looks::put_off_look(&mut *database.read().await?, &due, wait, &sentence).await?;
        }
    }
    Ok(true)
}

/// Reads it, and brings its branch up to date where a rule of the repository wants that. None: the project has no repository
/// any more.
async fn read(forge: &dyn ReadForge, due: &DueLook) -> Result<Option<Seen>, NoAnswer> {
    let Some(address) = due.github_url.clone() else { return Ok(None) };
    let place = ForgePlace { project: ProjectId(due.project_id), address, kind: due.forge_kind };
    let seen = forge.see(&place, due.number).await?;
    // Beside a job, the branch is the runner's.
    let is_idle = seen.pull.state == PullState::Open && !seen.pull.is_from_fork && !due.is_busy;
    if seen.fit == Fit::Behind
        && is_idle
        && let Some(head) = &seen.pull.head_sha
        && forge.update_branch(&place, due.number, head, due.base_update).await?
    {
        return Ok(Some(forge.see(&place, due.number).await?));
    }
    Ok(Some(seen))
}

async fn apply(database: &Database, due: &DueLook, seen: &Seen, begun: DateTime<Utc>) -> ActionResult<()> {
    let mut change = database.change(&Actor::System).await?;
    let Some(pull) = db::forges::pulls::find_one(&mut change, due.id).await? else { return Ok(()) };
    follow(&mut change, &pull, seen.forge, &seen.pull, None).await?;
    if seen.pull.state == PullState::Open
        && let Some(before) = db::forges::looks::stored(&mut change, due.id).await?
    {
        let is_news =
            review(&mut change, &pull, seen, &before).await? | checks(&mut change, &pull, seen, &before).await?;
        if is_news {
            let (project, ticket) = pull.place();
            let now = standing(&seen.verdicts);
            let data = json!({
                "pr_number": pull.number, "pr_state": seen.pull.state, "head_sha": seen.pull.head_sha,
                "review_state": now.and_then(|verdict| verdict.state), "review_by": now.map(|verdict| &verdict.by.login),
                "review_head": now.and_then(|verdict| verdict.head.as_ref()),
            });
            change.record(NewEvent::of_ticket(EventKind::PullRequestChanged, project, ticket).with(data));
        }
        let is_said = said(&mut change, &pull, seen, due.said_since).await?;
        if is_said | conflict(&mut change, &pull, seen).await? {
            // What was read for people before is old.
            db::forges::reviews::touch(&mut change, pull.id).await?;
        }
        let there =
            seen.said.iter().map(|spoken| format!("{} {}", spoken.comment.kind.as_str(), spoken.comment.forge_id));
        db::forges::looks::vanished(&mut change, due.id, &there.collect::<Vec<_>>(), begun - LIST_LAG).await?;
    }
    db::forges::looks::looked(&mut change, due, pause(seen)).await?;
    Ok(change.commit().await?)
}

/// When it is read again; none: what is over is not.
fn pause(seen: &Seen) -> Option<Duration> {
    let age = seen.pull.updated_at.map(|at| (Utc::now() - at).to_std().unwrap_or_default());
    let now = Standing {
        checks: seen.checks.len(),
        is_pending: seen.checks.iter().any(|check| check.state == CheckState::Pending),
        is_unknown: seen.fit == Fit::Unknown,
        age: age.unwrap_or(Duration::MAX),
    };
    (seen.pull.state == PullState::Open).then(|| look_pause(&now))
}

/// Sets the review that counts. True: it is another one.
async fn review(change: &mut Change, pull: &Pull, seen: &Seen, before: &Stored) -> ActionResult<bool> {
    let now = standing(&seen.verdicts).and_then(|verdict| Some((verdict.state?, verdict)));
    let known = (before.review_state, before.review_by.as_deref(), before.review_head.as_deref());
    let is_news = match now {
        // Where the forge does not say which head was seen, what a delivery said stays.
        Some((state, verdict)) => {
            let head = verdict.head.as_deref().or(known.2);
            known != (Some(state), Some(verdict.by.login.as_str()), head)
        }
        None => known.0.is_some(),
    };
    if is_news {
        db::forges::looks::set_review(change, pull.id, now.map(|(_, verdict)| verdict)).await?;
    }
    // GitLab has one state for each reviewer, and does not tie what is said to it.
    if seen.forge == ForgeKind::GitLab {
        for verdict in &seen.verdicts {
            if let Some(state) = verdict.state {
                db::forges::looks::says_review(change, pull.id, &verdict.by.login, state).await?;
            }
        }
    }
    Ok(is_news)
}

/// Sets how the checks of the head stand. True: one of them has changed.
async fn checks(change: &mut Change, pull: &Pull, seen: &Seen, before: &Stored) -> ActionResult<bool> {
    let Some(head) = &seen.pull.head_sha else { return Ok(false) };
    let theirs = || seen.checks.iter().filter(|check| !check.is_own());
    let now: Map<String, Value> = theirs().map(|check| (check.name.clone(), json!(check.state.as_str()))).collect();
    let now = Value::Object(now);
    for check in theirs().filter(|check| check.state == CheckState::Failure) {
        receive(change, pull, &failed_check(check)).await?;
    }
    Ok(now != before.checks && db::forges::looks::set_checks(change, pull.id, head, &now).await?)
}

/// Notes what was said, but for what this system itself said, and what is settled. True: something is new.
async fn said(change: &mut Change, pull: &Pull, seen: &Seen, since: Option<DateTime<Utc>>) -> ActionResult<bool> {
    let is_own = |author: &Account| author.id.is_some() && author.id == seen.me.id;
    let mut is_news = false;
    for spoken in &seen.said {
        let is_old = since.zip(spoken.at).is_some_and(|(since, at)| at < since);
        if !is_old && !spoken.is_settled && !is_own(&spoken.comment.author) {
            is_news |= receive(change, pull, &spoken.comment).await?;
        }
    }
    Ok(is_news)
}

/// Notes that it conflicts with its base: once for these two commits.
async fn conflict(change: &mut Change, pull: &Pull, seen: &Seen) -> ActionResult<bool> {
    let (Fit::Conflicts, false, Some(head)) = (seen.fit, seen.pull.is_from_fork, &seen.pull.head_sha) else {
        return Ok(false);
    };
    let base = seen.pull.base.as_deref().unwrap_or("the base");
    let base_sha = seen.base_sha.as_deref().unwrap_or(base);
    let comment = NewComment {
        forge_id: format!("{head} {base_sha}"),
        kind: CommentKind::Conflict,
        thread_id: None,
        review_id: None,
        review_state: None::<ReviewState>,
        head_sha: Some(head.clone()),
        author: seen.me.clone(),
        body: format!("The branch conflicts with {base}. Bring it up to date, and resolve the conflicts."),
        path: None,
        line: None,
        hunk: None,
        url: seen.pull.url.clone(),
    };
    receive(change, pull, &comment).await
}
