//! How a pull request stands, from what is known here: for lists that ask no forge.

use crate::db::forges::reviews::StandingRow;
use crate::domain::forges::snapshot::CheckResult;
use crate::domain::forges::standing::{Readiness, is_ready};
use crate::domain::forges::{PullState, ReviewState};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// How a pull request stands, as far as it is known.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PullStanding {
    /// Its state.
    pub pr_state: PullState,
    /// Whether it is not ready for review yet.
    pub draft: bool,
    /// The latest review that decides something.
    pub review_state: Option<ReviewState>,
    /// Whose it is.
    pub review_by: Option<String>,
    /// Whether the pull request has another head by now.
    pub review_stale: bool,
    /// How its head's checks stand together; null where there are none.
    pub checks: Option<CheckResult>,
    /// How many threads are open, when it was last read; null: it was never read.
    pub open_threads: Option<i32>,
    /// Whether it is approved or its checks pass, and nothing is open.
    pub ready: bool,
}

impl From<StandingRow> for PullStanding {
    fn from(row: StandingRow) -> Self {
        let checks = results(&row.checks);
        let review_stale = row.review_state.is_some() && row.review_head != row.head_sha;
        let decides = row.review_state.filter(|_| !review_stale).map(|state| state == ReviewState::Approved);
        // Who asked for changes has not looked again when the head has moved.
        let approved = decides.or_else(|| (row.review_state == Some(ReviewState::ChangesRequested)).then_some(false));
        let open = i64::from(row.open_threads.unwrap_or(0)) + row.open_orders;
        let ready = is_ready(&Readiness { state: row.state, draft: row.draft, approved, checks: &checks, open });
        Self {
            pr_state: row.state,
            draft: row.draft,
            review_state: row.review_state,
            review_by: row.review_by,
            review_stale,
            checks: together(&checks),
            open_threads: row.open_threads,
            ready,
        }
    }
}

/// The results of checks as they are stored, by name.
fn results(stored: &Value) -> Vec<CheckResult> {
    let words = stored.as_object().into_iter().flat_map(|checks| checks.values()).filter_map(Value::as_str);
    words.filter_map(|word| word.parse().ok()).collect()
}

/// How checks stand together: as the one that matters most.
fn together(checks: &[CheckResult]) -> Option<CheckResult> {
    let most = [CheckResult::Failure, CheckResult::Pending, CheckResult::Success, CheckResult::Neutral];
    most.into_iter().find(|result| checks.contains(result))
}
