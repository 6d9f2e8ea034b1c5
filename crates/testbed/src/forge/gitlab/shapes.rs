//! GitLab's JSON.

use super::super::model::{Comment, Issue, Mergeability, Permission, Pull, State, Thread};
use super::super::server::Links;
use chrono::DateTime;
use serde_json::{Value, json};

/// What makes a draft.
pub(super) const DRAFT: &str = "Draft: ";

pub(super) struct Shapes<'a> {
    pub(super) state: &'a State,
    pub(super) base: &'a str,
}

/// An instant as GitLab writes it.
pub(super) fn time(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The id of a thread's discussion.
pub(super) fn discussion_id(id: u64) -> String {
    format!("{id:040x}")
}

/// A permission as a level.
pub(super) fn level(permission: Permission) -> u64 {
    match permission {
        Permission::None => 0,
        Permission::Read => 20,
        Permission::Write => 30,
        Permission::Admin => 40,
    }
}

/// Whether it can be merged, in GitLab's words.
pub(super) fn detailed(of: Mergeability) -> &'static str {
    match of {
        Mergeability::NotOpen => "not_open",
        Mergeability::Checking => "checking",
        Mergeability::Draft => "draft_status",
        Mergeability::Conflict => "conflict",
        Mergeability::Behind => "need_rebase",
        Mergeability::NotApproved => "not_approved",
        Mergeability::OpenThreads => "discussions_not_resolved",
        Mergeability::Yes => "mergeable",
    }
}

impl<'a> Shapes<'a> {
    pub(super) fn new(state: &'a State, links: &'a Links) -> Self {
        Self { state, base: &links.base }
    }

    /// The page of a project.
    pub(super) fn page(&self, at: usize) -> String {
        format!("{}/{}/{}", self.base, self.state.repos[at].owner, self.state.repos[at].name)
    }

    pub(super) fn account(&self, id: u64) -> Value {
        let account = self.state.who(id);
        json!({
            "id": account.id, "username": account.login, "name": account.login, "state": "active", "locked": false,
            "avatar_url": null, "web_url": format!("{}/{}", self.base, account.login),
        })
    }

    pub(super) fn request(&self, at: usize, pull: &Pull) -> Value {
        let repo = &self.state.repos[at];
        let source = pull
            .fork
            .as_deref()
            .and_then(|fork| self.state.repos.iter().find(|repo| format!("{}/{}", repo.owner, repo.name) == fork));
        let base = self.state.base_sha(at, pull);
        let mergeability = self.state.mergeability(at, pull, &base);
        let merged = pull.is_merged();
        // A squash has a commit of its own, and a fast-forward makes none.
        let of = |is: bool| pull.merge_commit.as_ref().filter(|sha| is && **sha != pull.head_sha);
        let draft = if pull.draft { DRAFT } else { "" };
        json!({
            "id": pull.id, "iid": pull.number, "project_id": repo.id, "title": format!("{draft}{}", pull.title),
            "description": pull.body,
            "state": if merged { "merged" } else if pull.is_open() { "opened" } else { "closed" },
            "created_at": time(pull.created_at), "updated_at": time(pull.updated_at),
            "merged_by": pull.merged_by.map(|id| self.account(id)),
            "merge_user": pull.merged_by.map(|id| self.account(id)),
            "merged_at": pull.closed_at.filter(|_| merged).map(time),
            "closed_at": pull.closed_at.filter(|_| !merged).map(time), "target_branch": pull.base,
            "source_branch": pull.head, "author": self.account(pull.author), "assignees": [], "assignee": null,
            "reviewers": [], "source_project_id": source.map_or(repo.id, |repo| repo.id), "target_project_id": repo.id,
            "labels": [], "draft": pull.draft, "work_in_progress": pull.draft, "milestone": null,
            "merge_when_pipeline_succeeds": false,
            "merge_status": match mergeability {
                Mergeability::Checking => "checking",
                Mergeability::Conflict => "cannot_be_merged",
                _ => "can_be_merged",
            },
            "detailed_merge_status": detailed(mergeability), "sha": pull.head_sha,
            "merge_commit_sha": of(!pull.squashed), "squash_commit_sha": of(pull.squashed), "squash": pull.squashed,
            "has_conflicts": mergeability == Mergeability::Conflict, "merge_error": pull.merge_error,
            "blocking_discussions_resolved": pull.threads.iter().all(|thread| thread.resolved_by.is_some()),
            "user_notes_count": pull.comments.len(), "upvotes": 0, "downvotes": 0, "head_pipeline": null,
            "web_url": format!("{}/-/merge_requests/{}", self.page(at), pull.number),
            "references": {"short": format!("!{}", pull.number)},
            "diff_refs": {"base_sha": base, "head_sha": pull.head_sha, "start_sha": base},
        })
    }

    /// A note of a person. `on` is what it is on: its kind, id and number.
    pub(super) fn note(&self, at: usize, on: (&str, u64, u64), comment: &Comment) -> Value {
        let (kind, id, number) = on;
        json!({
            "id": comment.id, "type": null, "body": comment.body, "author": self.account(comment.author),
            "created_at": time(comment.created_at), "updated_at": time(comment.updated_at), "system": false,
            "noteable_id": id, "noteable_type": kind, "noteable_iid": number, "project_id": self.state.repos[at].id,
            "resolvable": false, "confidential": false, "internal": false, "imported": false,
        })
    }

    pub(super) fn diff_note(&self, at: usize, pull: &Pull, thread: &Thread, comment: &Comment) -> Value {
        let mut note = self.note(at, ("MergeRequest", pull.id, pull.number), comment);
        note["type"] = "DiffNote".into();
        note["resolvable"] = true.into();
        note["resolved"] = thread.resolved_by.is_some().into();
        note["resolved_by"] = thread.resolved_by.map(|id| self.account(id)).into();
        note["commit_id"] = Value::Null;
        note["position"] = self.position(at, pull, thread);
        note
    }

    pub(super) fn position(&self, at: usize, pull: &Pull, thread: &Thread) -> Value {
        let base = self.state.base_sha(at, pull);
        let (old, new) = if thread.old_side { (Some(thread.line), None) } else { (None, Some(thread.line)) };
        json!({
            "base_sha": base, "start_sha": base, "head_sha": thread.commit, "old_path": thread.path,
            "new_path": thread.path, "position_type": "text", "old_line": old, "new_line": new, "line_range": null,
        })
    }

    /// A thread as a discussion.
    pub(super) fn discussion(&self, at: usize, pull: &Pull, thread: &Thread) -> Value {
        let notes: Vec<Value> = thread.comments.iter().map(|said| self.diff_note(at, pull, thread, said)).collect();
        json!({"id": discussion_id(thread.id()), "individual_note": false, "notes": notes})
    }

    /// What is said on a merge request, but for its threads: comments, what reviews say as a whole, and what GitLab itself
    /// notes.
    pub(super) fn plain_notes(&self, at: usize, pull: &Pull) -> Vec<Value> {
        let on = ("MergeRequest", pull.id, pull.number);
        let mut notes: Vec<Value> = pull.comments.iter().map(|comment| self.note(at, on, comment)).collect();
        for review in &pull.reviews {
            let at_ms = review.submitted_at;
            let mut comment = Comment { id: review.id, author: review.author, created_at: at_ms, ..Comment::default() };
            comment.updated_at = at_ms;
            if !review.body.is_empty() {
                review.body.clone_into(&mut comment.body);
                notes.push(self.note(at, on, &comment));
            } else if review.verdict == super::super::model::Verdict::Approved {
                comment.body = "approved this merge request".into();
                let mut note = self.note(at, on, &comment);
                note["system"] = true.into();
                notes.push(note);
            }
        }
        notes
    }

    pub(super) fn issue(&self, at: usize, issue: &Issue) -> Value {
        json!({
            "id": issue.id, "iid": issue.number, "project_id": self.state.repos[at].id, "title": issue.title,
            "description": issue.body, "state": if issue.open { "opened" } else { "closed" },
            "created_at": time(issue.created_at), "updated_at": time(issue.updated_at), "labels": issue.labels,
            "author": self.account(issue.author), "type": "ISSUE", "issue_type": "issue", "confidential": false,
            "user_notes_count": issue.comments.len(),
            "web_url": format!("{}/-/issues/{}", self.page(at), issue.number),
        })
    }
}
