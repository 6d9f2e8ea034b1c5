//! A pull request as the application shows it.

use crate::db::forges::reviews::{PullOrder, TicketPull};
use crate::domain::forges::PullState;
use crate::domain::forges::snapshot::{
    PullBranch, PullCheck, PullComment, PullCommit, PullThread, PullVerdict, Snapshot,
};
use crate::domain::forges::standing::{Possible, can_approve, can_merge};
use chrono::{DateTime, Utc};
use serde::Serialize;
use terarchitect_worker_api::{JobId, TicketId};
use utoipa::ToSchema;

/// A ticket's pull request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PullReview {
    /// The ticket.
    pub ticket_id: TicketId,
    /// The ticket's title.
    pub ticket_title: String,
    /// What the runner reported about its work, else the pull request's description.
    pub summary: String,
    /// Its commits.
    pub commits: Vec<PullCommit>,
    /// The files that it changes.
    pub files: Vec<String>,
    /// Those of them that look like tests.
    pub test_files: Vec<String>,
    /// What was said about it as a whole, the oldest first.
    pub comments: Vec<PullComment>,
    /// Its page.
    pub pr_url: String,
    /// Its number.
    pub pr_number: i64,
    /// Its state.
    pub pr_state: PullState,
    /// Whether it is merged.
    pub merged: bool,
    /// Its title.
    pub title: String,
    /// Its description, as far as it can be seen.
    pub body: String,
    /// Who opened it.
    pub author: String,
    /// Whether it is not ready for review yet.
    pub draft: bool,
    /// The branch with the change.
    pub head: PullBranch,
    /// The branch that it goes into.
    pub base: PullBranch,
    /// Whether the forge says that it can be merged; null while it has not found out.
    pub mergeable: Option<bool>,
    /// The checks of its head.
    pub checks: Vec<PullCheck>,
    /// Its reviews, the oldest first.
    pub reviews: Vec<PullVerdict>,
    /// What was said at lines.
    pub threads: Vec<PullThread>,
    /// What this system makes of what was said, the latest first; at most 200.
    pub orders: Vec<PullOrder>,
    /// The review's job that waits or runs.
    pub review_job_id: Option<JobId>,
    /// Whether it can be approved from here.
    pub can_approve: Possible,
    /// Whether it can be merged.
    pub can_merge: Possible,
    /// When the forge was asked.
    pub read_at: DateTime<Utc>,
    /// How long ago that was, in seconds.
    pub age_sec: f64,
    /// Why this is not newer: the forge could not be asked.
    pub stale_reason: Option<String>,
}

/// What is known beside the snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct Beside {
    pub(super) orders: Vec<PullOrder>,
    pub(super) review_job: Option<JobId>,
    pub(super) lacks_approver: Option<String>,
    pub(super) read_at: DateTime<Utc>,
    pub(super) age_sec: f64,
    pub(super) stale_reason: Option<String>,
}

/// The pull request with what is known beside the snapshot.
pub(super) fn view(pull: &TicketPull, snapshot: Snapshot, beside: Beside) -> PullReview {
    let (can_approve, can_merge) = (can_approve(&snapshot.pull, beside.lacks_approver), can_merge(&snapshot.pull));
    let test_files = snapshot.test_files();
    let Snapshot { pull: now, commits, files, checks, reviews, threads, comments } = snapshot;
    PullReview {
        ticket_id: TicketId(pull.ticket_id),
        ticket_title: pull.ticket_title.clone(),
        summary: pull.summary.clone().unwrap_or_else(|| now.body.clone()),
        commits,
        files,
        test_files,
        comments,
        pr_url: now.url,
        pr_number: now.number,
        pr_state: now.state,
        merged: now.state == PullState::Merged,
        title: now.title,
        body: now.body,
        author: now.author,
        draft: now.draft,
        head: now.head,
        base: now.base,
        mergeable: now.mergeable,
        checks,
        reviews,
        threads,
        orders: beside.orders,
        review_job_id: beside.review_job,
        can_approve,
        can_merge,
        read_at: beside.read_at,
        age_sec: beside.age_sec,
        stale_reason: beside.stale_reason,
    }
}
