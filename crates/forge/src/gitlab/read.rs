//! GitLab's JSON, as far as it matters.

pub(super) use crate::github::read::{id, some_text, text};

use crate::drafts::{self, GITLAB};
use crate::types::{Account, Comment, Issue, Mergeable, Permission, Pull, PullState, Ref};
use serde_json::Value;

/// An account. Only its own page says that it is a program, elsewhere its name does.
pub(super) fn account(user: &Value) -> Account {
    let login = text(&user["username"]);
    Account { id: id(&user["id"]), bot: user["bot"] == true || is_bot(&login), login }
}

/// Whether the name is that of a project's or group's access token, or of a service account.
fn is_bot(login: &str) -> bool {
    let is_token = |kind: &str| {
        let rest = login.strip_prefix(kind).unwrap_or_default();
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let rest = &rest[digits..];
        digits > 0 && (rest == "_bot" || rest.starts_with("_bot_") || rest.starts_with("_bot"))
    };
    is_token("project_") || is_token("group_") || login.starts_with("service_account_")
}

pub(super) fn pull(json: &Value) -> Option<Pull> {
    let (is_draft, title) = {
        let (is_draft, title) = drafts::read(json["title"].as_str().unwrap_or_default(), GITLAB);
        (is_draft || json["draft"] == true, title.to_owned())
    };
    let (source, target) = (json["source_project_id"].as_i64(), json["target_project_id"].as_i64());
    let fork = if source == target { None } else { source };
    Some(Pull {
        number: json["iid"].as_i64()?,
        url: json["web_url"].as_str()?.to_owned(),
        title,
        body: text(&json["description"]),
        state: match json["state"].as_str() {
            Some("merged") => PullState::Merged,
            Some("closed") => PullState::Closed,
            // One that is locked is being merged.
            _ => PullState::Open,
        },
        draft: is_draft,
        head: Ref {
            branch: text(&json["source_branch"]),
            sha: text(&json["sha"]),
            repo: match (fork, target) {
                (Some(id), _) => Some(format!("project {id}")),
                (None, Some(_)) if source.is_none() => Some("a deleted fork".to_owned()),
                (None, _) => None,
            },
        },
        base: Ref { branch: text(&json["target_branch"]), sha: text(&json["diff_refs"]["start_sha"]), repo: None },
        author: account(&json["author"]),
        mergeable: mergeable(json),
        updated_at: text(&json["updated_at"]),
    })
}

/// Whether it can be merged; a state that is not known yet may change by itself.
fn mergeable(json: &Value) -> Mergeable {
    let no = |why: &str| Mergeable::No(why.to_owned());
    match json["detailed_merge_status"].as_str().unwrap_or_default() {
        "mergeable" => Mergeable::Yes,
        "conflict" | "broken_status" | "commits_status" => Mergeable::Conflict,
        "need_rebase" => Mergeable::Behind,
        "ci_must_pass" | "status_checks_must_pass" | "external_status_checks" => no("a check must pass first"),
        "not_approved" | "approvals_required" => no("it is not approved"),
        "requested_changes" => no("a reviewer asks for changes"),
        "discussions_not_resolved" => no("a thread is not resolved"),
        "draft_status" => no("it is a draft"),
        "not_open" => no("it is not open"),
        "" => match json["merge_status"].as_str() {
            Some("can_be_merged") => Mergeable::Yes,
            Some("cannot_be_merged") => Mergeable::Conflict,
            _ => Mergeable::Unknown,
        },
        "preparing" | "checking" | "unchecked" | "approvals_syncing" | "ci_still_running" => Mergeable::Unknown,
        "merge_request_blocked"
        | "jira_association_missing"
        | "locked_paths"
        | "locked_lfs_files"
        | "security_policy_violations"
        | "security_policy_pipeline_check"
        | "merge_time"
        | "title_regex"
        | "policies_denied" => no("a rule of the repository is not met, such as a review or a check"),
        _ => Mergeable::Unknown,
    }
}

/// A note. `page` is that of what it is on.
pub(super) fn comment(note: &Value, page: &str) -> Option<Comment> {
    let id = note["id"].as_i64()?.to_string();
    Some(Comment {
        author: account(&note["author"]),
        body: text(&note["body"]),
        created_at: text(&note["created_at"]),
        updated_at: text(&note["updated_at"]),
        url: format!("{page}#note_{id}"),
        id,
    })
}

pub(super) fn issue(issue: &Value) -> Option<Issue> {
    Some(Issue {
        number: issue["iid"].as_i64()?,
        url: text(&issue["web_url"]),
        title: text(&issue["title"]),
        body: text(&issue["description"]),
        author: account(&issue["author"]),
        labels: issue["labels"].as_array().into_iter().flatten().map(text).collect(),
        open: issue["state"] == "opened",
        updated_at: text(&issue["updated_at"]),
    })
}

/// An access level as a permission: guests and reporters read, developers push, maintainers and owners change settings.
pub(super) fn permission(level: &Value) -> Permission {
    match level.as_i64() {
        Some(40..) => Permission::Admin,
        Some(30..) => Permission::Write,
        Some(10..) => Permission::Read,
        _ => Permission::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn programs_are_known_by_their_names() {
        for login in ["project_7_bot", "project_7_bot_ab12", "group_12_bot1", "service_account_x"] {
            assert!(is_bot(login), "{login}");
        }
        for login in ["project_bot", "ann", "project_7_robot", "my_project_7_bot"] {
            assert!(!is_bot(login), "{login}");
        }
    }

    #[test]
    fn a_state_says_whether_it_can_be_merged() {
        let of = |status: &str| mergeable(&json!({"detailed_merge_status": status, "merge_status": "can_be_merged"}));
        assert_eq!(of("mergeable"), Mergeable::Yes);
        assert_eq!(of("discussions_not_resolved"), Mergeable::No("a thread is not resolved".into()));
        for waits in ["checking", "ci_still_running", "one that comes later"] {
            assert_eq!(of(waits), Mergeable::Unknown, "{waits}");
        }
        assert_eq!(mergeable(&json!({"merge_status": "cannot_be_merged"})), Mergeable::Conflict);
        assert_eq!(of("need_rebase").why_not(), Some("its branch must be updated first"));
    }
}
