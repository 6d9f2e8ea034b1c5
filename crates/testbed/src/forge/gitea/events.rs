//! What Gitea's webhooks say about an event. A review comes without its id and without its comments at lines.

use super::super::model::{Event, IssueAction, PullAction, State, Verdict, What};
use super::super::server::Links;
use super::super::webhooks::Payload;
use super::checks::word;
use super::shapes::Shapes;
use serde_json::{Value, json};

/// Gitea's payloads for an event.
pub(in super::super) fn payloads(state: &State, links: &Links, event: &Event) -> Vec<Payload> {
    let shapes = Shapes::new(state, links);
    let Some((name, kind, mut body)) = said(&shapes, event) else { return Vec::new() };
    body["repository"] = shapes.repository(event.at, event.sender);
    body["sender"] = shapes.account(event.sender);
    vec![Payload::new(name, kind, body)]
}

fn said(shapes: &Shapes<'_>, event: &Event) -> Option<(&'static str, &'static str, Value)> {
    let (state, at) = (shapes.state, event.at);
    Some(match &event.what {
        What::Pull { number, action } => {
            let (action, kind) = match action {
                PullAction::Opened => ("opened", "pull_request"),
                PullAction::Edited | PullAction::Ready | PullAction::Drafted => ("edited", "pull_request"),
                PullAction::Closed | PullAction::Merged => ("closed", "pull_request"),
                PullAction::Reopened => ("reopened", "pull_request"),
                PullAction::Synchronized { .. } => ("synchronized", "pull_request_sync"),
            };
            let pull = shapes.pull(at, state.pull(at, *number).ok()?, event.sender);
            ("pull_request", kind, json!({"action": action, "number": number, "pull_request": pull, "commit_id": ""}))
        }
        What::Review { number, review } => {
            let pull = state.pull(at, *number).ok()?;
            let review = pull.reviews.iter().find(|known| known.id == *review)?;
            let (name, kind) = match review.verdict {
                Verdict::Approved => ("pull_request_approved", "pull_request_review_approved"),
                Verdict::ChangesRequested => ("pull_request_rejected", "pull_request_review_rejected"),
                Verdict::Commented | Verdict::Pending => ("pull_request_comment", "pull_request_review_comment"),
            };
            let body = json!({
                "action": "reviewed", "number": number, "pull_request": shapes.pull(at, pull, event.sender),
                "review": {"type": kind, "content": review.body},
            });
            (name, kind, body)
        }
        // What is said at a line is part of a review's event, which does not show it; a reply is one without words.
        What::Line { number, comment } => {
            let pull = state.pull(at, *number).ok()?;
            let said = pull.threads.iter().flat_map(|thread| &thread.comments).find(|said| said.id == *comment)?;
            let review = pull.reviews.iter().find(|review| Some(review.id) == said.review);
            if review
                .is_some_and(|review| review.author == said.author && review.submitted_at >= said.created_at - 1_000)
            {
                return None;
            }
            let (name, kind) = ("pull_request_comment", "pull_request_review_comment");
            let body = json!({
                "action": "reviewed", "number": number, "pull_request": shapes.pull(at, pull, event.sender),
                "review": {"type": kind, "content": ""},
            });
            (name, kind, body)
        }
        What::Comment { number, comment } => {
            let (issue, all, is_pull) = match state.pull(at, *number) {
                Ok(pull) => (shapes.pull_as_issue(at, pull), &pull.comments, true),
                Err(_) => {
                    let issue = state.issue(at, *number).ok()?;
                    (shapes.issue(at, issue), &issue.comments, false)
                }
            };
            let said = all.iter().find(|said| said.id == *comment)?;
            let comment = shapes.comment(at, *number, is_pull, said);
            let kind = if is_pull { "pull_request_comment" } else { "issue_comment" };
            (
                "issue_comment",
                kind,
                json!({"action": "created", "issue": issue, "comment": comment, "is_pull": is_pull}),
            )
        }
        What::Issue { number, action } => {
            let issue = shapes.issue(at, state.issue(at, *number).ok()?);
            let (action, kind) = match action {
                IssueAction::Opened => ("opened", "issues"),
                IssueAction::Closed => ("closed", "issues"),
                IssueAction::Labelled(_) => ("label_updated", "issue_label"),
            };
            ("issues", kind, json!({"action": action, "number": number, "issue": issue, "commit_id": ""}))
        }
        What::Check { id } => {
            let repo = &state.repos[at];
            let check = repo.checks.iter().find(|check| check.id == *id)?;
            let branches = repo.branches.iter().filter(|(_, sha)| **sha == check.sha);
            let branches: Vec<Value> = branches.map(|(name, _)| json!({"name": name})).collect();
            let body = json!({
                "id": check.id, "sha": check.sha, "context": check.name, "description": check.description,
                "state": word(check.state), "target_url": check.url, "branches": branches, "commit": null,
            });
            ("status", "status", body)
        }
        What::Push { branch, before, after } => {
            let body = json!({
                "ref": format!("refs/heads/{branch}"), "before": before, "after": after, "commits": [], "total_commits": 0,
                "head_commit": null, "pusher": shapes.account(event.sender), "compare_url": "",
            });
            ("push", "push", body)
        }
    })
}
