//! What GitHub's deliveries say. Fields: GitHub's own schema of webhooks.

use super::event::{CheckFacts, CheckState, ForgeEvent, Heard, NewComment, PullRef, ReviewFacts};
use super::read::{account, body, branch, hunk, id, line, name, number, pull, repository, sha, time};
use super::{CommentKind, ReviewState};
use serde_json::Value;

const UNDESCRIBED: &str = "The delivery does not say what it is about.";
const OTHER_ACTION: &str = "This action means nothing here.";
const EDITED: &str = "What is edited afterwards is not followed.";
const NO_PULL: &str = "It is about an issue, not about a pull request.";

/// What a delivery says.
#[must_use]
pub fn read(event: &str, said: &Value) -> Heard {
    let action = said["action"].as_str().unwrap_or_default();
    let what = match event {
        "pull_request" => pull(&said["pull_request"]).map(ForgeEvent::PullChanged),
        "pull_request_review" => review(action, said),
        "pull_request_review_comment" => comment(action, said, CommentKind::Line),
        "issue_comment" if said["issue"]["pull_request"].is_object() => comment(action, said, CommentKind::General),
        "issue_comment" => Some(ForgeEvent::Nothing(NO_PULL)),
        "check_run" => check_run(action, said),
        "check_suite" => Some(look(&said["check_suite"])),
        "workflow_run" => Some(look(&said["workflow_run"])),
        "status" => status(said),
        "push" => branch(&said["ref"]).map_or(Some(ForgeEvent::Nothing("It is about no branch.")), |branch| {
            Some(ForgeEvent::Pushed { branch, before: sha(&said["before"]), after: sha(&said["after"]) })
        }),
        "issues" if action == "labeled" => labelled(said),
        "issues" => Some(ForgeEvent::Nothing(OTHER_ACTION)),
        "workflow_job" => Some(noted(&said["workflow_job"], &said["workflow_job"])),
        "deployment" => Some(noted(&said["deployment"], &said["deployment"])),
        "deployment_status" => Some(noted(&said["deployment_status"], &said["deployment"])),
        "ping" => Some(ForgeEvent::Nothing("It is the forge's test of the webhook.")),
        _ => Some(ForgeEvent::Nothing("Events of this kind mean nothing here.")),
    };
    Heard {
        repository: repository(said),
        sender: account(&said["sender"]),
        what: what.unwrap_or(ForgeEvent::Nothing(UNDESCRIBED)),
    }
}

fn review(action: &str, said: &Value) -> Option<ForgeEvent> {
    let (review, pull) = (&said["review"], pull(&said["pull_request"])?.as_ref());
    let state = match action {
        "submitted" => Some(review_state(review["state"].as_str()?)),
        "dismissed" => None,
        "edited" => return Some(ForgeEvent::Nothing(EDITED)),
        _ => return Some(ForgeEvent::Nothing(OTHER_ACTION)),
    };
    let (author, forge_id, head_sha) = (account(&review["user"])?, id(&review["id"])?, sha(&review["commit_id"]));
    let comment = state.is_some().then(|| NewComment {
        kind: CommentKind::Review,
        thread_id: None,
        review_id: Some(forge_id.clone()),
        review_state: state,
        head_sha: head_sha.clone(),
        author: author.clone(),
        body: body(&review["body"]),
        path: None,
        line: None,
        hunk: None,
        url: name(&review["html_url"]),
        forge_id,
    });
    Some(ForgeEvent::Reviewed(ReviewFacts {
        pull,
        state,
        author,
        head_sha,
        at: time(&review["submitted_at"]),
        comment,
    }))
}

/// Lower case in events, upper case over REST.
fn review_state(word: &str) -> ReviewState {
    match word.to_ascii_lowercase().as_str() {
        "approved" => ReviewState::Approved,
        "changes_requested" => ReviewState::ChangesRequested,
        _ => ReviewState::Commented,
    }
}

/// A comment on a line, or on the pull request; Gitea writes them in the same way.
pub(super) fn comment(action: &str, said: &Value, kind: CommentKind) -> Option<ForgeEvent> {
    let comment = &said["comment"];
    let pull = pull(&said["pull_request"]).map(|pull| pull.as_ref());
    let pull = pull.or_else(|| number(&said["issue"]["number"]).map(PullRef::numbered))?;
    let (forge_id, author) = (id(&comment["id"])?, account(&comment["user"])?);
    match action {
        "created" => {}
        "deleted" => return Some(ForgeEvent::CommentDeleted { pull, kind, forge_id, author }),
        "edited" => return Some(ForgeEvent::Nothing(EDITED)),
        _ => return Some(ForgeEvent::Nothing(OTHER_ACTION)),
    }
    let is_line = kind == CommentKind::Line;
    let thread_id = is_line.then(|| id(&comment["in_reply_to_id"]).unwrap_or_else(|| forge_id.clone()));
    let comment = NewComment {
        kind,
        thread_id,
        review_id: id(&comment["pull_request_review_id"]),
        review_state: None,
        head_sha: sha(&comment["commit_id"]),
        author,
        body: body(&comment["body"]),
        path: name(&comment["path"]),
        line: line(&comment["line"]).or_else(|| line(&comment["original_line"])),
        hunk: hunk(&comment["diff_hunk"]),
        url: name(&comment["html_url"]),
        forge_id,
    };
    Some(ForgeEvent::CommentMade { pull, comment })
}

fn check_run(action: &str, said: &Value) -> Option<ForgeEvent> {
    let run = &said["check_run"];
    if !matches!(action, "created" | "completed" | "rerequested") {
        return Some(ForgeEvent::Nothing(OTHER_ACTION));
    }
    let word = match run["status"].as_str() {
        Some("completed") => run["conclusion"].as_str()?,
        _ => "pending",
    };
    let (output, sha) = (&run["output"], sha(&run["head_sha"])?);
    let mut author = account(&run["app"]["owner"]).unwrap_or_default();
    author.is_bot = true;
    Some(ForgeEvent::CheckChanged(CheckFacts {
        pull: PullRef { head_sha: Some(sha.clone()), ..of_suite(run, &run["check_suite"]["head_branch"]) },
        sha,
        forge_id: id(&run["id"])?,
        name: name(&run["name"])?,
        state: state_of(word),
        conclusion: word.to_owned(),
        summary: summary(&[&output["title"], &output["summary"], &output["text"]]),
        url: name(&run["html_url"]).or_else(|| name(&run["details_url"])),
        author,
    }))
}

/// The first of the pull requests that a check names, or its branch. Forks have neither.
fn of_suite(check: &Value, head_branch: &Value) -> PullRef {
    let numbered = check["pull_requests"].as_array().and_then(|pulls| number(&pulls.first()?["number"]));
    PullRef { number: numbered, head_branch: name(head_branch), head_sha: None }
}

fn look(of: &Value) -> ForgeEvent {
    ForgeEvent::Look(PullRef { head_sha: sha(&of["head_sha"]), ..of_suite(of, &of["head_branch"]) })
}

/// A status of a commit; Gitea writes them in the same way.
pub(super) fn status(said: &Value) -> Option<ForgeEvent> {
    let (sha, word) = (sha(&said["sha"])?, said["state"].as_str()?);
    let branch = said["branches"].as_array().and_then(|branches| name(&branches.first()?["name"]));
    Some(ForgeEvent::CheckChanged(CheckFacts {
        pull: PullRef { number: None, head_branch: branch, head_sha: Some(sha.clone()) },
        sha,
        forge_id: format!("status-{}", id(&said["id"])?),
        name: name(&said["context"])?,
        state: state_of(word),
        conclusion: word.to_owned(),
        summary: summary(&[&said["description"]]),
        url: name(&said["target_url"]),
        author: account(&said["sender"]).unwrap_or_default(),
    }))
}

/// Conclusions of check runs and states of statuses; what is not known says neither.
pub(super) fn state_of(word: &str) -> CheckState {
    match word {
        "success" => CheckState::Success,
        "failure" | "error" | "timed_out" | "startup_failure" | "failed" => CheckState::Failure,
        "pending" | "queued" | "in_progress" | "running" | "created" | "waiting" => CheckState::Pending,
        _ => CheckState::Neutral,
    }
}

fn summary(texts: &[&Value]) -> Option<String> {
    let texts: Vec<String> = texts.iter().map(|text| body(text)).filter(|text| !text.trim().is_empty()).collect();
    (!texts.is_empty()).then(|| texts.join("\n\n"))
}

/// An issue that got a label; Gitea writes them in nearly the same way.
fn labelled(said: &Value) -> Option<ForgeEvent> {
    Some(ForgeEvent::IssueLabelled { number: number(&said["issue"]["number"])?, label: name(&said["label"]["name"])? })
}

fn noted(of: &Value, about: &Value) -> ForgeEvent {
    let state = [&of["conclusion"], &of["state"], &of["status"]].into_iter().find_map(name);
    ForgeEvent::Noted {
        name: [&of["name"], &of["environment"], &about["environment"], &about["task"]].into_iter().find_map(name),
        state,
        url: [&of["html_url"], &of["target_url"], &of["url"]].into_iter().find_map(name),
        sha: sha(&of["head_sha"]).or_else(|| sha(&about["sha"])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn head() -> String {
        "a".repeat(40)
    }

    /// The twelve kinds of the phase-4-5 document's section 6.1, each understood without most of its fields.
    #[test]
    fn all_twelve_kinds_are_understood_with_few_of_their_fields() {
        let user = json!({"login": "ann", "id": 7, "type": "User"});
        let pull = json!({"number": 3, "state": "open", "head": {"sha": head(), "ref": "t"}, "base": {"ref": "main"}});
        let cases = [
            (
                "issues",
                json!({"action": "labeled", "issue": {"number": 2}, "label": {"name": "agent"}}),
                "IssueLabelled",
            ),
            (
                "issue_comment",
                json!({"action": "created", "issue": {"number": 3, "pull_request": {}}, "comment": {"id": 1, "user": user}}),
                "CommentMade",
            ),
            ("pull_request", json!({"action": "synchronize", "pull_request": pull}), "PullChanged"),
            (
                "pull_request_review",
                json!({"action": "submitted", "review": {"id": 1, "state": "approved", "user": user}, "pull_request": pull}),
                "Reviewed",
            ),
            (
                "check_run",
                json!({"action": "completed", "check_run": {"id": 1, "name": "build", "status": "completed", "conclusion": "failure", "head_sha": head()}}),
                "CheckChanged",
            ),
            ("check_suite", json!({"action": "completed", "check_suite": {"head_sha": head()}}), "Look"),
            ("workflow_job", json!({"action": "completed", "workflow_job": {"name": "build"}}), "Noted"),
            ("workflow_run", json!({"action": "completed", "workflow_run": {"head_sha": head()}}), "Look"),
            ("push", json!({"ref": "refs/heads/main", "after": head()}), "Pushed"),
            ("status", json!({"id": 1, "sha": head(), "state": "failure", "context": "ci"}), "CheckChanged"),
            ("deployment", json!({"action": "created", "deployment": {"environment": "production"}}), "Noted"),
            (
                "deployment_status",
                json!({"deployment_status": {"state": "success"}, "deployment": {"environment": "production"}}),
                "Noted",
            ),
            ("star", json!({"action": "created"}), "Nothing"),
        ];
        for (event, said, expected) in cases {
            let what = format!("{:?}", read(event, &said).what);
            assert!(what.starts_with(expected), "{event}: {what}");
        }
    }

    #[test]
    fn what_lacks_everything_is_nothing_and_never_a_panic() {
        let kinds = [
            "issues",
            "issue_comment",
            "pull_request",
            "pull_request_review",
            "pull_request_review_comment",
            "check_run",
            "check_suite",
            "workflow_job",
            "workflow_run",
            "push",
            "status",
            "deployment",
            "deployment_status",
            "ping",
            "",
        ];
        for event in kinds {
            for said in [json!(null), json!([]), json!("x"), json!({"action": 1, "pull_request": [], "comment": "x"})] {
                let what = read(event, &said).what;
                let is_harmless =
                    matches!(what, ForgeEvent::Nothing(_) | ForgeEvent::Noted { .. } | ForgeEvent::Look(_));
                assert!(is_harmless, "{event}: {what:?}");
            }
        }
    }

    #[test]
    fn a_reply_belongs_to_the_thread_of_the_comment_that_it_replies_to() {
        let said = |more: Value| {
            let mut comment = json!({"id": 9, "user": {"login": "ann", "id": 7}, "body": "why?", "path": "a.rs",
                "line": null, "original_line": 4, "diff_hunk": "@@ -1 +1 @@", "pull_request_review_id": 5});
            comment.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let said = json!({"action": "created", "comment": comment, "pull_request": {"number": 3}});
            match read("pull_request_review_comment", &said).what {
                ForgeEvent::CommentMade { comment, .. } => comment,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(said(json!({})).thread_id.as_deref(), Some("9"));
        let reply = said(json!({"in_reply_to_id": 4}));
        assert_eq!(
            (reply.thread_id.as_deref(), reply.review_id.as_deref(), reply.line),
            (Some("4"), Some("5"), Some(4))
        );
    }

    #[test]
    fn a_check_of_this_system_is_known_by_its_name() {
        for (context, own) in [("terarchitect", true), ("Terarchitect/review", true), ("ci", false)] {
            let said = json!({"id": 1, "sha": head(), "state": "error", "context": context});
            match read("status", &said).what {
                ForgeEvent::CheckChanged(check) => {
                    assert_eq!((check.is_own(), check.state), (own, CheckState::Failure), "{context}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
