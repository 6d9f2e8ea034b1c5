//! Makes tickets of issues that have the project's label.

use super::{IssueComment, ReadForge, SeenIssue};
use crate::actions::ActionResult;
use crate::actions::forges::ask::{ForgePlace, NoAnswer};
use crate::actions::forges::posts::say_in_issue;
use crate::actions::tickets::create;
use crate::changes::Database;
use crate::db;
use crate::domain::actor::Actor;
use crate::domain::forges::Permission;
use crate::domain::forges::issue::{Issue, description, title};
use crate::domain::projects::board::BACKLOG;
use crate::domain::tickets::TicketFields;

/// Creates a ticket for each issue with the label that has not become one. Returns how many were made.
///
/// # Errors
/// When the database is not available.
pub(super) async fn make_tickets(
    database: &Database,
    forge: &dyn ReadForge,
    place: &ForgePlace,
    label: &str,
) -> ActionResult<Result<usize, NoAnswer>> {
    let mut issues = match forge.labelled(place, label).await {
        Ok(issues) => issues,
        Err(error) => return Ok(Err(error)),
    };
    let numbers: Vec<i64> = issues.iter().map(|issue| issue.number).collect();
    let known = db::forges::issues::known(&mut *database.read().await?, place.project, &numbers).await?;
    issues.retain(|issue| !known.contains(&issue.number));
    let mut made = 0;
    // The oldest first, as people would have written the tickets.
    issues.sort_by_key(|issue| issue.number);
    for issue in &issues {
        let comments = match forge.issue_comments(place, issue.number).await {
            Ok(comments) => comments,
            Err(error) => return Ok(Err(error)),
        };
        made += usize::from(make_ticket(database, place, issue, &comments).await?);
    }
    Ok(Ok(made))
}

/// Makes the ticket, and the answer in the issue, in one transaction. False: another process was faster.
async fn make_ticket(
    database: &Database,
    place: &ForgePlace,
    issue: &SeenIssue,
    comments: &[IssueComment],
) -> ActionResult<bool> {
    let seen =
        Issue { number: issue.number, url: &issue.url, title: &issue.title, body: &issue.body, author: &issue.author };
    // What others say could be meant for the agent, and is no part of the ticket.
    let writers = comments.iter().filter(|comment| comment.permission >= Permission::Write);
    let said: Vec<_> = writers.map(|comment| (comment.author.as_str(), comment.body.as_str())).collect();
    let fields =
        TicketFields { description: Some(description(&seen, &said)), ..TicketFields::new(title(&seen), BACKLOG) };
    let mut change = database.change(&Actor::System).await?;
    create::require_column(&mut change, place.project, BACKLOG).await?;
    let ticket = create::insert(&mut change, place.project, &fields).await?;
    if !db::forges::issues::insert(&mut change, place.project, issue.number, ticket.id, &issue.url).await? {
        return Ok(false);
    }
    let answer = format!(
        "This issue is a ticket of Terarchitect now, in the backlog: {}. An agent begins once it is moved to In \
         Progress, and its pull request will close this issue. What is written here from now on is not part of the ticket.",
        ticket.id
    );
    say_in_issue(&mut change, (place.project, ticket.id), issue.number, &answer).await?;
    change.commit().await?;
    Ok(true)
}
