//! What reviewers say, as the job that was made of it has it.

use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::forges::orders::OrderOfJob;
use crate::domain::forges::job_text::Order;
use crate::domain::forges::points::{Point, points};
use sqlx::PgConnection;
use terarchitect_worker_api::{JobId, JobKind, ReviewContext};

/// The threads of a review's job with what was said before; none for other jobs, and where a person wrote the job.
///
/// # Errors
/// When the database is not available.
pub async fn review_of(database: &Database, job: JobId, kind: JobKind) -> ActionResult<Option<ReviewContext>> {
    match kind {
        JobKind::Review => review_of_job(&mut *database.read().await?, job).await,
        JobKind::Ticket => Ok(None),
    }
}

pub(super) async fn review_of_job(conn: &mut PgConnection, job: JobId) -> ActionResult<Option<ReviewContext>> {
    let orders = db::forges::orders::of_job(conn, job).await?;
    let points = points(&orders.iter().map(as_point).collect::<Vec<_>>());
    Ok((!points.is_empty()).then_some(ReviewContext { points }))
}

/// An order as a point of the review.
fn as_point(order: &OrderOfJob) -> Point<'_> {
    Point {
        id: order.id,
        order: Order {
            kind: order.kind,
            author: &order.author_login,
            body: &order.body,
            path: order.path.as_deref(),
            line: order.line,
            hunk: order.hunk.as_deref(),
            log: order.log.as_deref(),
        },
        thread: order.thread_id.as_deref(),
        conversation: order.conversation.as_ref().map(|remarks| remarks.0.as_slice()).unwrap_or_default(),
    }
}
