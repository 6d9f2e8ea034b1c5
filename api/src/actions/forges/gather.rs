//! Makes one job of the orders of a pull request, once it has been quiet.

use crate::actions::jobs::enqueue::{put_into_queue, require_work};
use crate::actions::{ActionError, ActionResult};
use crate::changes::Database;
use crate::db;
use crate::db::forges::orders::{OrderRow, Ready};
use crate::domain::actor::Actor;
use crate::domain::forges::CommentKind;
use crate::domain::forges::PullState;
use crate::domain::forges::job_text::{Order, text};
use crate::domain::jobs::terms::NewJob;
use terarchitect_worker_api::{JobId, JobKind};
use uuid::Uuid;

/// Makes a job for each pull request whose orders can become one. Returns how many were made.
///
/// # Errors
/// When the database is not available.
pub async fn gather(database: &Database) -> ActionResult<usize> {
    let ready = db::forges::orders::ready(&mut *database.read().await?).await?;
    let mut made = 0;
    for one in ready {
        made += usize::from(gather_one(database, one).await?.is_some());
    }
    Ok(made)
}

/// Makes the job, and its orders part of it, in one transaction. None where another process was faster, more was said, or
/// a job lives after all.
async fn gather_one(database: &Database, ready: Ready) -> ActionResult<Option<JobId>> {
    let mut change = database.change(&Actor::System).await?;
    db::tickets::lock_moves(&mut change, ready.ticket).await?;
    if !db::jobs::live_for_update(&mut change, ready.ticket).await?.is_empty() {
        return Ok(None);
    }
    let Some(pull) = db::forges::pulls::find_for_update(&mut change, ready.pull).await? else { return Ok(None) };
    let orders = db::forges::orders::waiting_for_update(&mut change, ready.pull).await?;
    if pull.state != PullState::Open || orders.is_empty() || !orders.iter().all(|order| order.is_quiet) {
        return Ok(None);
    }
    if let Err(error) = require_work(&mut change, ready.project).await {
        let ActionError::Refused(refusal) = error else { return Err(error) };
        // Said once, where the orders are, and not again every few seconds.
        db::forges::comments::refuse_waiting(&mut change, ready.pull, &refusal.message).await?;
        change.commit().await?;
        return Ok(None);
    }
    let new = NewJob {
        pr_number: Some(pull.number),
        comment_body: Some(text(&orders.iter().map(as_order).collect::<Vec<_>>())),
        github_comment_id: orders.iter().find_map(comment_id),
        ..NewJob::of_ticket(ready.project, ready.ticket, JobKind::Review)
    };
    let Some(job) = put_into_queue(&mut change, &new).await? else { return Ok(None) };
    let ids: Vec<Uuid> = orders.iter().map(|order| order.id).collect();
    db::forges::orders::mark_ordered(&mut change, &ids, job).await?;
    if orders.iter().any(|order| order.kind == CommentKind::Check) {
        db::forges::orders::count_fix(&mut change, ready.pull).await?;
    }
    change.commit().await?;
    tracing::info!(ticket.id = %ready.ticket, job.id = %job, orders = ids.len(), "made a job of a review");
    Ok(Some(job))
}

fn as_order(row: &OrderRow) -> Order<'_> {
    Order {
        kind: row.kind,
        author: &row.author_login,
        body: &row.body,
        path: row.path.as_deref(),
        line: row.line,
        hunk: row.hunk.as_deref(),
        log: row.log.as_deref(),
    }
}

/// What the contract calls `github_comment_id`: a comment, where it has a number.
fn comment_id(row: &OrderRow) -> Option<i64> {
    let is_comment = matches!(row.kind, CommentKind::Line | CommentKind::General);
    row.forge_id.parse().ok().filter(|_| is_comment)
}
