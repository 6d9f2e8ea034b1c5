//! Says and does at forges what was stored to be said and done there, once.

use super::ask::{AskForge, ForgePlace, NoAnswer};
use super::decide::pause;
use crate::actions::ActionResult;
use crate::actions::tickets::append_log::store;
use crate::changes::Database;
use crate::db;
use crate::db::forges::posts::{Claimed, NewPost};
use crate::db::tickets::logs::NewLogEntry;
use crate::domain::actor::Actor;
use crate::domain::forges::PostKind;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use std::time::Duration;
use terarchitect_worker_api::{JobId, ProjectId, TicketId};

/// For how long no other process takes a post that one is sending. Longer than a call to a forge may take.
const LEASE: Duration = Duration::from_secs(60);
/// After so many tries, which is more than an hour, a post is given up, and the ticket's log says why.
const MOST_TRIES: i32 = 20;

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
    let new = NewPost { project, ticket, pr_number, kind: PostKind::Comment, key: &key, body };
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
    let new = NewPost { project, ticket, pr_number, kind, key: kind.as_str(), body: branch };
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
    let new = NewPost { project, ticket, pr_number: issue, kind, key: kind.as_str(), body };
    db::forges::posts::insert(conn, &new).await
}

/// Posts what is next. False: nothing was to be posted.
///
/// # Errors
/// When the database is not available.
pub async fn post_next(database: &Database, forge: &dyn AskForge) -> ActionResult<bool> {
    let next = db::forges::posts::claim_next(&mut *database.read().await?, LEASE).await?;
    let Some(post) = next else { return Ok(false) };
    match send(forge, &post).await {
        Ok(()) => finish(database, &post, None).await?,
        Err(NoAnswer { sentence, retry_after }) if post.tries < MOST_TRIES => {
            tracing::warn!(ticket.id = %post.ticket_id, pr.number = post.pr_number, why = sentence, "could not do at a forge what is to be done there; retrying later");
            let wait = retry_after.unwrap_or_else(|| pause(post.tries));
            db::forges::posts::put_off(&mut *database.read().await?, post.id, wait, &sentence).await?;
        }
        Err(NoAnswer { sentence, .. }) => finish(database, &post, Some(&sentence)).await?,
    }
    Ok(true)
}

async fn send(forge: &dyn AskForge, post: &Claimed) -> Result<(), NoAnswer> {
    let Some(address) = post.github_url.clone() else {
        return Err(NoAnswer { sentence: "The project has no repository any more.".to_owned(), retry_after: None });
    };
    let place = ForgePlace { project: ProjectId(post.project_id), address, kind: post.forge_kind };
    match post.kind {
        PostKind::Comment => forge.comment(&place, post.pr_number, &post.body, &post.key).await,
        PostKind::DeleteBranch => forge.delete_branch(&place, &post.body).await,
        PostKind::IssueComment => forge.comment_issue(&place, post.pr_number, &post.body, &post.key).await,
    }
}

/// Ends a post. What could not be said is in the ticket's log, where people look for it.
async fn finish(database: &Database, post: &Claimed, failed: Option<&str>) -> ActionResult<()> {
    let mut change = database.change(&Actor::System).await?;
    db::forges::posts::finish(&mut change, post.id, failed).await?;
    if let Some(why) = failed {
        let (project, ticket) = (ProjectId(post.project_id), TicketId(post.ticket_id));
        let number = post.pr_number;
        let (step, text) = match post.kind {
            PostKind::Comment => {
                ("review_comment_failed", format!("The comment could not be posted to pull request #{number}: {why}"))
            }
            PostKind::IssueComment => {
                ("issue_comment_failed", format!("The comment could not be posted to issue #{number}: {why}"))
            }
            PostKind::DeleteBranch => (
                "branch_kept",
                format!("The branch {} of pull request #{number} could not be deleted: {why}", post.body),
            ),
        };
        store(&mut change, &NewLogEntry::outcome(project, ticket, step, text)).await?;
    }
    Ok(change.commit().await?)
}
