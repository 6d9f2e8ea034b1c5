//! The pull requests of a project's tickets, from what is known here: no forge is asked.

use super::Reviews;
use crate::actions::ActionResult;
use crate::db;
use crate::db::forges::reviews::ListedPull;
use crate::domain::forges::snapshot::{CheckResult, PullComment, PullCommit, Snapshot};
use crate::domain::forges::standing::{Readiness, is_ready};
use crate::domain::forges::{PullState, ReviewState};
use crate::domain::refusal::Refusal;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use terarchitect_worker_api::ProjectId;
use utoipa::ToSchema;
use uuid::Uuid;

/// The most pull requests of a list.
const MAX_LISTED: i64 = 100;

/// A pull request in a list, as far as it was read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ListedReview {
    /// The ticket.
    pub ticket_id: Uuid,
    /// The ticket's title.
    pub ticket_title: String,
    /// What the runner reported about its work, else the pull request's description.
    pub summary: String,
    /// Its commits.
    pub commits: Vec<PullCommit>,
    /// The files that look like tests.
    pub test_files: Vec<String>,
    /// What was said about it as a whole.
    pub comments: Vec<PullComment>,
    /// Its page.
    pub pr_url: Option<String>,
    /// Its number.
    pub pr_number: i64,
    /// Its state.
    pub pr_state: PullState,
    /// Whether it is merged.
    pub merged: bool,
    /// Whether it is not ready for review yet.
    pub draft: bool,
    /// Its head.
    pub head_sha: Option<String>,
    /// The latest review that decides something.
    pub review_state: Option<ReviewState>,
    /// Whose it is.
    pub review_by: Option<String>,
    /// Whether the pull request has another head by now.
    pub review_stale: bool,
    /// How its head's checks stand together; null where there are none.
    pub checks: Option<CheckResult>,
    /// How many threads are open, when it was last read.
    pub open_threads: Option<i32>,
    /// Whether it is approved or its checks pass, and nothing is open.
    pub ready: bool,
    /// When its forge was asked; null: never.
    pub read_at: Option<DateTime<Utc>>,
}

impl Reviews {
    /// The pull requests of a project's tickets: those that are open, then the others, the latest first; at most 100.
    ///
    /// # Errors
    /// When the project does not exist.
    pub async fn list(&self, project: ProjectId) -> ActionResult<Vec<ListedReview>> {
        let mut conn = self.database.read().await?;
        if !db::projects::exists(&mut conn, project).await? {
            return Err(Refusal::not_found("project", project).into());
        }
        let pulls = db::forges::reviews::of_project(&mut conn, project, MAX_LISTED).await?;
        Ok(pulls.into_iter().map(listed).collect())
    }
}

fn listed(pull: ListedPull) -> ListedReview {
    let snapshot: Option<Snapshot> = pull.snapshot.and_then(|stored| serde_json::from_value(stored).ok());
    let checks = results(&pull.checks);
    let review_stale = pull.review_state.is_some() && pull.review_head != pull.head_sha;
    let decides = pull.review_state.filter(|_| !review_stale).map(|state| state == ReviewState::Approved);
    // A review that asked for changes still counts when the head has moved: the reviewer has not looked again.
    let approved = decides.or_else(|| (pull.review_state == Some(ReviewState::ChangesRequested)).then_some(false));
    let open = i64::from(pull.open_threads.unwrap_or(0)) + pull.open_orders;
    let ready = is_ready(&Readiness { state: pull.state, draft: pull.draft, approved, checks: &checks, open });
    let description = snapshot.as_ref().map(|snapshot| snapshot.pull.body.clone()).unwrap_or_default();
    let test_files = snapshot.as_ref().map(Snapshot::test_files).unwrap_or_default();
    let (commits, comments) = snapshot.map(|snapshot| (snapshot.commits, snapshot.comments)).unwrap_or_default();
    ListedReview {
        ticket_id: pull.ticket_id,
        ticket_title: pull.ticket_title,
        summary: pull.summary.unwrap_or(description),
        commits,
        test_files,
        comments,
        pr_url: pull.url,
        pr_number: pull.number,
        pr_state: pull.state,
        merged: pull.state == PullState::Merged,
        draft: pull.draft,
        head_sha: pull.head_sha,
        review_state: pull.review_state,
        review_by: pull.review_by,
        review_stale,
        checks: together(&checks),
        open_threads: pull.open_threads,
        ready,
        read_at: pull.asked_at,
    }
}

/// The results of checks as they are stored, by name.
pub(in crate::actions) fn results(stored: &Value) -> Vec<CheckResult> {
    let words = stored.as_object().into_iter().flat_map(|checks| checks.values()).filter_map(Value::as_str);
    words.filter_map(|word| word.parse().ok()).collect()
}

/// How checks stand together.
pub(in crate::actions) fn together(checks: &[CheckResult]) -> Option<CheckResult> {
    let worst = [CheckResult::Failure, CheckResult::Pending, CheckResult::Success, CheckResult::Neutral];
    worst.into_iter().find(|result| checks.contains(result))
}
