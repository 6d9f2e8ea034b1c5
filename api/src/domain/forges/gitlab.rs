//! What GitLab's deliveries say. The body says of which kind it is, whatever the header calls it.

use super::event::{CheckFacts, ForgeEvent, Heard, NewComment, PullFacts, PullRef, ReviewFacts};
use super::read::{body, branch, id, line, name, number, sha, time};
use super::{Account, CommentKind, PullState, ReviewState, github};
use serde_json::Value;

/// What a delivery says.
#[must_use]
pub fn read(_event: &str, said: &Value) -> Heard {
    let what = match said["object_kind"].as_str().unwrap_or_default() {
        "merge_request" => merge_request(said),
        "note" => note(said),
        "pipeline" => Some(ForgeEvent::Look(PullRef {
            number: number(&said["merge_request"]["iid"]),
            head_branch: None,
            head_sha: sha(&said["object_attributes"]["sha"]),
        })),
        "build" => build(said),
        "push" => pushed(said),
        "issue" | "work_item" => labelled(said),
        "deployment" => Some(ForgeEvent::Noted {
            name: name(&said["environment"]),
            state: name(&said["status"]),
            url: name(&said["deployable_url"]),
            sha: None,
        }),
        _ => Some(ForgeEvent::Nothing("Events of this kind mean nothing here.")),
    };
    let project = &said["project"];
    let repository =
        [&project["git_http_url"], &project["http_url"], &project["web_url"], &said["repository"]["git_http_url"]];
    Heard {
        repository: repository.into_iter().find_map(name),
        sender: account(&said["user"]),
        what: what.unwrap_or(ForgeEvent::Nothing("The delivery does not say what it is about.")),
    }
}

/// Tokens of projects and groups have accounts of their own, which only their names tell from people's.
fn account(user: &Value) -> Option<Account> {
    let login = name(&user["username"])?;
    let of_token = |start: &str| {
        let number = login.strip_prefix(start).and_then(|rest| rest.split_once("_bot"));
        number.is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    Some(Account { id: id(&user["id"]), is_bot: of_token("project_") || of_token("group_"), login })
}

fn pull(of: &Value) -> Option<PullFacts> {
    let (source, target) = (id(&of["source_project_id"]), id(&of["target_project_id"]));
    Some(PullFacts {
        number: number(&of["iid"])?,
        url: name(&of["url"]),
        state: match of["state"].as_str() {
            Some("merged") => PullState::Merged,
            Some("closed") => PullState::Closed,
            _ => PullState::Open,
        },
        draft: of["draft"].as_bool().or_else(|| of["work_in_progress"].as_bool()).unwrap_or_default(),
        head_branch: name(&of["source_branch"]),
        head_sha: sha(&of["last_commit"]["id"]),
        base: name(&of["target_branch"]),
        is_from_fork: source.is_none() || source != target,
        updated_at: time(&of["updated_at"]),
    })
}

fn merge_request(said: &Value) -> Option<ForgeEvent> {
    let facts = pull(&said["object_attributes"])?;
    let state = match said["object_attributes"]["action"].as_str() {
        Some("approved" | "approval") => Some(ReviewState::Approved),
        Some("unapproved" | "unapproval") => None,
        _ => return Some(ForgeEvent::PullChanged(facts)),
    };
    let (author, head_sha, at) = (account(&said["user"])?, facts.head_sha.clone(), facts.updated_at);
    Some(ForgeEvent::Reviewed(ReviewFacts { pull: facts.as_ref(), state, author, head_sha, at, comment: None }))
}

fn note(said: &Value) -> Option<ForgeEvent> {
    let note = &said["object_attributes"];
    if note["noteable_type"].as_str() != Some("MergeRequest") {
        return Some(ForgeEvent::Nothing("It is not about a merge request."));
    }
    if note["system"].as_bool() == Some(true) {
        return Some(ForgeEvent::Nothing("GitLab itself wrote it."));
    }
    if note["action"].as_str() == Some("update") {
        return Some(ForgeEvent::Nothing("What is edited afterwards is not followed."));
    }
    let position = &note["position"];
    let is_line = position.is_object();
    let comment = NewComment {
        forge_id: id(&note["id"])?,
        kind: if is_line { CommentKind::Line } else { CommentKind::General },
        thread_id: name(&note["discussion_id"]),
        review_id: None,
        review_state: None,
        head_sha: sha(&position["head_sha"]).or_else(|| sha(&said["merge_request"]["last_commit"]["id"])),
        author: account(&said["user"])?,
        body: body(&note["note"]),
        path: name(&position["new_path"]).or_else(|| name(&position["old_path"])),
        line: line(&position["new_line"]).or_else(|| line(&position["old_line"])),
        hunk: None,
        url: name(&note["url"]),
    };
    Some(ForgeEvent::CommentMade { pull: pull(&said["merge_request"])?.as_ref(), comment })
}

fn build(said: &Value) -> Option<ForgeEvent> {
    let (sha, word) = (sha(&said["sha"])?, said["build_status"].as_str()?);
    let may_fail = said["build_allow_failure"].as_bool() == Some(true) && word == "failed";
    Some(ForgeEvent::CheckChanged(CheckFacts {
        pull: PullRef { number: None, head_branch: name(&said["ref"]), head_sha: Some(sha.clone()) },
        sha,
        forge_id: id(&said["build_id"])?,
        name: name(&said["build_name"])?,
        state: github::state_of(if may_fail { "allowed" } else { word }),
        conclusion: word.to_owned(),
        summary: name(&said["build_failure_reason"]),
        url: None,
        author: Account { is_bot: true, ..account(&said["user"]).unwrap_or_default() },
    }))
}

fn pushed(said: &Value) -> Option<ForgeEvent> {
    let branch = branch(&said["ref"])?;
    let after = sha(&said["after"]).or_else(|| sha(&said["checkout_sha"]));
    Some(ForgeEvent::Pushed { branch, before: sha(&said["before"]), after })
}

/// The label that was added; GitLab says which labels there were before.
fn labelled(said: &Value) -> Option<ForgeEvent> {
    let titles = |labels: &Value| -> Vec<String> {
        labels.as_array().into_iter().flatten().filter_map(|label| name(&label["title"])).collect()
    };
    let changes = &said["changes"]["labels"];
    let (before, now) = (titles(&changes["previous"]), titles(&changes["current"]));
    let now =
        if now.is_empty() && said["object_attributes"]["action"] == "open" { titles(&said["labels"]) } else { now };
    let added = now.into_iter().find(|label| !before.contains(label));
    let Some(label) = added else { return Some(ForgeEvent::Nothing("No label was added.")) };
    Some(ForgeEvent::IssueLabelled { number: number(&said["object_attributes"]["iid"])?, label })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_note_on_a_line_has_its_place_and_its_thread() {
        let said = json!({
            "object_kind": "note", "user": {"id": 1, "username": "ann"},
            "project": {"git_http_url": "https://gitlab.com/g/s/p.git"},
            "object_attributes": {"id": 1244, "note": "why?", "noteable_type": "MergeRequest", "discussion_id": "6a9c",
                "system": false, "action": "create", "position": {"new_path": "a.rs", "new_line": 3, "old_line": null}},
            "merge_request": {"iid": 5, "state": "opened", "source_project_id": 1, "target_project_id": 1, "source_branch": "t"},
        });
        let heard = read("Note Hook", &said);
        assert_eq!(heard.repository.as_deref(), Some("https://gitlab.com/g/s/p.git"));
        let ForgeEvent::CommentMade { pull, comment } = heard.what else { panic!("{heard:?}") };
        assert_eq!((pull.number, pull.head_branch.as_deref()), (Some(5), Some("t")));
        assert_eq!(
            (comment.kind, comment.line, comment.thread_id.as_deref()),
            (CommentKind::Line, Some(3), Some("6a9c"))
        );
        for (key, value) in [("system", json!(true)), ("action", json!("update")), ("noteable_type", json!("Issue"))] {
            let mut other = said.clone();
            other["object_attributes"][key] = value;
            assert!(matches!(read("", &other).what, ForgeEvent::Nothing(_)), "{key}");
        }
    }

    #[test]
    fn accounts_of_tokens_are_bots() {
        for (login, is_bot) in [
            ("project_12_bot_4f", true),
            ("group_1_bot", true),
            ("project_x_bot", false),
            ("ann", false),
            ("project_12_bo", false),
        ] {
            assert_eq!(account(&json!({"id": 1, "username": login})).unwrap().is_bot, is_bot, "{login}");
        }
    }

    #[test]
    fn merge_requests_builds_pushes_and_labels_are_understood() {
        let head = "b".repeat(40);
        let request = |action: &str, state: &str| {
            json!({"object_kind": "merge_request", "user": {"id": 2, "username": "eve"},
                "object_attributes": {"iid": 5, "action": action, "state": state, "last_commit": {"id": head}}})
        };
        assert!(
            matches!(read("", &request("merge", "merged")).what, ForgeEvent::PullChanged(pull) if pull.state == PullState::Merged)
        );
        assert!(
            matches!(read("", &request("approved", "opened")).what, ForgeEvent::Reviewed(review) if review.state == Some(ReviewState::Approved))
        );
        let build = json!({"object_kind": "build", "sha": head, "build_id": 3, "build_name": "test", "build_status": "failed", "ref": "t"});
        assert!(matches!(read("", &build).what, ForgeEvent::CheckChanged(check) if check.name == "test"));
        let push = json!({"object_kind": "push", "ref": "refs/heads/t", "after": head, "before": "0".repeat(40)});
        assert!(matches!(read("", &push).what, ForgeEvent::Pushed { before: None, after: Some(_), .. }));
        let issue = json!({"object_kind": "issue", "object_attributes": {"iid": 4, "action": "update"},
            "changes": {"labels": {"previous": [{"title": "a"}], "current": [{"title": "a"}, {"title": "agent"}]}}});
        assert!(matches!(read("", &issue).what, ForgeEvent::IssueLabelled { number: 4, label } if label == "agent"));
        for said in [
            json!(null),
            json!({"object_kind": "note"}),
            json!({"object_kind": "merge_request"}),
            json!({"object_kind": "build"}),
        ] {
            assert!(matches!(read("", &said).what, ForgeEvent::Nothing(_)), "{said}");
        }
    }
}
