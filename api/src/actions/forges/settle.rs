//! What becomes of orders when their job has ended: answered, or failed with the reason, which is also said where people look.

use super::posts;
use crate::actions::ActionResult;
use crate::actions::tickets::append_log::store;
use crate::changes::Database;
use crate::db;
use crate::db::forges::orders::Ended;
use crate::db::tickets::logs::NewLogEntry;
use crate::domain::actor::Actor;
use crate::domain::forges::{CommentState, PullState};
use terarchitect_worker_api::{JobId, JobStatus, ProjectId, TicketId};

/// Settles the orders of jobs that have ended. Returns of how many jobs.
///
/// # Errors
/// When the database is not available.
pub async fn settle(database: &Database) -> ActionResult<usize> {
    let ended = db::forges::orders::ended(&mut *database.read().await?).await?;
    for one in &ended {
        settle_one(database, one).await?;
    }
    Ok(ended.len())
}

async fn settle_one(database: &Database, ended: &Ended) -> ActionResult<()> {
    let (job, project, ticket) = (JobId(ended.job), ProjectId(ended.project_id), TicketId(ended.ticket_id));
    let mut change = database.change(&Actor::System).await?;
    // A retry takes the orders along, and one that is faster leaves none here.
    db::tickets::lock_moves(&mut change, ticket).await?;
    if !db::tickets::hold(&mut change, project, ticket).await? {
        return Ok(());
    }
    if ended.status == JobStatus::Completed {
        db::forges::orders::settle(&mut change, job, CommentState::Answered, None).await?;
        return Ok(change.commit().await?);
    }
    let reason = reason(ended);
    let orders = db::forges::orders::settle(&mut change, job, CommentState::Failed, Some(&reason)).await?;
    if orders > 0 {
        let said = format!(
            "{reason} {orders} of the reviewers' comments on pull request #{} have no answer. Retry the job, or ask again in \
             a new comment.",
            ended.number
        );
        let entry = NewLogEntry::outcome(project, ticket, "review_unanswered", said);
        store(&mut change, &NewLogEntry { success: false, ..entry }).await?;
        // A person who cancels it knows, and what is closed needs no word.
        if ended.status == JobStatus::Failed && ended.pull_state == PullState::Open {
            posts::say_failed(&mut change, (project, ticket), ended.number, job, &reason).await?;
        }
    }
    change.commit().await?;
    tracing::info!(job.id = %job, orders, "a review's job ended without an answer");
    Ok(())
}

fn reason(ended: &Ended) -> String {
    match (ended.status, &ended.why) {
        (JobStatus::Failed, Some(why)) => format!("The review's job failed ({why})."),
        (JobStatus::Failed, None) => "The review's job failed.".to_owned(),
        _ => "The review's job was cancelled.".to_owned(),
    }
}
