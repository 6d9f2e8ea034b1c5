//! GitHub's JSON, as far as it matters. Gitea's and Forgejo's is the same in most places, so it is read here too.

use crate::types::{Account, Comment, Issue, Mergeable, Permission, Pull, PullState, Ref, Review, ReviewState};
use serde_json::Value;

/// A text; empty where there is none.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A text that is not empty.
pub(crate) fn some_text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// An id, which is a number.
pub(crate) fn id(value: &Value) -> String {
    value.as_i64().map(|id| id.to_string()).unwrap_or_default()
}

/// An account; null for one that is gone.
pub(crate) fn account(user: &Value) -> Account {
    let login = text(&user["login"]);
    // Gitea's own programs have ids below zero.
    let bot = user["type"] == "Bot" || login.ends_with("[bot]") || user["id"].as_i64().is_some_and(|id| id < -1);
    Account { id: id(&user["id"]), login, bot }
}

pub(crate) fn pull(pull: &Value) -> Option<Pull> {
    let base_repo = pull["base"]["repo"]["full_name"].as_str();
    let merged = pull["merged"] == true || pull["merged_at"].is_string();
    Some(Pull {
        number: pull["number"].as_i64()?,
        url: pull["html_url"].as_str()?.to_owned(),
        title: text(&pull["title"]),
        body: text(&pull["body"]),
        state: match (merged, pull["state"].as_str()) {
            (true, _) => PullState::Merged,
            (false, Some("closed")) => PullState::Closed,
            (false, _) => PullState::Open,
        },
        draft: pull["draft"] == true,
        head: end(&pull["head"], base_repo),
        base: end(&pull["base"], base_repo),
        author: account(&pull["user"]),
        mergeable: mergeable(pull),
        updated_at: text(&pull["updated_at"]),
    })
}

fn end(end: &Value, base_repo: Option<&str>) -> Ref {
    let repo = match end["repo"]["full_name"].as_str() {
        Some(name) => (Some(name) != base_repo).then(|| name.to_owned()),
        // A fork that was deleted. Where the base has no repository either, the response is a short form.
        None => base_repo.map(|_| "a deleted fork".to_owned()),
    };
    Ref { branch: text(&end["ref"]), sha: text(&end["sha"]), repo }
}

fn mergeable(pull: &Value) -> Mergeable {
    let Some(can) = pull["mergeable"].as_bool() else { return Mergeable::Unknown };
    match pull["mergeable_state"].as_str().unwrap_or_default() {
        "blocked" => Mergeable::No("a rule of the repository is not met, such as a review or a check".to_owned()),
        "draft" => Mergeable::No("it is a draft".to_owned()),
        "dirty" => Mergeable::Conflict,
        "behind" => Mergeable::Behind,
        _ if can => Mergeable::Yes,
        _ => Mergeable::Conflict,
    }
}

pub(crate) fn comment(comment: &Value) -> Option<Comment> {
    Some(Comment {
        id: comment["id"].as_i64()?.to_string(),
        author: account(&comment["user"]),
        body: text(&comment["body"]),
        created_at: text(&comment["created_at"]),
        updated_at: text(&comment["updated_at"]),
        url: text(&comment["html_url"]),
    })
}

/// An issue; none for a pull request, which GitHub lists among them.
pub(crate) fn issue(issue: &Value) -> Option<Issue> {
    if issue["pull_request"].is_object() {
        return None;
    }
    let labels = issue["labels"].as_array().into_iter().flatten();
    Some(Issue {
        number: issue["number"].as_i64()?,
        url: text(&issue["html_url"]),
        title: text(&issue["title"]),
        body: text(&issue["body"]),
        author: account(&issue["user"]),
        labels: labels.map(|label| text(&label["name"])).collect(),
        open: issue["state"] == "open",
        updated_at: text(&issue["updated_at"]),
    })
}

/// A permission by its name.
pub(crate) fn permission(name: Option<&str>) -> Permission {
    match name {
        Some("owner" | "admin") => Permission::Admin,
        Some("write") => Permission::Write,
        Some("read") => Permission::Read,
        _ => Permission::None,
    }
}

/// What a token may do, from the permissions in a repository's description.
pub(crate) fn granted(permissions: &Value) -> Permission {
    let may = |name: &str| permissions[name] == true;
    if may("admin") {
        Permission::Admin
    } else if may("push") {
        Permission::Write
    } else if may("pull") {
        Permission::Read
    } else {
        Permission::None
    }
}

/// A review. Gitea has a word of its own for changes that are asked for, and a field for what no longer counts.
pub(crate) fn review(review: &Value) -> Option<Review> {
    let state = match review["state"].as_str().unwrap_or_default() {
        _ if review["dismissed"] == true => ReviewState::Dismissed,
        "APPROVED" => ReviewState::Approved,
        "CHANGES_REQUESTED" | "REQUEST_CHANGES" => ReviewState::ChangesRequested,
        "DISMISSED" => ReviewState::Dismissed,
        "PENDING" => ReviewState::Pending,
        _ => ReviewState::Commented,
    };
    Some(Review {
        id: review["id"].as_i64()?.to_string(),
        author: account(&review["user"]),
        state,
        body: text(&review["body"]),
        commit: some_text(&review["commit_id"]),
        submitted_at: text(&review["submitted_at"]),
    })
}
