//! Says and does at forges what was stored to be said and done there, once.

use super::ask::{AskForge, ForgePlace, NoAnswer};
use super::decide::pause;
use crate::actions::ActionResult;
use crate::actions::tickets::append_log::store;
use crate::changes::Database;
use crate::db;
use crate::db::forges::orders::OrderInThread;
use crate::db::forges::posts::{Claimed, NewPost};
use crate::db::tickets::logs::NewLogEntry;
use crate::domain::actor::Actor;
use crate::domain::forges::{CommentKind, PostKind};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use std::time::Duration;
use terarchitect_worker_api::{JobId, ProjectId, TicketId};

/// For how long no other process takes a post that one is sending. Longer than a call to a forge may take.
const LEASE: Duration = Duration::from_secs(60);
/// After so many tries, which is more than an hour, a post is given up, and the ticket's log says why.
const MOST_TRIES: i32 = 20;
/// A reaction is a courtesy: some forges have none, and one that comes late says little.
const MOST_TRIES_OF_REACTIONS: i32 = 3;

/// What a runner has to say about its pull request.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The project.
    pub project: ProjectId,
    /// The ticket.
    pub ticket: TicketId,
    /// The pull request's number.
    pub pr_number: i64,
    /// The job, where there is one: it may say the same as an earlier one did.
    pub job: Option<JobId>,
    /// The text.
    pub body: &'a str,
}

/// Stores what a runner says about its pull request. Said again by the same job, it is stored once: a runner repeats its
/// report when the response was lost.
pub(in crate::actions) async fn say(conn: &mut PgConnection, said: &Said<'_>) -> sqlx::Result<()> {
    let job = said.job.map_or_else(|| "shell".to_owned(), |job| job.to_string());
    let digest = hex::encode(&Sha256::digest(said.body.as_bytes())[..8]);
    let key = format!("said:{job}:{digest}");
    let Said { project, ticket, pr_number, body, .. } = *said;
    let new = NewPost { project, ticket, pr_number, kind: PostKind::Comment, key: &key, target: None, body };
    db::forges::posts::insert(conn, &new).await
}

/// Stores that the branch of a merged pull request is deleted.
pub(super) async fn delete_branch(
    conn: &mut PgConnection,
    (project, ticket): (ProjectId, TicketId),
    pr_number: i64,
    branch: &str,
) -> sqlx::Result<()> {
    let kind = PostKind::DeleteBranch;
    let new = NewPost { project, ticket, pr_number, kind, key: kind.as_str(), target: None, body: branch };
    db::forges::posts::insert(conn, &new).await
}

/// Stores what is said about a job that has failed, where reviewers wait for it.
pub(super) async fn say_failed(
    conn: &mut PgConnection,
    (project, ticket): (ProjectId, TicketId),
    pr_number: i64,
    job: JobId,
    reason: &str,
) -> sqlx::Result<()> {
    let (key, kind) = (format!("unanswered:{job}"), PostKind::Comment);
    let body = format!(
        "{reason} What was said here has no answer yet. The job can be retried, or asked for again in a new comment."
    );
    let new = NewPost { project, ticket, pr_number, kind, key: &key, target: None, body: &body };
    db::forges::posts::insert(conn, &new).await
}

/// Stores that failing checks are no longer given to the agent. Said once for each limit.
pub(super) async fn say_checks_are_left(
    conn: &mut PgConnection,
    (project, ticket): (ProjectId, TicketId),
    pr_number: i64,
    limit: i32,
) -> sqlx::Result<()> {
    let (key, kind) = (format!("checks-left:{limit}"), PostKind::Comment);
    let times = if limit == 1 { "once".to_owned() } else { format!("{limit} times") };
    let body = format!(
        "A check still fails after the agent has worked on failing checks here {times}, which is as often as the project \
         allows (`max_check_fixes`). The next ones are left to people."
    );
    let new = NewPost { project, ticket, pr_number, kind, key: &key, target: None, body: &body };
    db::forges::posts::insert(conn, &new).await
}

/// Stores what is said in the issue that a ticket was made of.
pub(super) async fn say_in_issue(
    conn: &mut PgConnection,
    (project, ticket): (ProjectId, TicketId),
    issue: i64,
    body: &str,
) -> sqlx::Result<()> {
    let kind = PostKind::IssueComment;
    let new = NewPost { project, ticket, pr_number: issue, kind, key: kind.as_str(), target: None, body };
    db::forges::posts::insert(conn, &new).await
}

/// Posts what is next. False: nothing was to be posted.
///
/// # Errors
/// When the database is not available.
pub async fn post_next(database: &Database, forge: &dyn AskForge) -> ActionResult<bool> {
    let next = db::forges::posts::claim_next(&mut *database.read().await?, LEASE).await?;
    let Some(post) = next else { return Ok(false) };
    let orders = orders_of(database, &post).await?;
    let most = if post.kind == PostKind::Reaction { MOST_TRIES_OF_REACTIONS } else { MOST_TRIES };
    match send(forge, &post, &orders).await {
        Ok(()) => finish(database, &post, None).await?,
        Err(NoAnswer { sentence, retry_after }) if post.tries < most => {
            tracing::warn!(ticket.id = %post.ticket_id, pr.number = post.pr_number, why = sentence, "could not do at a forge what is to be done there; retrying later");
            let wait = retry_after.unwrap_or_else(|| pause(post.tries));
            db::forges::posts::put_off(&mut *database.read().await?, post.id, wait, &sentence).await?;
        }
        Err(NoAnswer { sentence, .. }) => finish(database, &post, Some(&sentence)).await?,
    }
    Ok(true)
}

/// The orders in the thread that a reply belongs to.
async fn orders_of(database: &Database, post: &Claimed) -> ActionResult<Vec<OrderInThread>> {
    let (PostKind::Reply, Some(thread)) = (post.kind, &post.target) else { return Ok(Vec::new()) };
    let (project, number) = (ProjectId(post.project_id), post.pr_number);
    Ok(db::forges::orders::in_thread(&mut *database.read().await?, project, number, thread).await?)
}

async fn send(forge: &dyn AskForge, post: &Claimed, orders: &[OrderInThread]) -> Result<(), NoAnswer> {
    let Some(address) = post.github_url.clone() else {
        return Err(NoAnswer { sentence: "The project has no repository any more.".to_owned(), retry_after: None });
    };
    let place = ForgePlace { project: ProjectId(post.project_id), address, kind: post.forge_kind };
    let (number, target) = (post.pr_number, post.target.as_deref().unwrap_or_default());
    match post.kind {
        PostKind::Comment => forge.comment(&place, number, &post.body, &post.key).await,
        PostKind::DeleteBranch => forge.delete_branch(&place, &post.body).await,
        PostKind::IssueComment => forge.comment_issue(&place, post.pr_number, &post.body, &post.key).await,
        // What it is on was written by this version or an older one; a comment is what nearly all are on.
        PostKind::Reaction => {
            forge.react(&place, number, post.body.parse().unwrap_or(CommentKind::General), target).await
        }
        PostKind::Reply => {
            let comments: Vec<&str> = orders.iter().map(|order| order.forge_id.as_str()).collect();
            if forge.reply(&place, number, target, &comments, &post.body, &post.key).await? {
                return Ok(());
            }
            let body =
                format!("The thread about {}, to which this replies, is gone.\n\n{}", place_of(orders), post.body);
            forge.comment(&place, number, &body, &post.key).await
        }
    }
}

/// Where the thread of these orders is, for people.
fn place_of(orders: &[OrderInThread]) -> String {
    match orders.first().map(|order| (&order.path, order.line)) {
        Some((Some(path), Some(line))) => format!("`{}`, line {line}", path.replace('`', "'")),
        Some((Some(path), None)) => format!("`{}`", path.replace('`', "'")),
        _ => "a line".to_owned(),
    }
}

/// Ends a post. What could not be said is in the ticket's log, where people look for it.
async fn finish(database: &Database, post: &Claimed, failed: Option<&str>) -> ActionResult<()> {
    let mut change = database.change(&Actor::System).await?;
    db::forges::posts::finish(&mut change, post.id, failed).await?;
    if let Some((step, text)) = failed.and_then(|why| missing(post, why)) {
        let (project, ticket) = (ProjectId(post.project_id), TicketId(post.ticket_id));
        let entry = NewLogEntry::outcome(project, ticket, step, text);
        let raw_output = (post.kind == PostKind::Reply).then(|| post.body.clone());
        store(&mut change, &NewLogEntry { raw_output, ..entry }).await?;
    }
    Ok(change.commit().await?)
}

/// What people miss at the forge: the log's step, and a sentence. A missing reaction needs none.
fn missing(post: &Claimed, why: &str) -> Option<(&'static str, String)> {
    let number = post.pr_number;
    match post.kind {
        PostKind::Comment => {
            Some(("review_comment_failed", format!("The comment could not be posted to pull request #{number}: {why}")))
        }
        PostKind::Reply => Some((
            "review_reply_failed",
            format!("The reply could not be posted in a thread of pull request #{number}: {why}"),
        )),
        PostKind::DeleteBranch => Some((
            "branch_kept",
            format!("The branch {} of pull request #{number} could not be deleted: {why}", post.body),
        )),
        PostKind::IssueComment => {
            Some(("issue_comment_failed", format!("The comment could not be posted to issue #{number}: {why}")))
        }
        PostKind::Reaction => {
            tracing::info!(pr.number = number, why, "no reaction shows that a review has started");
            None
        }
    }
}
