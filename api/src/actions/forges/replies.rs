//! What a runner replies in the threads of a review: stored with its report, once for each thread.

use crate::actions::ActionResult;
use crate::actions::tickets::append_log::store;
use crate::changes::Change;
use crate::db;
use crate::db::forges::orders::OrderOfJob;
use crate::db::forges::posts::NewPost;
use crate::db::tickets::logs::NewLogEntry;
use crate::domain::forges::read::stored;
use crate::domain::forges::{CommentKind, PostKind};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use terarchitect_worker_api::{JobId, ProjectId, ReviewReply, TicketId};

/// The longest reply, in bytes; forges accept 64 KiB with the mark.
const MAX_REPLY_BYTES: usize = 60 * 1024;

/// Stores replies to the orders of a job. A thread with several orders gets one reply, and an order that was replied to
/// before, also by another job that it was part of, gets no second one. What replies to nothing here is in the ticket's log.
pub(in crate::actions) async fn reply(
    change: &mut Change,
    (project, ticket): (ProjectId, TicketId),
    pr_number: i64,
    job: Option<JobId>,
    replies: &[ReviewReply],
) -> ActionResult<()> {
    let orders = match job {
        Some(job) => db::forges::orders::of_job(change, job).await?,
        None => Vec::new(),
    };
    let mut lost = Vec::new();
    // By thread: the latest order in it, and everything that is replied to those before.
    let mut threads: BTreeMap<&str, (&OrderOfJob, Vec<&str>)> = BTreeMap::new();
    for reply in replies.iter().filter(|reply| !reply.body.trim().is_empty()) {
        let found = orders.iter().find(|order| order.id == reply.point_id);
        let Some((order, thread)) = found.and_then(|order| Some((order, order.thread_id.as_deref()?))) else {
            lost.push(reply.body.as_str());
            continue;
        };
        let latest = orders.iter().rfind(|other| other.thread_id.as_deref() == Some(thread)).unwrap_or(order);
        let (_, bodies) = threads.entry(thread).or_insert((latest, Vec::new()));
        if !bodies.contains(&reply.body.as_str()) {
            bodies.push(&reply.body);
        }
    }
    if !lost.is_empty() {
        let text = format!("{} replies are to nothing that this review has, and are not posted.", lost.len());
        let entry = NewLogEntry::outcome(project, ticket, "review_reply_failed", text);
        let raw_output = Some(lost.join("\n\n---\n\n"));
        store(change, &NewLogEntry { raw_output, success: false, ..entry }).await?;
    }
    for (thread, (order, bodies)) in threads {
        let (key, body) = (format!("reply:{}", order.id), stored(&bodies.join("\n\n"), MAX_REPLY_BYTES));
        let (kind, target) = (PostKind::Reply, Some(thread));
        let new = NewPost { project, ticket, pr_number, kind, key: &key, target, body: &body };
        db::forges::posts::insert(change, &new).await?;
    }
    Ok(())
}

/// Stores that the orders of a job that starts are seen: a reaction on each comment, once.
pub(in crate::actions) async fn react(
    conn: &mut PgConnection,
    (project, ticket): (ProjectId, TicketId),
    job: JobId,
) -> ActionResult<bool> {
    let Some(pr_number) = db::jobs::terms(conn, job).await?.and_then(|terms| terms.pr_number) else {
        return Ok(false);
    };
    let mut is_any = false;
    for order in db::forges::orders::of_job(conn, job).await? {
        if matches!(order.kind, CommentKind::Check | CommentKind::Conflict) {
            continue;
        }
        let key = format!("eyes:{}", order.id);
        let (kind, target, body) = (PostKind::Reaction, Some(order.forge_id.as_str()), order.kind.as_str());
        let new = NewPost { project, ticket, pr_number, kind, key: &key, target, body };
        db::forges::posts::insert(conn, &new).await?;
        is_any = true;
    }
    Ok(is_any)
}
