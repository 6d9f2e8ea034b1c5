//! What GitHub's webhooks say about an event.

use super::super::model::{Event, IssueAction, Pull, PullAction, State, What};
use super::super::server::Links;
use super::super::webhooks::Payload;
use super::checks::{run, word};
use super::shapes::{Shapes, extend};
use serde_json::{Value, json};

/// GitHub's payloads for an event, in the order in which it sends them.
pub(in super::super) fn payloads(state: &State, links: &Links, event: &Event) -> Vec<Payload> {
    let Some((name, body)) = Told { shapes: Shapes::new(state, links), state, links, at: event.at }.of(&event.what)
    else {
        return Vec::new();
    };
    let shapes = Shapes::new(state, links);
    let mut body = body;
    extend(&mut body, json!({"repository": shapes.repository(event.at), "sender": shapes.account(event.sender)}));
    vec![Payload::new(name, name, body)]
}

struct Told<'a> {
    shapes: Shapes<'a>,
    state: &'a State,
    links: &'a Links,
    at: usize,
}

impl Told<'_> {
    fn of(&self, what: &What) -> Option<(&'static str, Value)> {
        let at = self.at;
        match what {
            What::Pull { number, action } => {
                let pull = self.state.pull(at, *number).ok()?;
                Some(("pull_request", self.pull(pull, action)))
            }
            What::Review { number, review } => {
                let pull = self.state.pull(at, *number).ok()?;
                let review = pull.reviews.iter().find(|known| known.id == *review)?;
                let mut shape = self.shapes.review(at, pull, review);
                // Lower case in events, upper case over REST; no words are null.
                shape["state"] = json!(shape["state"].as_str().unwrap_or_default().to_lowercase());
                if review.body.is_empty() {
                    shape["body"] = Value::Null;
                }
                let body =
                    json!({"action": "submitted", "review": shape, "pull_request": self.shapes.pull(at, pull, false)});
                Some(("pull_request_review", body))
            }
            What::Line { number, comment } => {
                let pull = self.state.pull(at, *number).ok()?;
                let all = pull.threads.iter().flat_map(|thread| thread.comments.iter().map(move |said| (thread, said)));
                let (thread, said) = all.into_iter().find(|(_, said)| said.id == *comment)?;
                let body = json!({
                    "action": "created", "comment": self.shapes.line_comment(at, pull, thread, said),
                    "pull_request": self.shapes.pull(at, pull, false),
                });
                Some(("pull_request_review_comment", body))
            }
            What::Comment { number, comment } => {
                let pull = self.state.pull(at, *number);
                let (issue, comments) = match &pull {
                    Ok(pull) => (self.shapes.pull_as_issue(at, pull), &pull.comments),
                    Err(_) => {
                        let issue = self.state.issue(at, *number).ok()?;
                        (self.shapes.issue(at, issue), &issue.comments)
                    }
                };
                let said = comments.iter().find(|said| said.id == *comment)?;
                let comment = self.shapes.comment(at, *number, pull.is_ok(), said);
                Some(("issue_comment", json!({"action": "created", "issue": issue, "comment": comment})))
            }
            What::Issue { number, action } => {
                let issue = self.shapes.issue(at, self.state.issue(at, *number).ok()?);
                let body = match action {
                    IssueAction::Opened => json!({"action": "opened", "issue": issue}),
                    IssueAction::Closed => json!({"action": "closed", "issue": issue}),
                    IssueAction::Labelled(name) => {
                        json!({"action": "labeled", "issue": issue, "label": self.shapes.label(at, name)})
                    }
                };
                Some(("issues", body))
            }
            What::Check { id } => self.check(*id),
            What::Push { branch, before, after } => Some(("push", self.push(branch, before, after))),
        }
    }

    fn pull(&self, pull: &Pull, action: &PullAction) -> Value {
        let name = match action {
            PullAction::Opened => "opened",
            PullAction::Edited => "edited",
            PullAction::Closed | PullAction::Merged => "closed",
            PullAction::Reopened => "reopened",
            PullAction::Ready => "ready_for_review",
            PullAction::Drafted => "converted_to_draft",
            PullAction::Synchronized { .. } => "synchronize",
        };
        let shape = self.shapes.pull(self.at, pull, true);
        let mut body = json!({"action": name, "number": pull.number, "pull_request": shape});
        match action {
            PullAction::Synchronized { before, after } => extend(&mut body, json!({"before": before, "after": after})),
            PullAction::Edited => extend(&mut body, json!({"changes": {}})),
            _ => {}
        }
        body
    }

    fn check(&self, id: u64) -> Option<(&'static str, Value)> {
        let repo = &self.state.repos[self.at];
        let check = repo.checks.iter().find(|check| check.id == id)?;
        if check.log.is_some() {
            let shape = run(&self.shapes, self.at, &self.links.base, check);
            let action = if shape["conclusion"].is_null() { "created" } else { "completed" };
            return Some(("check_run", json!({"action": action, "check_run": shape})));
        }
        let branches: Vec<Value> = repo.branches.iter().filter(|(_, sha)| **sha == check.sha).map(|(name, sha)| {
            json!({"name": name, "commit": {"sha": sha, "url": format!("{}/api/v3/commits/{sha}", self.links.base)}, "protected": false})
        }).collect();
        let at = chrono::DateTime::from_timestamp_millis(check.created_at).unwrap_or_default().to_rfc3339();
        let body = json!({
            "id": check.id, "sha": check.sha, "name": format!("{}/{}", repo.owner, repo.name), "context": check.name,
            "state": word(check.state), "description": check.description, "target_url": check.url, "branches": branches,
            "created_at": at, "updated_at": at, "avatar_url": null, "commit": {"sha": check.sha},
        });
        Some(("status", body))
    }

    fn push(&self, branch: &str, before: &str, after: &str) -> Value {
        let is_gone = |sha: &str| sha.bytes().all(|byte| byte == b'0');
        let bare = self.state.bare(self.at);
        json!({
            "ref": format!("refs/heads/{branch}"), "before": before, "after": after, "created": is_gone(before),
            "deleted": is_gone(after), "forced": !is_gone(before) && !is_gone(after) && !bare.is_within(before, after),
            "base_ref": null, "compare": format!("{}/compare/{before}...{after}", self.links.base), "commits": [],
            "head_commit": null, "pusher": {"name": "someone"},
        })
    }
}
