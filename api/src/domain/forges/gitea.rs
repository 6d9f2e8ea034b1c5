//! What deliveries of Gitea and Forgejo say. Where they differ from GitHub's: docs/forges.md. Seen on a real Gitea 1.16.

use super::event::{ForgeEvent, Heard};
use super::read::{account, name, number, pull, repository};
use super::{CommentKind, github};
use serde_json::Value;

/// What a delivery says.
#[must_use]
pub fn read(event: &str, said: &Value) -> Heard {
    let action = said["action"].as_str().unwrap_or_default();
    let is_review = action == "reviewed" || said["review"].is_object();
    let what = match event {
        // A review comes without its id, and without its comments on lines: both are read from the forge.
        _ if is_review => pull(&said["pull_request"]).map(|pull| ForgeEvent::Look(pull.as_ref())),
        "issue_comment" | "pull_request_comment" if is_about_pull(said) => {
            github::comment(action, said, CommentKind::General)
        }
        "pull_request"
        | "pull_request_sync"
        | "pull_request_assign"
        | "pull_request_label"
        | "pull_request_milestone"
        | "pull_request_review_request" => pull(&said["pull_request"]).map(ForgeEvent::PullChanged),
        "issues" | "issue_label" if action == "label_updated" => labelled(said),
        "issues" | "issue_label" | "issue_comment" | "push" | "status" => return github::read(event, said),
        _ => Some(ForgeEvent::Nothing("Events of this kind mean nothing here.")),
    };
    let nothing = ForgeEvent::Nothing("The delivery does not say what it is about.");
    Heard { repository: repository(said), sender: account(&said["sender"]), what: what.unwrap_or(nothing) }
}

fn is_about_pull(said: &Value) -> bool {
    said["is_pull"].as_bool() == Some(true)
        || said["issue"]["pull_request"].is_object()
        || said["pull_request"].is_object()
}

/// Gitea does not say which label was added, so the last of the issue's labels stands for it.
fn labelled(said: &Value) -> Option<ForgeEvent> {
    let labels = said["issue"]["labels"].as_array()?;
    Some(ForgeEvent::IssueLabelled { number: number(&said["issue"]["number"])?, label: name(&labels.last()?["name"])? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_review_without_an_id_is_a_reason_to_look() {
        let pull =
            json!({"number": 3, "state": "open", "head": {"ref": "t", "repo": {"id": 1}}, "base": {"repo": {"id": 1}}});
        for event in ["pull_request_approved", "pull_request_rejected", "pull_request_comment", "issue_comment"] {
            let said = json!({"action": "reviewed", "pull_request": pull, "review": {"type": event, "content": "no"}});
            match read(event, &said).what {
                ForgeEvent::Look(of) => assert_eq!((of.number, of.head_branch.as_deref()), (Some(3), Some("t"))),
                other => panic!("{event}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_comment_of_a_pull_request_is_told_from_one_of_an_issue() {
        let said = |is_pull: bool| {
            json!({"action": "created", "is_pull": is_pull, "issue": {"number": 3},
                "comment": {"id": 8, "body": "@bot fix", "user": {"id": 7, "login": "ann"}}})
        };
        assert!(matches!(read("issue_comment", &said(true)).what, ForgeEvent::CommentMade { .. }));
        assert!(matches!(read("issue_comment", &said(false)).what, ForgeEvent::Nothing(_)));
        let merged = json!({"action": "closed", "pull_request": {"number": 3, "state": "closed", "merged": true}});
        match read("pull_request", &merged).what {
            ForgeEvent::PullChanged(pull) => assert_eq!(pull.state, super::super::PullState::Merged),
            other => panic!("{other:?}"),
        }
    }
}
