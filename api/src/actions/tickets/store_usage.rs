//! Stores what the calls of models came to.

use super::attempt::attempt_of;
use crate::actions::ActionResult;
use crate::actions::projects::budgets::left_for;
use crate::changes::Database;
use crate::db;
use crate::domain::refusal::Refusal;
use crate::domain::tickets::usage::checked;
use crate::job_tokens::JobToken;
use terarchitect_worker_api::{BudgetLeft, ProjectId, StoreUsageRequest, TicketId};

/// Stores what an attempt's calls came to so far. Nothing shows it live, so no event is recorded. Returns what the attempt may use in
/// all, by what others have used up to now.
///
/// # Errors
/// When it is not valid, or the ticket does not exist.
pub async fn store_usage(
    database: &Database,
    token: Option<JobToken>,
    (project, ticket): (ProjectId, TicketId),
    request: StoreUsageRequest,
) -> ActionResult<BudgetLeft> {
    checked(&request.models)?;
    let mut tx = database.transaction().await?;
    let found = db::tickets::find(&mut tx, project, ticket).await?;
    found.ok_or_else(|| Refusal::not_found("ticket", ticket))?;
    let by = attempt_of(&mut tx, token, ticket, request.attempt).await?;
    for usage in &request.models {
        db::tickets::usage::store(&mut tx, (project, ticket), by, usage).await?;
    }
    let left = left_for(&mut tx, (project, ticket), by).await?;
    tx.commit().await?;
    Ok(left)
}
