//! What GitLab's webhooks say about an event.

use super::super::model::{Comment, Event, Issue, IssueAction, Pull, PullAction, State, Verdict, What};
use super::super::server::Links;
use super::super::webhooks::Payload;
use super::checks::word;
use super::shapes::{Shapes, detailed, discussion_id};
use chrono::DateTime;
use serde_json::{Value, json};

/// An instant as GitLab's webhooks write it.
fn time(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// GitLab's payloads for an event.
pub(in super::super) fn payloads(state: &State, links: &Links, event: &Event) -> Vec<Payload> {
    let told = Told { shapes: Shapes::new(state, links), state, at: event.at };
    let said = told.of(&event.what);
    let sender = json!({
        "id": state.who(event.sender).id, "name": state.who(event.sender).login, "username": state.who(event.sender).login,
        "avatar_url": null, "email": "[REDACTED]",
    });
    let whole = |(header, kind, mut body): (&'static str, &'static str, Value)| {
        body["user"] = sender.clone();
        body["project"] = told.project();
        Payload::new(header, kind, body)
    };
    said.into_iter().map(whole).collect()
}

struct Told<'a> {
    shapes: Shapes<'a>,
    state: &'a State,
    at: usize,
}

type Said = (&'static str, &'static str, Value);

fn request(body: Value) -> Said {
    ("Merge Request Hook", "merge_requests_events", body)
}

impl Told<'_> {
    fn project(&self) -> Value {
        let (repo, page) = (&self.state.repos[self.at], self.shapes.page(self.at));
        json!({
            "id": repo.id, "name": repo.name, "path_with_namespace": format!("{}/{}", repo.owner, repo.name),
            "web_url": page, "git_http_url": format!("{page}.git"), "http_url": format!("{page}.git"), "visibility_level": 0,
            "default_branch": self.state.bare(self.at).default_branch(),
        })
    }

    fn attributes(&self, pull: &Pull) -> Value {
        let shape = self.shapes.request(self.at, pull);
        let mergeability = self.state.mergeability(self.at, pull, &self.state.base_sha(self.at, pull));
        json!({
            "id": pull.id, "iid": pull.number, "title": shape["title"], "description": pull.body, "state": shape["state"],
            "draft": pull.draft, "work_in_progress": pull.draft, "author_id": pull.author,
            "source_project_id": shape["source_project_id"], "target_project_id": shape["target_project_id"],
            "source_branch": pull.head, "target_branch": pull.base, "last_commit": {"id": pull.head_sha},
            "merge_commit_sha": shape["merge_commit_sha"], "detailed_merge_status": detailed(mergeability),
            "created_at": time(pull.created_at), "updated_at": time(pull.updated_at), "url": shape["web_url"],
        })
    }

    fn pull(&self, pull: &Pull, action: &str, oldrev: Option<&str>) -> Said {
        let mut attributes = self.attributes(pull);
        attributes["action"] = action.into();
        if let Some(oldrev) = oldrev {
            attributes["oldrev"] = oldrev.into();
        }
        request(
            json!({"object_kind": "merge_request", "event_type": "merge_request", "object_attributes": attributes, "labels": [], "changes": {}}),
        )
    }

    fn note(&self, on: Result<&Pull, &Issue>, comment: &Comment, more: Value) -> Said {
        let (kind, page) = match on {
            Ok(pull) => ("MergeRequest", format!("{}/-/merge_requests/{}", self.shapes.page(self.at), pull.number)),
            Err(issue) => ("Issue", format!("{}/-/issues/{}", self.shapes.page(self.at), issue.number)),
        };
        let mut attributes = json!({
            "id": comment.id, "note": comment.body, "noteable_type": kind, "author_id": comment.author, "action": "create",
            "created_at": time(comment.created_at), "updated_at": time(comment.updated_at), "system": false, "type": null,
            "project_id": self.state.repos[self.at].id, "discussion_id": discussion_id(comment.id), "position": null,
            "url": format!("{page}#note_{}", comment.id),
        });
        if let (Value::Object(attributes), Value::Object(more)) = (&mut attributes, more) {
            attributes.extend(more);
        }
        let mut body = json!({"object_kind": "note", "event_type": "note", "object_attributes": attributes});
        match on {
            Ok(pull) => body["merge_request"] = self.attributes(pull),
            Err(issue) => body["issue"] = self.shapes.issue(self.at, issue),
        }
        ("Note Hook", "note_events", body)
    }

    fn of(&self, what: &What) -> Vec<Said> {
        self.all(what).unwrap_or_default()
    }

    fn all(&self, what: &What) -> Option<Vec<Said>> {
        let at = self.at;
        Some(match what {
            What::Pull { number, action } => {
                let pull = self.state.pull(at, *number).ok()?;
                let (action, oldrev) = match action {
                    PullAction::Opened => ("open", None),
                    PullAction::Closed => ("close", None),
                    PullAction::Reopened => ("reopen", None),
                    PullAction::Merged => ("merge", None),
                    PullAction::Edited | PullAction::Ready | PullAction::Drafted => ("update", None),
                    PullAction::Synchronized { before, .. } => ("update", Some(before.as_str())),
                };
                vec![self.pull(pull, action, oldrev)]
            }
            What::Review { number, review } => {
                let pull = self.state.pull(at, *number).ok()?;
                let review = pull.reviews.iter().find(|known| known.id == *review)?;
                let mut said = Vec::new();
                if !review.body.is_empty() {
                    let at_ms = review.submitted_at;
                    let (body, author) = (review.body.clone(), review.author);
                    let comment = Comment {
                        id: review.id,
                        author,
                        body,
                        created_at: at_ms,
                        updated_at: at_ms,
                        ..Comment::default()
                    };
                    said.push(self.note(Ok(pull), &comment, json!({})));
                }
                if review.verdict == Verdict::Approved {
                    said.push(self.pull(pull, "approved", None));
                }
                said
            }
            What::Line { number, comment } => {
                let pull = self.state.pull(at, *number).ok()?;
                let thread =
                    pull.threads.iter().find(|thread| thread.comments.iter().any(|said| said.id == *comment))?;
                let said = thread.comments.iter().find(|said| said.id == *comment)?;
                let more = json!({
                    "type": "DiffNote", "discussion_id": discussion_id(thread.id()),
                    "position": self.shapes.position(at, pull, thread),
                });
                vec![self.note(Ok(pull), said, more)]
            }
            What::Comment { number, comment } => {
                let find = |all: &[Comment]| all.iter().find(|said| said.id == *comment).cloned();
                match self.state.pull(at, *number) {
                    Ok(pull) => vec![self.note(Ok(pull), &find(&pull.comments)?, json!({}))],
                    Err(_) => {
                        let issue = self.state.issue(at, *number).ok()?;
                        vec![self.note(Err(issue), &find(&issue.comments)?, json!({}))]
                    }
                }
            }
            What::Issue { number, action } => vec![self.issue(self.state.issue(at, *number).ok()?, action)],
            What::Check { id } => self.check(*id)?,
            What::Push { branch, before, after } => {
                let body = json!({
                    "object_kind": "push", "event_name": "push", "ref": format!("refs/heads/{branch}"), "before": before,
                    "after": after, "checkout_sha": Some(after).filter(|sha| sha.bytes().any(|byte| byte != b'0')),
                    "commits": [], "total_commits_count": 0, "project_id": self.state.repos[at].id,
                });
                vec![("Push Hook", "push_events", body)]
            }
        })
    }

    fn issue(&self, issue: &Issue, action: &IssueAction) -> Said {
        let label = |name: &String| json!({"id": 1, "title": name});
        let labels: Vec<Value> = issue.labels.iter().map(label).collect();
        let (word, changes) = match action {
            // The labels that it is opened with are part of that.
            IssueAction::Opened => ("open", json!({})),
            IssueAction::Closed => ("close", json!({})),
            IssueAction::Labelled(name) => {
                let before: Vec<Value> = issue.labels.iter().filter(|known| *known != name).map(label).collect();
                ("update", json!({"labels": {"previous": before, "current": labels}}))
            }
        };
        let body = json!({
            "object_kind": "issue", "event_type": "issue", "labels": labels, "changes": changes,
            "object_attributes": {
                "id": issue.id, "iid": issue.number, "title": issue.title, "description": issue.body, "action": word,
                "state": if issue.open { "opened" } else { "closed" },
                "url": format!("{}/-/issues/{}", self.shapes.page(self.at), issue.number),
            },
        });
        ("Issue Hook", "issues_events", body)
    }

    fn check(&self, id: u64) -> Option<Vec<Said>> {
        let repo = &self.state.repos[self.at];
        let check = repo.checks.iter().find(|check| check.id == id)?;
        let branch = repo.branches.iter().find(|(_, sha)| **sha == check.sha).map(|(name, _)| name.as_str());
        let pull = repo.pulls.iter().find(|pull| pull.head_sha == check.sha);
        let pipeline = json!({
            "object_kind": "pipeline",
            "object_attributes": {"id": check.id, "sha": check.sha, "ref": branch, "status": word(check.state)},
            "merge_request": pull.map(|pull| json!({"id": pull.id, "iid": pull.number, "source_branch": pull.head})),
        });
        let pipeline = ("Pipeline Hook", "pipeline_events", pipeline);
        if check.log.is_none() {
            return Some(vec![pipeline]);
        }
        let build = json!({
            "object_kind": "build", "ref": branch, "tag": false, "sha": check.sha, "build_id": check.id,
            "build_name": check.name, "build_stage": "test", "build_status": word(check.state),
            "build_allow_failure": false, "build_failure_reason": "script_failure", "pipeline_id": check.id,
        });
        Some(vec![("Job Hook", "job_events", build), pipeline])
    }
}
