//! Gitea's and Forgejo's dialect, as a real Gitea and Forgejo's schema have it.

use crate::forge;
use crate::stub::{Stub, json, text};
use serde_json::{Value, json as v};
use terarchitect_forge::{
    CheckState, Conditional, Conflict, EditPull, Forge, ForgeError, HookEvent, Kind, Mergeable, Method, NewPull,
    NewStatus, Permission, Reaction, Remark, ReviewState, Side,
};

const R: &str = "/api/v1/repos/o/r";
const LATER: &str = r#"{"message":"Please try again later","url":"u"}"#;

async fn gitea() -> (Stub, Box<dyn Forge>) {
    let stub = Stub::start().await;
    let forge = forge(&stub, Kind::Gitea, "/api/v1", "o");
    stub.on("GET /api/v1/user", [json(200, v!({"id": 5, "login": "bot"}))]);
    (stub, forge)
}

fn pull(number: i64, branch: &str) -> Value {
    v!({
        "number": number, "html_url": "u", "title": "WIP: T", "body": "", "state": "open", "merged": false, "mergeable": true,
        "updated_at": format!("2026-11-29T06:00:{number:02}+01:00"), "user": {"id": 5, "login": "bot"},
        "head": {"ref": branch, "sha": "h1", "repo": {"full_name": "o/r"}},
        "base": {"ref": "main", "sha": "m0", "repo": {"full_name": "o/r"}}, "merge_commit_sha": null,
    })
}

fn ready() -> Value {
    let mut ready = pull(7, "b");
    ready["title"] = v!("T");
    ready
}

#[tokio::test]
async fn a_draft_is_a_word_in_the_title() {
    let (stub, forge) = gitea().await;
    let post = format!("POST {R}/pulls");
    stub.on(&post, [json(201, pull(7, "b"))]).on(&format!("GET {R}/pulls/7"), [json(200, pull(7, "b"))]);
    stub.on(&format!("PATCH {R}/pulls/7"), [json(201, pull(7, "b"))]);
    let new = NewPull { head: "b".into(), base: "main".into(), title: "T".into(), body: "B".into(), draft: true };
    assert_eq!(forge.open_pull(&new).await.unwrap().number, 7);
    assert_eq!(stub.body(&post), v!({"head": "b", "base": "main", "title": "WIP: T", "body": "B"}));
    let read = forge.pull(7).await.unwrap();
    assert_eq!((read.title.as_str(), read.draft), ("T", true));
    assert_eq!(read.mergeable, Mergeable::No("it is a draft".into()));
    forge.edit_pull(7, &EditPull { title: Some("New".into()), ..EditPull::default() }).await.unwrap();
    forge.set_ready(7).await.unwrap();
    let titles: Vec<Value> =
        stub.seen(&format!("PATCH {R}/pulls/7")).iter().map(|seen| seen.body["title"].clone()).collect();
    assert_eq!(titles, ["WIP: New", "T"]);
}

#[tokio::test]
async fn an_open_pull_request_is_found_although_filters_are_ignored() {
    let (stub, forge) = gitea().await;
    stub.on(&format!("POST {R}/pulls"), [json(409, v!({"message": "pull request already exists for these targets"}))]);
    let mut fork = pull(2, "b");
    fork["head"]["repo"] = v!({"full_name": "stranger/r"});
    let next = "<http://ignored/?state=open&page=2>; rel=\"next\"";
    stub.on(
        &format!("GET {R}/pulls"),
        [json(200, v!([pull(1, "a"), fork])).header("link", next), json(200, v!([pull(3, "b")]))],
    );
    let new = NewPull { head: "b".into(), base: "main".into(), ..NewPull::default() };
    let open = forge.open_pull(&new).await.unwrap();
    assert_eq!((open.number, open.reused), (3, true));
}

#[tokio::test]
async fn a_branch_that_is_not_known_yet_is_waited_for_and_a_hidden_repository_is_not() {
    let (stub, forge) = gitea().await;
    let missing = json(404, v!({"message": "The target couldn't be found.", "errors": []}));
    let post = format!("POST {R}/pulls");
    stub.on(&post, [missing.clone(), json(201, pull(7, "b"))]);
    stub.on(&format!("GET {R}"), [json(200, v!({"full_name": "o/r"}))]);
    let new = NewPull { head: "b".into(), base: "main".into(), ..NewPull::default() };
    assert_eq!(forge.open_pull(&new).await.unwrap().number, 7);
    stub.on(&post, [missing.clone()]);
    let error = forge.open_pull(&new).await.unwrap_err();
    assert!(matches!(error, ForgeError::Refused { .. }), "{error}");
    stub.on(&format!("GET {R}"), [json(404, v!({"message": "Not Found"}))]);
    let tries = stub.seen(&post).len();
    assert!(matches!(forge.open_pull(&new).await.unwrap_err(), ForgeError::Denied { .. }));
    assert_eq!(stub.seen(&post).len(), tries + 1);
}

#[tokio::test]
async fn what_changed_is_compared_across_offsets() {
    let (stub, forge) = gitea().await;
    let list = format!("GET {R}/pulls");
    stub.on(&list, [json(200, v!([pull(9, "a"), pull(3, "b")]))]);
    let Conditional::Changed(changes) = forge.changed_pulls(Some("2026-11-29T05:00:05Z"), None).await.unwrap() else {
        panic!("there is no entity tag")
    };
    assert_eq!(changes.value.iter().map(|pull| pull.number).collect::<Vec<_>>(), [9]);
    assert_eq!(changes.etag, None);
    assert!(stub.seen(&list)[0].query.starts_with("state=all&sort=recentupdate&limit=50"));
}

fn at_line(id: i64, position: i64, original: i64, review: i64) -> Value {
    v!({
        "id": id, "body": format!("c{id}"), "path": "a.rs", "position": position, "original_position": original,
        "diff_hunk": "@@", "resolver": null, "pull_request_review_id": review, "user": {"id": 6, "login": "ann"},
    })
}

/// Reviews 4 and 5, with comments at two lines; another review is still being written.
fn with_threads(stub: &Stub) {
    let reviews = v!([
        {"id": 4, "state": "REQUEST_CHANGES", "comments_count": 2, "user": {"id": 6, "login": "ann"}, "commit_id": "h1"},
        {"id": 5, "state": "COMMENT", "comments_count": 1, "user": {"id": 5, "login": "bot"}},
        {"id": 6, "state": "PENDING", "comments_count": 1},
        {"id": 7, "state": "REQUEST_REVIEW", "comments_count": 0},
        {"id": 8, "state": "APPROVED", "comments_count": 0, "dismissed": true, "user": {"id": 6, "login": "ann"}},
    ]);
    stub.on(&format!("GET {R}/pulls/7/reviews"), [json(200, reviews)]);
    let first = v!([at_line(20, 3, 0, 4), at_line(21, 0, 8, 4)]);
    let mut reply = at_line(22, 3, 0, 5);
    reply["resolver"] = v!({"id": 6, "login": "ann"});
    stub.on(&format!("GET {R}/pulls/7/reviews/4/comments"), [json(200, first)]);
    stub.on(&format!("GET {R}/pulls/7/reviews/5/comments"), [json(200, v!([reply]))]);
}

#[tokio::test]
async fn comments_of_reviews_at_one_line_are_one_thread() {
    let (stub, forge) = gitea().await;
    with_threads(&stub);
    let threads = forge.threads(7).await.unwrap();
    let shown: Vec<_> = threads
        .iter()
        .map(|thread| (thread.id.as_str(), thread.comments.len(), thread.line, thread.side, thread.resolved))
        .collect();
    assert_eq!(shown, [("20", 2, Some(3), Side::New, Some(true)), ("21", 1, Some(8), Side::Old, Some(false))]);
    assert_eq!(threads[0].review.as_deref(), Some("4"));
    assert!(stub.seen(&format!("GET {R}/pulls/7/reviews/6/comments")).is_empty());
    let states: Vec<ReviewState> = forge.reviews(7).await.unwrap().iter().map(|review| review.state).collect();
    use ReviewState::{ChangesRequested, Commented, Dismissed, Pending};
    assert_eq!(states, [ChangesRequested, Commented, Pending, Dismissed]);
}

#[tokio::test]
async fn each_version_gets_a_reply_in_its_own_way() {
    let (new, forgejo, old) = (
        format!("POST {R}/pulls/7/comments/21/replies"),
        format!("POST {R}/pulls/7/reviews/4/comments"),
        format!("POST {R}/pulls/7/reviews"),
    );
    for version in 0..3 {
        let (stub, forge) = gitea().await;
        with_threads(&stub);
        let thread = forge.threads(7).await.unwrap().remove(1);
        match version {
            0 => stub.on(&new, [json(201, at_line(30, 0, 8, 4))]),
            1 => stub.on(&forgejo, [json(200, at_line(30, 0, 8, 4))]),
            _ => stub
                .on(&new, [text(405, "Method Not Allowed")])
                .on(&old, [json(200, v!({"id": 9}))])
                .on(&format!("GET {R}/pulls/7/reviews/9/comments"), [json(200, v!([at_line(30, 0, 8, 9)]))]),
        };
        assert_eq!(forge.reply(7, &thread, "Done.").await.unwrap().id, "30");
        let comment = v!({"path": "a.rs", "new_position": 0, "old_position": 8, "body": "Done."});
        match version {
            0 => assert_eq!(stub.body(&new), v!({"body": "Done."})),
            1 => assert_eq!(stub.body(&forgejo), comment),
            _ => assert_eq!(stub.body(&old), v!({"event": "COMMENT", "comments": [comment]})),
        }
    }
}

#[tokio::test]
async fn an_approval_uses_the_word_that_others_see() {
    let (stub, forge) = gitea().await;
    let path = format!("{R}/pulls/7/reviews");
    stub.on(&format!("GET {path}"), [text(200, "null")]).on(&format!("POST {path}"), [json(200, v!({"id": 1}))]);
    forge.approve(7, "Good.", "h1").await.unwrap();
    assert_eq!(stub.body(&format!("POST {path}")), v!({"event": "APPROVED", "commit_id": "h1", "body": "Good."}));
    stub.on(&format!("POST {R}/issues/comments/3/reactions"), [json(201, v!({}))]);
    forge.react(7, &Remark::Line("3".into()), Reaction::Eyes).await.unwrap();
}

#[tokio::test]
async fn a_merge_that_is_being_checked_is_waited_for() {
    let (stub, forge) = gitea().await;
    let merge = format!("POST {R}/pulls/7/merge");
    let mut merged = ready();
    merged["merge_commit_sha"] = v!("m1");
    stub.on(&merge, [text(405, LATER), text(405, LATER), text(200, "")]);
    stub.on(
        &format!("GET {R}/pulls/7"),
        [ready(), ready(), ready(), ready(), ready(), merged].map(|pull| json(200, pull)),
    );
    assert_eq!(forge.merge(7, Method::Rebase, "h1").await.unwrap().sha.as_deref(), Some("m1"));
    let seen = stub.seen(&merge);
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[0].body, v!({"Do": "rebase", "head_commit_id": "h1"}));
}

#[tokio::test]
async fn a_merge_says_why_it_is_refused() {
    let two = r#"{"Style":"merge","StdOut":"CONFLICT (content): Merge conflict in a.rs\n","StdErr":"","Err":{}}{"message":"","url":"u"}"#;
    let one = r#"{"Style":"merge","StdOut":"","StdErr":"","Err":{}}"#;
    for (status, body, why, words) in [
        (405, LATER, Conflict::NotMergeable, "try again later"),
        (
            405,
            r#"{"message":"not allowed to merge [reason: Does not have enough approvals]"}"#,
            Conflict::NotMergeable,
            "enough approvals",
        ),
        (409, r#"{"message":"head out of date"}"#, Conflict::HeadMoved, "out of date"),
        (409, two, Conflict::NotMergeable, "Merge conflict in a.rs"),
        (409, one, Conflict::NotMergeable, "it conflicts with its base"),
    ] {
        let (stub, forge) = gitea().await;
        stub.on(&format!("GET {R}/pulls/7"), [json(200, ready())])
            .on(&format!("POST {R}/pulls/7/merge"), [text(status, body)]);
        let error = forge.merge(7, Method::Merge, "h1").await.unwrap_err();
        let ForgeError::Conflict { why: found, .. } = &error else { panic!("{error}") };
        assert_eq!(*found, why, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn what_is_merged_already_is_merged_whatever_the_status() {
    for status in [404, 405, 500] {
        let (stub, forge) = gitea().await;
        let mut merged = ready();
        merged["merged"] = v!(true);
        merged["merge_commit_sha"] = v!("m1");
        stub.on(&format!("GET {R}/pulls/7"), [json(200, ready()), json(200, merged)]);
        stub.on(&format!("POST {R}/pulls/7/merge"), [text(status, "")]);
        assert_eq!(forge.merge(7, Method::Merge, "h1").await.unwrap().sha.as_deref(), Some("m1"), "{status}");
    }
}

#[tokio::test]
async fn a_branch_is_updated_from_the_head_that_was_seen() {
    let (stub, forge) = gitea().await;
    let update = format!("POST {R}/pulls/7/update");
    stub.on(&format!("GET {R}/pulls/7"), [json(200, ready())]);
    stub.on(
        &update,
        [
            text(200, ""),
            text(500, r#"{"message":"HEAD of PR 7 is up to date"}"#),
            text(409, r#"{"message":"merge failed because of conflict"}"#),
            text(500, r#"{"message":"","url":"u"}"#),
        ],
    );
    forge.update_branch(7, Method::Rebase, "h1").await.unwrap();
    assert_eq!(stub.seen(&update)[0].query, "style=rebase");
    forge.update_branch(7, Method::Merge, "h1").await.unwrap();
    let error = forge.update_branch(7, Method::Merge, "h1").await.unwrap_err();
    assert!(matches!(error, ForgeError::Conflict { why: Conflict::NotMergeable, .. }), "{error}");
    assert!(forge.update_branch(7, Method::Merge, "h1").await.unwrap_err().is_infrastructure());
    let error = forge.update_branch(7, Method::Merge, "h0").await.unwrap_err();
    assert!(matches!(error, ForgeError::Conflict { why: Conflict::HeadMoved, .. }), "{error}");
    assert_eq!(stub.seen(&update).len(), 4);
}

#[tokio::test]
async fn a_branch_that_is_gone_is_deleted() {
    let (stub, forge) = gitea().await;
    let path = format!("{R}/branches/tickets/b");
    stub.on(
        &format!("DELETE {path}"),
        [
            text(204, ""),
            text(500, "{}"),
            json(404, v!({"message": "branch not found"})),
            json(403, v!({"message": "branch is protected"})),
        ],
    );
    stub.on(&format!("GET {path}"), [json(404, v!({}))]).on(&format!("GET {R}"), [json(200, v!({"full_name": "o/r"}))]);
    for _ in 0..3 {
        forge.delete_branch("tickets/b").await.unwrap();
    }
    let error = forge.delete_branch("tickets/b").await.unwrap_err();
    assert!(matches!(error, ForgeError::Denied { .. }), "{error}");
}

#[tokio::test]
async fn checks_are_statuses_with_a_field_of_another_name() {
    let (stub, forge) = gitea().await;
    let statuses = v!({"state": "warning", "statuses": [
        {"context": "ci", "status": "failure", "description": "2 failed"}, {"context": "terarchitect", "status": "success"},
        {"context": "style", "status": "warning"},
    ]});
    stub.on(
        &format!("GET {R}/commits/h1/status"),
        [json(200, statuses), json(200, v!({"state": "", "statuses": null}))],
    );
    let checks = forge.checks("h1").await.unwrap();
    let shown: Vec<_> = checks.iter().map(|check| (check.name.as_str(), check.state, check.ours)).collect();
    use CheckState::{Failure, Neutral, Success};
    assert_eq!(shown, [("ci", Failure, false), ("terarchitect", Success, true), ("style", Neutral, false)]);
    assert_eq!(forge.check_log_tail(&checks[0], 100).await.unwrap(), None);
    assert!(forge.checks("h1").await.unwrap().is_empty());
    stub.on(&format!("POST {R}/statuses/h1"), [json(201, v!({}))]);
    let status = NewStatus { context: "terarchitect".into(), state: Neutral, description: "d".into(), url: None };
    forge.set_status("h1", &status).await.unwrap();
    assert_eq!(
        stub.body(&format!("POST {R}/statuses/h1")),
        v!({"context": "terarchitect", "state": "success", "description": "d"})
    );
}

#[tokio::test]
async fn permissions_webhooks_and_issues() {
    let (stub, forge) = gitea().await;
    stub.on(&format!("GET {R}/collaborators/ann/permission"), [json(200, v!({"permission": "owner"}))]);
    stub.on(
        &format!("GET {R}"),
        [json(200, v!({"full_name": "o/r", "empty": true, "default_branch": "main", "permissions": {"admin": true}}))],
    );
    assert_eq!(forge.permission("ann").await.unwrap(), Permission::Admin);
    assert_eq!(forge.permission("nobody").await.unwrap(), Permission::None);
    // A token that does not administer the repository is told who may be assigned.
    for login in ["bob", "eve"] {
        let refused = json(403, v!({"message": "Only admins can query all permissions"}));
        stub.on(&format!("GET {R}/collaborators/{login}/permission"), [refused]);
    }
    let assignees = json(200, v!([{"id": 3, "login": "Bob"}]));
    stub.on(&format!("GET {R}/assignees"), [assignees]);
    assert_eq!(forge.permission("bob").await.unwrap(), Permission::Write);
    assert_eq!(forge.permission("eve").await.unwrap(), Permission::None);
    assert_eq!(forge.repository().await.unwrap().default_branch, "");

    let hook = v!({"id": 3, "active": true, "config": {"url": "https://me/hook"}, "events": ["pull_request", "pull_request_review_approved", "pull_request_review_rejected"]});
    stub.on(&format!("GET {R}/hooks"), [json(200, v!([])), json(200, v!([hook]))]);
    stub.on(&format!("POST {R}/hooks"), [json(201, hook.clone())]).on(&format!("PATCH {R}/hooks/3"), [json(200, hook)]);
    for _ in 0..2 {
        let hook =
            forge.create_hook("https://me/hook", &"s".into(), &[HookEvent::Pull, HookEvent::Review]).await.unwrap();
        assert_eq!(hook.events, [HookEvent::Pull, HookEvent::Review]);
    }
    let posted = stub.body(&format!("POST {R}/hooks"));
    assert_eq!((posted["type"].as_str(), posted["active"].as_bool()), (Some("gitea"), Some(true)));
    assert_eq!(posted["config"], v!({"url": "https://me/hook", "content_type": "json", "secret": "s"}));

    let issue = |number: i64, label: &str, at: &str| v!({"number": number, "html_url": "u", "title": "T", "state": "open", "labels": [{"name": label}], "updated_at": at});
    // A label that does not exist filters nothing.
    let all = v!([
        issue(1, "do", "2026-11-29T05:00:00Z"),
        issue(2, "other", "2026-11-29T05:00:00Z"),
        issue(3, "do", "2026-11-29T06:00:00Z")
    ]);
    stub.on(&format!("GET {R}/issues"), [json(200, all)]);
    let numbers: Vec<i64> = forge.issues("do").await.unwrap().iter().map(|issue| issue.number).collect();
    assert_eq!(numbers, [3, 1]);
}

#[tokio::test]
async fn a_list_that_is_no_list_is_said() {
    let (stub, forge) = gitea().await;
    stub.on(&format!("GET {R}/issues/7/comments"), [text(200, "<html>Sign in</html>")]);
    let error = forge.comments(7).await.unwrap_err();
    assert_eq!(error.to_string(), "127.0.0.1 did not accept the comment: its response is not what a forge sends");
}

#[tokio::test]
async fn commits_and_files_are_those_of_githubs_shape() {
    let (stub, forge) = gitea().await;
    let commit = v!({"sha": "h1", "html_url": "", "commit": {"message": "Say hello", "author": {"name": "Ann"}}});
    stub.on(&format!("GET {R}/pulls/7/commits"), [json(200, v!([commit]))]);
    stub.on(&format!("GET {R}/pulls/7/files"), [json(200, v!([{"filename": "tests/a.rs", "status": "added"}]))]);
    let commits = forge.commits(7).await.unwrap();
    assert_eq!((commits[0].sha.as_str(), commits[0].author.as_str(), commits[0].url.as_deref()), ("h1", "Ann", None));
    assert_eq!(forge.files(7).await.unwrap(), ["tests/a.rs"]);
}
