//! GitHub's JSON: each shape with every field that its schema requires.

use super::super::model::{Comment, Issue, Mergeability, Permission, Pull, Review, State, Thread, Verdict};
use super::super::server::Links;
use chrono::DateTime;
use serde_json::{Value, json};

/// Shapes of what is in a state.
pub(super) struct Shapes<'a> {
    pub(super) state: &'a State,
    base: &'a str,
}

/// Adds the fields of one object to another.
pub(super) fn extend(to: &mut Value, more: Value) {
    if let (Value::Object(to), Value::Object(more)) = (to, more) {
        to.extend(more);
    }
}

/// An instant as GitHub writes it.
pub(super) fn time(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl<'a> Shapes<'a> {
    pub(super) fn new(state: &'a State, links: &'a Links) -> Self {
        Self { state, base: &links.base }
    }

    /// The address of the API, and of the page, of something in a repository.
    fn at(&self, at: usize, rest: &str) -> (String, String) {
        let (owner, name) = (&self.state.repos[at].owner, &self.state.repos[at].name);
        (format!("{}/api/v3/repos/{owner}/{name}{rest}", self.base), format!("{}/{owner}/{name}{rest}", self.base))
    }

    pub(super) fn account(&self, id: u64) -> Value {
        let account = self.state.who(id);
        let login = &account.login;
        let at = format!("{}/api/v3/users/{login}", self.base);
        let mut user = json!({
            "login": login, "id": account.id, "node_id": format!("U_{}", account.id), "gravatar_id": "",
            "avatar_url": format!("{}/avatars/{}", self.base, account.id), "url": at,
            "html_url": format!("{}/{login}", self.base), "site_admin": false,
            "type": if account.bot { "Bot" } else { "User" },
        });
        for (field, rest) in [
            ("followers_url", "followers"),
            ("following_url", "following{/other_user}"),
            ("gists_url", "gists{/gist_id}"),
            ("starred_url", "starred{/owner}{/repo}"),
            ("subscriptions_url", "subscriptions"),
            ("organizations_url", "orgs"),
            ("repos_url", "repos"),
            ("events_url", "events{/privacy}"),
            ("received_events_url", "received_events"),
        ] {
            user[field] = json!(format!("{at}/{rest}"));
        }
        user
    }

    /// The account of an owner, who need not be one that has a token.
    fn owner(&self, login: &str) -> Value {
        let known = self.state.accounts.iter().find(|account| account.login == login);
        let mut user = self.account(known.map_or(0, |account| account.id));
        if known.is_none() {
            user["login"] = json!(login);
            user["id"] = json!(500);
        }
        user
    }

    pub(super) fn repository(&self, at: usize) -> Value {
        let repo = &self.state.repos[at];
        let (api, page) = self.at(at, "");
        let open =
            repo.pulls.iter().filter(|pull| pull.is_open()).count() + repo.issues.iter().filter(|i| i.open).count();
        let mut whole = json!({
            "id": repo.id, "node_id": format!("R_{}", repo.id), "name": repo.name,
            "full_name": format!("{}/{}", repo.owner, repo.name), "owner": self.owner(&repo.owner), "private": true,
            "html_url": page, "description": null, "fork": false, "url": api,
            "git_url": format!("git://localhost/{}/{}.git", repo.owner, repo.name),
            "ssh_url": format!("git@localhost:{}/{}.git", repo.owner, repo.name),
            "clone_url": format!("{page}.git"), "mirror_url": null, "svn_url": page, "homepage": null, "language": null,
            "forks_count": 0, "stargazers_count": 0, "watchers_count": 0, "size": 1,
            "default_branch": self.state.bare(at).default_branch(), "open_issues_count": open, "has_issues": true,
            "has_projects": false, "has_wiki": false, "has_pages": false, "has_downloads": false,
            "has_discussions": false, "archived": false, "disabled": false, "visibility": "private",
            "pushed_at": time(repo.created_at), "created_at": time(repo.created_at), "updated_at": time(repo.created_at),
            "license": null, "forks": 0, "open_issues": open, "watchers": 0,
        });
        for (field, rest) in ADDRESSES {
            whole[*field] = json!(format!("{api}/{rest}"));
        }
        whole
    }

    /// A pull request; `whole` with what lists do not have.
    pub(super) fn pull(&self, at: usize, pull: &Pull, whole: bool) -> Value {
        let repo = self.repository(at);
        let number = pull.number;
        let ((api, page), (issue, _)) =
            (self.at(at, &format!("/pull/{number}")), self.at(at, &format!("/issues/{number}")));
        let api = api.replace("/pull/", "/pulls/");
        let (statuses, _) = self.at(at, &format!("/statuses/{}", pull.head_sha));
        let review_comment = format!("{}{{/number}}", self.at(at, "/pulls/comments").0);
        let head_owner = pull.fork.as_deref().and_then(|fork| fork.split('/').next()).unwrap_or(&pull.owner);
        let mut head_repo = repo.clone();
        if let Some(fork) = &pull.fork {
            let known = self.state.repos.iter().find(|repo| format!("{}/{}", repo.owner, repo.name) == *fork);
            let id = known.map_or(0, |repo| repo.id);
            extend(&mut head_repo, json!({"full_name": fork, "owner": self.owner(head_owner), "fork": true, "id": id}));
        }
        let base_sha = self.state.base_sha(at, pull);
        let end = |owner: &str, branch: &str, sha: &str, repo: &Value| json!({"label": format!("{owner}:{branch}"), "ref": branch, "sha": sha, "repo": repo, "user": self.owner(owner)});
        let link = |href: &str| json!({"href": href});
        let mut shape = json!({
            "url": api, "id": pull.id, "node_id": format!("PR_{}", pull.id), "html_url": page,
            "diff_url": format!("{page}.diff"), "patch_url": format!("{page}.patch"), "issue_url": issue,
            "commits_url": format!("{api}/commits"), "review_comments_url": format!("{api}/comments"),
            "review_comment_url": review_comment, "comments_url": format!("{issue}/comments"), "statuses_url": statuses,
            "number": number, "state": pull.state, "locked": false, "title": pull.title,
            "user": self.account(pull.author), "body": pull.body, "labels": [], "milestone": null,
            "active_lock_reason": null, "created_at": time(pull.created_at), "updated_at": time(pull.updated_at),
            "closed_at": pull.closed_at.map(time), "merged_at": pull.closed_at.filter(|_| pull.is_merged()).map(time),
            "merge_commit_sha": pull.merge_commit, "assignee": null, "assignees": [], "requested_reviewers": [],
            "requested_teams": [], "head": end(head_owner, &pull.head, &pull.head_sha, &head_repo),
            "base": end(&pull.owner, &pull.base, &base_sha, &repo), "author_association": self.association(pull.author),
            "auto_merge": null, "draft": pull.draft,
            "_links": {
                "self": link(&api), "html": link(&page), "issue": link(&issue), "statuses": link(&statuses),
                "comments": link(&format!("{issue}/comments")), "review_comments": link(&format!("{api}/comments")),
                "review_comment": link(&review_comment), "commits": link(&format!("{api}/commits")),
            },
        });
        if whole {
            let mergeability = self.state.mergeability(at, pull, &base_sha);
            extend(&mut shape, self.rest_of_pull(at, pull, mergeability, &base_sha));
        }
        shape
    }

    fn rest_of_pull(&self, at: usize, pull: &Pull, mergeability: Mergeability, base: &str) -> Value {
        let (mergeable, state) = super::mergeable(mergeability);
        let bare = self.state.bare(at);
        let (additions, deletions) = bare.counts(base, &pull.head_sha);
        json!({
            "merged": pull.is_merged(), "mergeable": mergeable, "rebaseable": mergeable, "mergeable_state": state,
            "merged_by": pull.merged_by.map(|id| self.account(id)), "comments": pull.comments.len(),
            "review_comments": pull.threads.iter().map(|thread| thread.comments.len()).sum::<usize>(),
            "maintainer_can_modify": false, "commits": bare.commits(base, &pull.head_sha).len(), "additions": additions,
            "deletions": deletions, "changed_files": bare.files(base, &pull.head_sha).len(),
        })
    }

    pub(super) fn association(&self, id: u64) -> &'static str {
        match self.state.who(id).permission {
            Permission::Admin => "OWNER",
            Permission::Write => "COLLABORATOR",
            Permission::Read | Permission::None => "NONE",
        }
    }

    pub(super) fn comment(&self, at: usize, number: u64, is_pull: bool, comment: &Comment) -> Value {
        let (api, _) = self.at(at, &format!("/issues/comments/{}", comment.id));
        let kind = if is_pull { "pull" } else { "issues" };
        let (_, page) = self.at(at, &format!("/{kind}/{number}#issuecomment-{}", comment.id));
        json!({
            "id": comment.id, "node_id": format!("IC_{}", comment.id), "url": api, "html_url": page, "body": comment.body,
            "user": self.account(comment.author), "created_at": time(comment.created_at),
            "updated_at": time(comment.updated_at), "issue_url": self.at(at, &format!("/issues/{number}")).0,
            "author_association": self.association(comment.author), "performed_via_github_app": null,
        })
    }

    pub(super) fn review(&self, at: usize, pull: &Pull, review: &Review) -> Value {
        let (api, page) = self.at(at, &format!("/pull/{}", pull.number));
        let (api, page) = (api.replace("/pull/", "/pulls/"), format!("{page}#pullrequestreview-{}", review.id));
        let state = match review.verdict {
            Verdict::Approved => "APPROVED",
            Verdict::ChangesRequested => "CHANGES_REQUESTED",
            Verdict::Commented => "COMMENTED",
            Verdict::Pending => "PENDING",
        };
        let mut shape = json!({
            "id": review.id, "node_id": format!("PRR_{}", review.id), "user": self.account(review.author),
            "body": review.body, "state": state, "html_url": page, "pull_request_url": api, "commit_id": review.commit,
            "author_association": self.association(review.author),
            "_links": {"html": {"href": page}, "pull_request": {"href": api}},
        });
        if review.verdict != Verdict::Pending {
            shape["submitted_at"] = json!(time(review.submitted_at));
        }
        shape
    }

    pub(super) fn line_comment(&self, at: usize, pull: &Pull, thread: &Thread, comment: &Comment) -> Value {
        let (api, _) = self.at(at, &format!("/pulls/comments/{}", comment.id));
        let (pull_api, page) = self.at(at, &format!("/pull/{}", pull.number));
        let (pull_api, page) = (pull_api.replace("/pull/", "/pulls/"), format!("{page}#discussion_r{}", comment.id));
        let position = thread.hunk.lines().count().saturating_sub(1);
        let mut shape = json!({
            "url": api, "pull_request_review_id": comment.review, "id": comment.id,
            "node_id": format!("PRRC_{}", comment.id), "diff_hunk": thread.hunk, "path": thread.path,
            "position": position, "original_position": position, "commit_id": pull.head_sha,
            "original_commit_id": thread.commit, "user": self.account(comment.author), "body": comment.body,
            "created_at": time(comment.created_at), "updated_at": time(comment.updated_at), "html_url": page,
            "pull_request_url": pull_api, "author_association": self.association(comment.author),
            "_links": {"self": {"href": api}, "html": {"href": page}, "pull_request": {"href": pull_api}},
            "start_line": null, "original_start_line": null, "start_side": null, "line": thread.line,
            "original_line": thread.line, "side": if thread.old_side { "LEFT" } else { "RIGHT" }, "subject_type": "line",
        });
        if thread.id() != comment.id {
            shape["in_reply_to_id"] = json!(thread.id());
        }
        shape
    }

    pub(super) fn issue(&self, at: usize, issue: &Issue) -> Value {
        let (api, page) = self.at(at, &format!("/issues/{}", issue.number));
        let repository = self.at(at, "").0;
        let labels: Vec<Value> = issue.labels.iter().map(|name| self.label(at, name)).collect();
        json!({
            "id": issue.id, "node_id": format!("I_{}", issue.id), "url": api, "repository_url": repository,
            "labels_url": format!("{api}/labels{{/name}}"), "comments_url": format!("{api}/comments"),
            "events_url": format!("{api}/events"), "html_url": page, "number": issue.number,
            "state": if issue.open { "open" } else { "closed" }, "state_reason": (!issue.open).then_some("completed"),
            "title": issue.title, "body": issue.body, "user": self.account(issue.author), "labels": labels,
            "assignee": null, "assignees": [], "milestone": null, "locked": false, "comments": issue.comments.len(),
            "closed_at": (!issue.open).then(|| time(issue.updated_at)), "created_at": time(issue.created_at),
            "updated_at": time(issue.updated_at), "author_association": self.association(issue.author),
        })
    }

    pub(super) fn label(&self, at: usize, name: &str) -> Value {
        let (url, _) = self.at(at, &format!("/labels/{name}"));
        let id = name.bytes().fold(7_u64, |id, byte| (id * 31 + u64::from(byte)) % 1_000_000);
        json!({
            "id": id, "node_id": format!("LA_{id}"), "url": url, "name": name, "description": "", "color": "ededed",
            "default": false,
        })
    }

    /// A pull request among issues, where GitHub lists it too.
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
        let (_, page) = self.at(at, &format!("/pull/{}", pull.number));
        shape["html_url"] = json!(page);
        shape["draft"] = json!(pull.draft);
        shape["pull_request"] = json!({
            "url": self.at(at, &format!("/pulls/{}", pull.number)).0, "html_url": page,
            "diff_url": format!("{page}.diff"), "patch_url": format!("{page}.patch"), "merged_at": null,
        });
        shape
    }
}

/// The addresses that each repository's description has.
const ADDRESSES: &[(&str, &str)] = &[
    ("archive_url", "{archive_format}{/ref}"),
    ("assignees_url", "assignees{/user}"),
    ("blobs_url", "git/blobs{/sha}"),
    ("branches_url", "branches{/branch}"),
    ("collaborators_url", "collaborators{/collaborator}"),
    ("comments_url", "comments{/number}"),
    ("commits_url", "commits{/sha}"),
    ("compare_url", "compare/{base}...{head}"),
    ("contents_url", "contents/{+path}"),
    ("contributors_url", "contributors"),
    ("deployments_url", "deployments"),
    ("downloads_url", "downloads"),
    ("events_url", "events"),
    ("forks_url", "forks"),
    ("git_commits_url", "git/commits{/sha}"),
    ("git_refs_url", "git/refs{/sha}"),
    ("git_tags_url", "git/tags{/sha}"),
    ("issue_comment_url", "issues/comments{/number}"),
    ("issue_events_url", "issues/events{/number}"),
    ("issues_url", "issues{/number}"),
    ("keys_url", "keys{/key_id}"),
    ("labels_url", "labels{/name}"),
    ("languages_url", "languages"),
    ("merges_url", "merges"),
    ("milestones_url", "milestones{/number}"),
    ("notifications_url", "notifications{?since,all,participating}"),
    ("pulls_url", "pulls{/number}"),
    ("releases_url", "releases{/id}"),
    ("stargazers_url", "stargazers"),
    ("statuses_url", "statuses/{sha}"),
    ("subscribers_url", "subscribers"),
    ("subscription_url", "subscription"),
    ("tags_url", "tags"),
    ("teams_url", "teams"),
    ("trees_url", "git/trees{/sha}"),
    ("hooks_url", "hooks"),
];
