//! GitLab's dialect.

use crate::forge;
use crate::stub::{Answer, Stub, json, text};
use serde_json::{Value, json as v};
use terarchitect_forge::{
    CheckState, Conditional, Conflict, EditPull, Forge, ForgeError, HookEvent, Kind, Mergeable, Method, NewPull,
    NewStatus, Permission, Reaction, Remark, ReviewState, Side,
};

const P: &str = "/api/v4/projects/g%2Fsub%2Fr";

async fn gitlab() -> (Stub, Box<dyn Forge>) {
    let stub = Stub::start().await;
    let forge = forge(&stub, Kind::GitLab, "/api/v4", "g/sub");
    stub.on("GET /api/v4/user", [json(200, v!({"id": 5, "username": "project_3_bot_ab", "bot": true}))]);
    (stub, forge)
}

fn pull(iid: i64) -> Value {
    v!({
        "iid": iid, "web_url": "u", "title": "Draft: T", "description": null, "state": "opened", "draft": true,
        "source_branch": "b", "target_branch": "main", "sha": "h1", "source_project_id": 3, "target_project_id": 3,
        "author": {"id": 6, "username": "ann"}, "detailed_merge_status": "draft_status", "updated_at": "2026-11-29T05:00:00.123Z",
        "diff_refs": {"start_sha": "m0"},
    })
}

fn ready(status: &str) -> Answer {
    let mut ready = pull(7);
    ready["title"] = v!("T");
    ready["draft"] = v!(false);
    ready["detailed_merge_status"] = v!(status);
    json(200, ready)
}

#[tokio::test]
async fn a_merge_request_is_read_opened_edited_and_made_ready() {
    let (stub, forge) = gitlab().await;
    let (at, list) = (format!("{P}/merge_requests/7"), format!("{P}/merge_requests"));
    stub.on(&format!("GET {at}"), [json(200, pull(7))]).on(&format!("PUT {at}"), [json(200, pull(7))]);
    stub.on(
        &format!("POST {list}"),
        [
            json(201, pull(7)),
            json(409, v!({"message": ["Another open merge request already exists for this source branch: !7"]})),
        ],
    );
    let mut fork = pull(6);
    fork["source_project_id"] = v!(9);
    stub.on(&format!("GET {list}"), [json(200, v!([fork, pull(7)]))]);
    let new =
        NewPull { head: "b".into(), base: "main".into(), title: "T".into(), body: "Do:\n/merge".into(), draft: true };
    assert!(!forge.open_pull(&new).await.unwrap().reused);
    let posted = stub.body(&format!("POST {list}"));
    assert_eq!(
        posted,
        v!({"source_branch": "b", "target_branch": "main", "title": "Draft: T", "description": "Do:\n\\/merge"})
    );
    let again = forge.open_pull(&new).await.unwrap();
    assert_eq!((again.number, again.reused), (7, true));

    let read = forge.pull(7).await.unwrap();
    assert_eq!(
        (read.title.as_str(), read.draft, read.head.sha.as_str(), read.base.sha.as_str()),
        ("T", true, "h1", "m0")
    );
    assert_eq!((read.head.repo, read.mergeable), (None, Mergeable::No("it is a draft".into())));
    forge
        .edit_pull(7, &EditPull { title: Some("New".into()), open: Some(false), ..EditPull::default() })
        .await
        .unwrap();
    forge.set_ready(7).await.unwrap();
    let bodies: Vec<Value> = stub.seen(&format!("PUT {at}")).iter().map(|seen| seen.body.clone()).collect();
    assert_eq!(bodies, [v!({"title": "Draft: New", "state_event": "close"}), v!({"title": "T"})]);
}

#[tokio::test]
async fn refusals_are_texts_lists_and_maps() {
    let (stub, forge) = gitlab().await;
    let new = NewPull { head: "b".into(), base: "main".into(), ..NewPull::default() };
    for (status, body, words) in [
        (
            400,
            v!({"message": {"title": ["can't be blank"], "base": ["is wrong"]}}),
            "did not accept the pull request: base: is wrong; title: can't be blank",
        ),
        (400, v!({"error": "title is missing"}), "did not accept the pull request: title is missing"),
        (401, v!({"message": "401 Unauthorized"}), "denied access (401 Unauthorized)"),
        (404, v!({"message": "404 Project Not Found"}), "denied access (404 Project Not Found)"),
    ] {
        stub.on(&format!("POST {P}/merge_requests"), [json(status, body)]);
        let error = forge.open_pull(&new).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    // The branch was pushed a moment ago.
    let unknown = json(422, v!({"message": ["Source branch \"b\" does not exist"]}));
    stub.on(&format!("POST {P}/merge_requests"), [unknown, json(201, pull(7))]);
    assert_eq!(forge.open_pull(&new).await.unwrap().number, 7);
}

#[tokio::test]
async fn what_changed_is_asked_for_with_the_instant() {
    let (stub, forge) = gitlab().await;
    let list = format!("GET {P}/merge_requests");
    stub.on(&list, [json(200, v!([pull(7)])).header("etag", "W/\"e1\""), text(304, "")]);
    let since = Some("2026-11-29T05:00:00Z");
    let Conditional::Changed(changes) = forge.changed_pulls(since, None).await.unwrap() else {
        panic!("it has changed")
    };
    assert_eq!((changes.value.len(), changes.etag.as_deref()), (1, Some("W/\"e1\"")));
    assert_eq!(forge.changed_pulls(since, changes.etag.as_deref()).await.unwrap(), Conditional::NotModified);
    assert!(stub.seen(&list)[0].query.contains("updated_after=2026-11-29T05%3A00%3A00Z"));
}

#[tokio::test]
async fn notes_of_gitlab_itself_and_at_lines_are_no_comments_and_a_command_is_text() {
    let (stub, forge) = gitlab().await;
    let note = |id: i64, system: bool, kind: Value| v!({"id": id, "body": "b", "system": system, "type": kind, "author": {"id": 6, "username": "ann"}});
    let path = format!("{P}/merge_requests/7/notes");
    let notes = v!([
        note(1, false, Value::Null),
        note(2, true, Value::Null),
        note(3, false, v!("DiffNote")),
        note(4, false, v!("DiscussionNote"))
    ]);
    stub.on(&format!("GET {path}"), [json(200, notes)])
        .on(&format!("POST {path}"), [json(201, note(5, false, Value::Null))]);
    let comments = forge.comments(7).await.unwrap();
    assert_eq!(comments.iter().map(|comment| comment.id.as_str()).collect::<Vec<_>>(), ["1", "4"]);
    assert_eq!(comments[0].url, format!("{}/g/sub/r/-/merge_requests/7#note_1", stub.address));
    forge.comment(7, "/merge").await.unwrap();
    assert_eq!(stub.body(&format!("POST {path}"))["body"], "\\/merge");
}

fn discussion(id: &str, position: Value, resolved: bool) -> Value {
    v!({"id": id, "individual_note": false, "notes": [
        {"id": 20, "type": "DiffNote", "body": "why?", "resolvable": true, "resolved": resolved, "position": position, "author": {"id": 6, "username": "ann"}},
        {"id": 21, "type": "DiffNote", "body": "changed", "system": true, "author": {"id": 6, "username": "ann"}},
    ]})
}

#[tokio::test]
async fn discussions_at_lines_are_threads_with_the_hunk_of_the_diff() {
    let (stub, forge) = gitlab().await;
    let at = format!("{P}/merge_requests/7");
    let here = v!({"new_path": "a.rs", "old_path": "a.rs", "new_line": 2, "old_line": null, "head_sha": "h1"});
    let removed = v!({"new_path": "a.rs", "old_path": "a.rs", "new_line": null, "old_line": 2, "head_sha": "h0"});
    let plain = v!({"id": "d3", "individual_note": true, "notes": [{"id": 30, "type": null, "body": "hello"}]});
    stub.on(
        &format!("GET {at}/discussions"),
        [json(200, v!([discussion("d1", here, true), discussion("d2", removed, false), plain]))],
    );
    stub.on(&format!("GET {at}"), [json(200, pull(7))]);
    let diff = v!([{"old_path": "a.rs", "new_path": "a.rs", "diff": "@@ -1,2 +1,2 @@\n a\n-b\n+B\n"}]);
    stub.on(&format!("GET {at}/diffs"), [json(200, diff), json(404, v!({"error": "404 Not Found"}))]);
    let threads = forge.threads(7).await.unwrap();
    let shown: Vec<_> = threads
        .iter()
        .map(|thread| (thread.id.as_str(), thread.line, thread.side, thread.resolved, thread.comments.len()))
        .collect();
    assert_eq!(shown, [("d1", Some(2), Side::New, Some(true), 1), ("d2", Some(2), Side::Old, Some(false), 1)]);
    assert_eq!(threads[0].hunk.as_deref(), Some("@@ -1,2 +1,2 @@\n a\n-b\n+B"));
    assert_eq!(threads[1].hunk, None, "its line is that of another head");
    assert_eq!(forge.threads(7).await.unwrap()[0].hunk, None);

    stub.on(&format!("POST {at}/discussions/d1/notes"), [json(201, v!({"id": 40, "body": "Done."}))]);
    assert_eq!(forge.reply(7, &threads[0], "Done.").await.unwrap().id, "40");
}

#[tokio::test]
async fn reviewers_and_approvals_are_reviews() {
    let (stub, forge) = gitlab().await;
    let at = format!("{P}/merge_requests/7");
    let by = |id: i64| v!({"id": id, "username": format!("u{id}")});
    stub.on(
        &format!("GET {at}/approvals"),
        [json(200, v!({"approved_by": [{"user": by(8), "approved_at": "2026-11-29T05:00:00Z"}]}))],
    );
    let reviewers = v!([{"user": by(8), "state": "approved"}, {"user": by(9), "state": "requested_changes"}, {"user": by(10), "state": "unreviewed"}]);
    stub.on(&format!("GET {at}/reviewers"), [json(200, reviewers)]);
    let reviews = forge.reviews(7).await.unwrap();
    let shown: Vec<_> = reviews.iter().map(|review| (review.id.as_str(), review.state)).collect();
    assert_eq!(shown, [("approved-8", ReviewState::Approved), ("requested_changes-9", ReviewState::ChangesRequested)]);

    stub.on(&format!("GET {at}"), [json(200, pull(7))]);
    stub.on(
        &format!("POST {at}/approve"),
        [
            json(201, v!({})),
            json(409, v!({"message": "SHA does not match HEAD"})),
            json(401, v!({"message": "401 Unauthorized"})),
        ],
    );
    stub.on(&format!("POST {at}/notes"), [json(201, v!({"id": 1, "body": "Good."}))]);
    forge.approve(7, "Good.", "h1").await.unwrap();
    assert_eq!(stub.body(&format!("POST {at}/approve")), v!({"sha": "h1"}));
    assert_eq!(stub.body(&format!("POST {at}/notes"))["body"], "Good.");
    let error = forge.approve(7, "", "h1").await.unwrap_err();
    assert!(matches!(error, ForgeError::Conflict { why: Conflict::HeadMoved, .. }), "{error}");
    assert!(matches!(forge.approve(7, "", "h1").await.unwrap_err(), ForgeError::Denied { .. }));
    let error = forge.approve(7, "", "h0").await.unwrap_err();
    assert!(matches!(error, ForgeError::Conflict { why: Conflict::HeadMoved, .. }), "{error}");
}

#[tokio::test]
async fn a_reaction_that_is_there_is_no_error() {
    let (stub, forge) = gitlab().await;
    let note = format!("POST {P}/merge_requests/7/notes/20/award_emoji");
    stub.on(
        &note,
        [
            json(201, v!({})),
            json(404, v!({"message": "404 Award Emoji Name has already been taken Not Found"})),
            json(404, v!({"message": "404 Not found"})),
        ],
    );
    let on = Remark::Line("20".into());
    forge.react(7, &on, Reaction::Eyes).await.unwrap();
    assert_eq!(stub.body(&note), v!({"name": "eyes"}));
    forge.react(7, &on, Reaction::Eyes).await.unwrap();
    assert!(matches!(forge.react(7, &on, Reaction::Eyes).await.unwrap_err(), ForgeError::NotFound { .. }));
}

#[tokio::test]
async fn a_merge_waits_for_the_check_and_says_why_it_is_refused() {
    let at = format!("{P}/merge_requests/7");
    let merge = format!("PUT {at}/merge");
    let (stub, forge) = gitlab().await;
    stub.on(&format!("GET {at}"), [ready("checking"), ready("checking"), ready("mergeable")]);
    stub.on(
        &merge,
        [
            json(405, v!({"message": "405 Method Not Allowed"})),
            json(200, v!({"merge_commit_sha": "m1", "state": "merged"})),
        ],
    );
    assert_eq!(forge.merge(7, Method::Squash, "h1").await.unwrap().sha.as_deref(), Some("m1"));
    assert_eq!(stub.seen(&merge)[0].body, v!({"sha": "h1", "squash": true}));

    for (status, answer, why, words) in [
        (405, ready("not_approved"), Conflict::NotMergeable, "it is not approved"),
        (422, ready("conflict"), Conflict::NotMergeable, "it conflicts with its base"),
        (405, ready("checking"), Conflict::NotMergeable, "405 Method Not Allowed"),
        (409, ready("mergeable"), Conflict::HeadMoved, "405 Method Not Allowed"),
    ] {
        stub.on(&format!("GET {at}"), [answer]).on(&merge, [json(status, v!({"message": "405 Method Not Allowed"}))]);
        let error = forge.merge(7, Method::Merge, "h1").await.unwrap_err();
        let ForgeError::Conflict { why: found, .. } = &error else { panic!("{error}") };
        assert_eq!(*found, why);
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_rebase_is_the_projects_choice() {
    let (stub, forge) = gitlab().await;
    stub.on(&format!("GET {P}"), [json(200, v!({"merge_method": "merge"})), json(200, v!({"merge_method": "ff"}))]);
    stub.on(&format!("GET {P}/merge_requests/7"), [ready("mergeable")]);
    stub.on(&format!("PUT {P}/merge_requests/7/merge"), [json(200, v!({"merge_commit_sha": null, "state": "merged"}))]);
    let error = forge.merge(7, Method::Rebase, "h1").await.unwrap_err();
    assert!(matches!(error, ForgeError::Unsupported { .. }), "{error}");
    assert_eq!(forge.merge(7, Method::Rebase, "h1").await.unwrap().sha.as_deref(), Some("h1"));
}

#[tokio::test]
async fn a_branch_is_updated_by_rebase_and_its_end_is_waited_for() {
    let (stub, forge) = gitlab().await;
    let at = format!("{P}/merge_requests/7");
    let state = |going_on: bool, error: Value| {
        let mut pull = pull(7);
        pull["rebase_in_progress"] = v!(going_on);
        pull["merge_error"] = error;
        json(200, pull)
    };
    stub.on(&format!("PUT {at}/rebase"), [json(202, v!({"rebase_in_progress": true}))]);
    stub.on(&format!("GET {at}"), [state(false, Value::Null), state(true, Value::Null), state(false, Value::Null)]);
    forge.update_branch(7, Method::Rebase, "h1").await.unwrap();
    assert_eq!(stub.seen(&format!("GET {at}")).len(), 3);
    stub.on(&format!("GET {at}"), [state(false, Value::Null), state(false, v!("Rebase failed: Rebase locally"))]);
    let error = forge.update_branch(7, Method::Rebase, "h1").await.unwrap_err();
    assert!(error.to_string().contains("Rebase locally"), "{error}");
    assert!(matches!(forge.update_branch(7, Method::Merge, "h1").await.unwrap_err(), ForgeError::Unsupported { .. }));
}

#[tokio::test]
async fn a_branch_that_is_gone_is_deleted() {
    let (stub, forge) = gitlab().await;
    stub.on(
        &format!("DELETE {P}/repository/branches/tickets%2Fb"),
        [text(204, ""), json(404, v!({"message": "404 Branch Not Found"}))],
    );
    stub.on(&format!("GET {P}"), [json(200, v!({"path_with_namespace": "g/sub/r", "visibility": "internal"}))]);
    forge.delete_branch("tickets/b").await.unwrap();
    forge.delete_branch("tickets/b").await.unwrap();
}

#[tokio::test]
async fn checks_are_jobs_and_statuses() {
    let (stub, forge) = gitlab().await;
    let status = |id: i64, name: &str, status: &str| v!({"id": id, "name": name, "status": status, "target_url": format!("https://h/-/jobs/{id}"), "allow_failure": id == 4});
    let mut ours = status(5, "terarchitect/x", "success");
    ours["target_url"] = Value::Null;
    let all = v!([
        status(1, "test", "failed"),
        status(2, "lint", "running"),
        status(3, "deploy", "manual"),
        status(4, "beta", "failed"),
        ours
    ]);
    stub.on(&format!("GET {P}/repository/commits/h1/statuses"), [json(200, all)]);
    let checks = forge.checks("h1").await.unwrap();
    use CheckState::{Failure, Neutral, Pending, Success};
    assert_eq!(
        checks.iter().map(|check| check.state).collect::<Vec<_>>(),
        [Failure, Pending, Neutral, Neutral, Success]
    );
    assert_eq!((checks[4].ours, checks[4].log.as_deref()), (true, None));
    stub.on(&format!("GET {P}/jobs/1/trace"), [text(200, "line\nüber")]);
    assert_eq!(forge.check_log_tail(&checks[0], 4).await.unwrap().as_deref(), Some("ber"));

    stub.on(
        &format!("POST {P}/statuses/h1"),
        [json(201, v!({})), json(400, v!({"message": "Cannot transition status via :run from :running"}))],
    );
    let status = NewStatus { context: "terarchitect".into(), state: Failure, description: "d".into(), url: None };
    forge.set_status("h1", &status).await.unwrap();
    forge.set_status("h1", &status).await.unwrap();
    assert_eq!(
        stub.seen(&format!("POST {P}/statuses/h1"))[0].body,
        v!({"name": "terarchitect", "state": "failed", "description": "d"})
    );
}

#[tokio::test]
async fn permissions_are_access_levels() {
    let (stub, forge) = gitlab().await;
    stub.on("GET /api/v4/users", [json(200, v!([{"id": 8, "username": "Ann"}]))]);
    stub.on(&format!("GET {P}/members/all/8"), [30, 50, 20].map(|level| json(200, v!({"access_level": level}))));
    stub.on(&format!("GET {P}"), [json(200, v!({"path_with_namespace": "g/sub/r", "visibility": "private", "permissions": {"project_access": null, "group_access": {"access_level": 40}}}))]);
    for expected in [Permission::Write, Permission::Admin, Permission::Read] {
        assert_eq!(forge.permission("ann").await.unwrap(), expected);
    }
    stub.on(&format!("GET {P}/members/all/8"), [json(404, v!({"message": "404 Not found"}))]);
    assert_eq!(forge.permission("ann").await.unwrap(), Permission::None);
    assert_eq!(forge.permission("bob").await.unwrap(), Permission::None);
    let about = forge.repository().await.unwrap();
    assert_eq!((about.private, about.permission), (true, Permission::Admin));
    assert!(forge.me().await.unwrap().bot);
}

#[tokio::test]
async fn a_webhook_signs_or_sends_its_secret() {
    let (stub, forge) = gitlab().await;
    let hook = v!({"id": 3, "url": "https://me/hook", "merge_requests_events": true, "note_events": true, "push_events": false});
    stub.on(&format!("GET {P}/hooks"), [json(200, v!([])), json(200, v!([hook]))]);
    stub.on(&format!("POST {P}/hooks"), [json(201, hook.clone())]).on(&format!("PUT {P}/hooks/3"), [json(200, hook)]);
    let events = [HookEvent::Pull, HookEvent::Review];
    let made = forge.create_hook("https://me/hook", &"plain".into(), &events).await.unwrap();
    assert_eq!(made.events, [HookEvent::Pull, HookEvent::Review, HookEvent::Comment]);
    forge.create_hook("https://me/hook", &"whsec_abc".into(), &events).await.unwrap();
    let posted = stub.body(&format!("POST {P}/hooks"));
    assert_eq!(
        (&posted["token"], &posted["push_events"], &posted["note_events"]),
        (&v!("plain"), &v!(false), &v!(true))
    );
    assert_eq!(stub.body(&format!("PUT {P}/hooks/3"))["signing_token"], "whsec_abc");
}

#[tokio::test]
async fn issues_have_notes_of_their_own() {
    let (stub, forge) = gitlab().await;
    let issue = v!({"iid": 4, "web_url": "u", "title": "T", "description": "B", "state": "opened", "labels": ["do"], "author": {"id": 6, "username": "ann"}});
    stub.on(&format!("GET {P}/issues"), [json(200, v!([issue]))]).on(&format!("GET {P}/issues/4"), [json(200, issue)]);
    assert_eq!(forge.issues("do").await.unwrap(), [forge.issue(4).await.unwrap()]);
    let note = v!({"id": 1, "body": "b", "author": {"id": 6, "username": "ann"}});
    stub.on(&format!("GET {P}/issues/4/notes"), [json(200, v!([note]))])
        .on(&format!("POST {P}/issues/4/notes"), [json(201, note)]);
    assert_eq!(forge.issue_comments(4).await.unwrap().len(), 1);
    assert!(forge.comment_issue(4, "b").await.unwrap().url.ends_with("/g/sub/r/-/issues/4#note_1"));
}

#[tokio::test]
async fn commits_come_with_the_oldest_first_and_files_by_their_new_paths() {
    let (stub, forge) = gitlab().await;
    let commit = |id: &str| v!({"id": id, "message": "Say hello", "author_name": "Ann", "web_url": "https://h/c"});
    stub.on(&format!("GET {P}/merge_requests/7/commits"), [json(200, v!([commit("new"), commit("old")]))]);
    let diff = v!({"old_path": "a.rs", "new_path": "b.rs", "renamed_file": true});
    stub.on(&format!("GET {P}/merge_requests/7/diffs"), [json(200, v!([diff]))]);
    let commits = forge.commits(7).await.unwrap();
    assert_eq!(commits.iter().map(|commit| commit.sha.as_str()).collect::<Vec<_>>(), ["old", "new"]);
    assert_eq!((commits[0].author.as_str(), commits[0].url.as_deref()), ("Ann", Some("https://h/c")));
    assert_eq!(forge.files(7).await.unwrap(), ["b.rs"]);
    assert!(forge.files(8).await.unwrap().is_empty(), "an older version has no such list");
}
