//! Gitea's JSON.

use super::super::model::{Comment, Issue, Mergeability, Permission, Pull, Review, State, Thread, Verdict};
use super::super::server::Links;
use chrono::{DateTime, FixedOffset};
use serde_json::{Value, json};

/// What makes a draft.
pub(super) const DRAFT: &str = "WIP: ";

pub(super) struct Shapes<'a> {
    pub(super) state: &'a State,
    pub(super) base: &'a str,
}

/// An instant as Gitea writes it: with the server's offset.
pub(super) fn time(ms: i64) -> String {
    let utc = DateTime::from_timestamp_millis(ms).unwrap_or_default();
    let offset = FixedOffset::east_opt(3600).map(|offset| utc.with_timezone(&offset));
    offset.map_or_else(|| utc.to_rfc3339(), |time| time.format("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

impl<'a> Shapes<'a> {
    pub(super) fn new(state: &'a State, links: &'a Links) -> Self {
        Self { state, base: &links.base }
    }

    /// The page of a repository.
    pub(super) fn page(&self, at: usize) -> String {
        format!("{}/{}/{}", self.base, self.state.repos[at].owner, self.state.repos[at].name)
    }

    pub(super) fn api(&self, at: usize) -> String {
        format!("{}/api/v1/repos/{}/{}", self.base, self.state.repos[at].owner, self.state.repos[at].name)
    }

    pub(super) fn account(&self, id: u64) -> Value {
        let account = self.state.who(id);
        self.named(account.id, &account.login)
    }

    fn named(&self, id: u64, login: &str) -> Value {
        json!({
            "id": id, "login": login, "login_name": "", "source_id": 0, "full_name": "",
            "email": format!("{login}@noreply.localhost"), "avatar_url": format!("{}/avatars/{id}", self.base),
            "html_url": format!("{}/{login}", self.base), "language": "", "is_admin": false,
            "last_login": "0001-01-01T00:00:00Z", "created": "2026-01-01T01:00:00+01:00", "restricted": false,
            "active": false, "prohibit_login": false, "location": "", "website": "", "description": "",
            "visibility": "public", "followers_count": 0, "following_count": 0, "starred_repos_count": 0,
        })
    }

    pub(super) fn repository(&self, at: usize, who: u64) -> Value {
        let (repo, page) = (&self.state.repos[at], self.page(at));
        let may = self.state.who(who).permission;
        let owner =
            self.state.accounts.iter().find(|account| account.login == repo.owner).map_or(500, |owner| owner.id);
        json!({
            "id": repo.id, "owner": self.named(owner, &repo.owner), "name": repo.name,
            "full_name": format!("{}/{}", repo.owner, repo.name), "description": "", "empty": repo.branches.is_empty(),
            "private": true, "fork": false, "template": false, "mirror": false, "size": 1, "html_url": page,
            "url": self.api(at), "clone_url": format!("{page}.git"), "ssh_url": format!("git@localhost:{}/{}.git", repo.owner, repo.name),
            "default_branch": self.state.bare(at).default_branch(), "archived": false,
            "created_at": time(repo.created_at), "updated_at": time(repo.created_at), "internal": false,
            "open_issues_count": repo.issues.iter().filter(|issue| issue.open).count(),
            "open_pr_counter": repo.pulls.iter().filter(|pull| pull.is_open()).count(), "has_issues": true,
            "has_pull_requests": true, "allow_merge_commits": true, "allow_rebase": true, "allow_squash_merge": true,
            "permissions": {
                "admin": may >= Permission::Admin, "push": may >= Permission::Write, "pull": may >= Permission::Read,
            },
        })
    }

    /// A pull request. Whether it can be merged was found out when its head moved, and is not looked at again when its base
    /// moves.
    pub(super) fn pull(&self, at: usize, pull: &Pull, who: u64) -> Value {
        let page = format!("{}/pulls/{}", self.page(at), pull.number);
        let repo = self.repository(at, who);
        let mut head_repo = repo.clone();
        if let Some(fork) = &pull.fork {
            let known = self.state.repos.iter().find(|repo| format!("{}/{}", repo.owner, repo.name) == *fork);
            head_repo["full_name"] = json!(fork);
            head_repo["id"] = known.map_or(0, |repo| repo.id).into();
        }
        let merged = pull.is_merged();
        let mergeable = match self.state.mergeability(at, pull, &pull.checked_base) {
            Mergeability::Checking | Mergeability::Conflict | Mergeability::NotOpen | Mergeability::Draft => merged,
            _ => true,
        };
        let base_sha = self.state.base_sha(at, pull);
        let end = |branch: &str, sha: &str, repo: &Value| json!({"label": branch, "ref": branch, "sha": sha, "repo_id": repo["id"], "repo": repo});
        json!({
            "id": pull.id, "url": page, "number": pull.number, "user": self.account(pull.author),
            "title": format!("{}{}", if pull.draft { DRAFT } else { "" }, pull.title), "body": pull.body, "labels": [],
            "milestone": null, "assignee": null, "assignees": null, "requested_reviewers": null, "state": pull.state,
            "draft": pull.draft, "is_locked": false, "comments": pull.comments.len(),
            "review_comments": pull.threads.iter().map(|thread| thread.comments.len()).sum::<usize>(),
            "html_url": page, "diff_url": format!("{page}.diff"), "patch_url": format!("{page}.patch"),
            "mergeable": mergeable, "merged": merged, "merged_at": pull.closed_at.filter(|_| merged).map(time),
            "merge_commit_sha": pull.merge_commit, "merged_by": pull.merged_by.map(|id| self.account(id)),
            "allow_maintainer_edit": false, "base": end(&pull.base, &base_sha, &repo),
            "head": end(&pull.head, &pull.head_sha, &head_repo),
            "merge_base": self.state.bare(at).merge_base(&base_sha, &pull.head_sha), "due_date": null,
            "created_at": time(pull.created_at), "updated_at": time(pull.updated_at),
            "closed_at": pull.closed_at.map(time), "pin_order": 0, "flow": 0,
        })
    }

    pub(super) fn comment(&self, at: usize, number: u64, is_pull: bool, comment: &Comment) -> Value {
        let kind = if is_pull { "pulls" } else { "issues" };
        let of = format!("{}/{kind}/{number}", self.page(at));
        let (issue, pull) = if is_pull { (String::new(), of.clone()) } else { (of.clone(), String::new()) };
        json!({
            "id": comment.id, "html_url": format!("{of}#issuecomment-{}", comment.id), "pull_request_url": pull,
            "issue_url": issue, "user": self.account(comment.author), "original_author": "", "original_author_id": 0,
            "body": comment.body, "assets": [], "created_at": time(comment.created_at),
            "updated_at": time(comment.updated_at),
        })
    }

    pub(super) fn review(&self, at: usize, pull: &Pull, review: &Review) -> Value {
        let page = format!("{}/pulls/{}", self.page(at), pull.number);
        let said = pull.threads.iter().flat_map(|thread| &thread.comments);
        let count = said.filter(|comment| comment.review == Some(review.id)).count();
        let state = match review.verdict {
            Verdict::Approved => "APPROVED",
            Verdict::ChangesRequested => "REQUEST_CHANGES",
            Verdict::Commented => "COMMENT",
            Verdict::Pending => "PENDING",
        };
        let is_official = self.state.who(review.author).permission >= Permission::Write;
        json!({
            "id": review.id, "user": self.account(review.author), "team": null, "state": state, "body": review.body,
            "commit_id": review.commit, "stale": review.commit != pull.head_sha,
            "official": is_official && matches!(review.verdict, Verdict::Approved | Verdict::ChangesRequested),
            "dismissed": false, "comments_count": count, "submitted_at": time(review.submitted_at),
            "updated_at": time(review.submitted_at), "html_url": format!("{page}#issuecomment-{}", review.id),
            "pull_request_url": page,
        })
    }

    /// A comment at a line: `position` is the line in the new file, `original_position` that in the old one.
    pub(super) fn line_comment(&self, at: usize, pull: &Pull, thread: &Thread, comment: &Comment) -> Value {
        let page = format!("{}/pulls/{}", self.page(at), pull.number);
        let (new, old) = if thread.old_side { (0, thread.line) } else { (thread.line, 0) };
        json!({
            "id": comment.id, "body": comment.body, "user": self.account(comment.author),
            "resolver": thread.resolved_by.map(|id| self.account(id)), "pull_request_review_id": comment.review,
            "created_at": time(comment.created_at), "updated_at": time(comment.updated_at), "path": thread.path,
            "commit_id": pull.head_sha, "original_commit_id": "", "diff_hunk": thread.hunk, "position": new,
            "original_position": old, "html_url": format!("{page}#issuecomment-{}", comment.id), "pull_request_url": page,
        })
    }

    pub(super) fn issue(&self, at: usize, issue: &Issue) -> Value {
        let (page, repo) = (format!("{}/issues/{}", self.page(at), issue.number), &self.state.repos[at]);
        let label = |name: &String| {
            let id = name.bytes().fold(7_u64, |id, byte| (id * 31 + u64::from(byte)) % 1_000_000);
            json!({
                "id": id, "name": name, "exclusive": false, "is_archived": false, "color": "ededed", "description": "",
                "url": format!("{}/labels/{id}", self.api(at)),
            })
        };
        json!({
            "id": issue.id, "url": format!("{}/issues/{}", self.api(at), issue.number), "html_url": page,
            "number": issue.number, "user": self.account(issue.author), "original_author": "", "original_author_id": 0,
            "title": issue.title, "body": issue.body, "ref": "", "assets": [],
            "labels": issue.labels.iter().map(label).collect::<Vec<_>>(), "milestone": null, "assignee": null,
            "assignees": null, "state": if issue.open { "open" } else { "closed" }, "is_locked": false,
            "comments": issue.comments.len(), "created_at": time(issue.created_at), "updated_at": time(issue.updated_at),
            "closed_at": (!issue.open).then(|| time(issue.updated_at)), "due_date": null, "pull_request": null,
            "repository": {"id": repo.id, "name": repo.name, "owner": repo.owner, "full_name": format!("{}/{}", repo.owner, repo.name)},
            "pin_order": 0,
        })
    }

    /// A pull request as an issue, which it also is.
    pub(super) fn pull_as_issue(&self, at: usize, pull: &Pull) -> Value {
        let issue = Issue {
            id: pull.id,
            number: pull.number,
            title: pull.title.clone(),
            body: pull.body.clone(),
            open: pull.is_open(),
            author: pull.author,
            created_at: pull.created_at,
            updated_at: pull.updated_at,
            comments: pull.comments.clone(),
            ..Issue::default()
        };
        let mut shape = self.issue(at, &issue);
        shape["html_url"] = format!("{}/pulls/{}", self.page(at), pull.number).into();
        shape["pull_request"] = json!({
            "draft": pull.draft, "merged": pull.is_merged(), "html_url": shape["html_url"],
            "merged_at": pull.closed_at.filter(|_| pull.is_merged()).map(time),
        });
        shape
    }
}
