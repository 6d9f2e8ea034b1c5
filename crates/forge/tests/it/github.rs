//! GitHub's dialect: paths, bodies, pages, conditional requests, and its ways to say no.

use crate::forge;
use crate::stub::{Stub, json, text};
use serde_json::{Value, json as v};
use terarchitect_forge::{
    Check, CheckState, Conditional, Conflict, EditPull, Forge, ForgeError, HookEvent, Kind, Mergeable, Method, NewPull,
    NewStatus, Permission, PullState, Reaction, Remark, ReviewState, Side,
};

const R: &str = "/api/v3/repos/o/r";

async fn github() -> (Stub, Box<dyn Forge>) {
    let stub = Stub::start().await;
    let forge = forge(&stub, Kind::GitHub, "/api/v3", "o");
    stub.on("GET /api/v3/user", [json(200, v!({"id": 5, "login": "bot", "type": "User"}))]);
    (stub, forge)
}

fn pull(number: i64) -> Value {
    v!({
        "number": number, "html_url": format!("https://h/o/r/pull/{number}"), "title": "T", "body": null, "state": "open",
        "draft": false, "merged": false, "node_id": "PR_7", "updated_at": format!("2026-11-29T05:00:{number:02}Z"),
        "user": {"id": 5, "login": "helper[bot]", "type": "Bot"},
        "head": {"ref": "b", "sha": "h1", "repo": {"full_name": "o/r"}},
        "base": {"ref": "main", "sha": "m0", "repo": {"full_name": "o/r"}},
        "mergeable": true, "mergeable_state": "clean",
    })
}

#[tokio::test]
async fn a_pull_request_is_read_with_all_that_matters() {
    let (stub, forge) = github().await;
    let mut other = pull(7);
    other["state"] = v!("closed");
    other["merged_at"] = v!("2026-11-29T05:00:00Z");
    other["head"]["repo"] = v!({"full_name": "stranger/r"});
    other["mergeable"] = Value::Null;
    let mut blocked = pull(7);
    blocked["mergeable_state"] = v!("blocked");
    blocked["head"]["repo"] = Value::Null;
    stub.on(&format!("GET {R}/pulls/7"), [json(200, pull(7)), json(200, other), json(200, blocked)]);

    let read = forge.pull(7).await.unwrap();
    assert_eq!((read.number, read.state, read.draft, read.body.as_str()), (7, PullState::Open, false, ""));
    assert_eq!((read.head.branch.as_str(), read.head.sha.as_str(), read.head.repo), ("b", "h1", None));
    assert_eq!((read.author.id.as_str(), read.author.bot, read.mergeable), ("5", true, Mergeable::Yes));
    let read = forge.pull(7).await.unwrap();
    assert_eq!((read.state, read.head.repo.as_deref()), (PullState::Merged, Some("stranger/r")));
    assert_eq!(read.mergeable, Mergeable::Unknown);
    let read = forge.pull(7).await.unwrap();
    assert!(matches!(read.mergeable, Mergeable::No(why) if why.contains("a rule")));
    assert_eq!(read.head.repo.as_deref(), Some("a deleted fork"));
    let seen = &stub.seen(&format!("GET {R}/pulls/7"))[0];
    assert_eq!(seen.headers["x-github-api-version"], "2022-11-28");
}

#[tokio::test]
async fn a_draft_is_opened_and_made_ready_by_graphql() {
    let (stub, forge) = github().await;
    let mut draft = pull(7);
    draft["draft"] = v!(true);
    stub.on(&format!("POST {R}/pulls"), [json(201, draft.clone())]);
    let new = NewPull { head: "b".into(), base: "main".into(), title: "T".into(), body: "B".into(), draft: true };
    assert_eq!(forge.open_pull(&new).await.unwrap().number, 7);
    assert_eq!(
        stub.body(&format!("POST {R}/pulls")),
        v!({"head": "b", "base": "main", "title": "T", "body": "B", "draft": true})
    );

    stub.on(&format!("GET {R}/pulls/7"), [json(200, draft), json(200, pull(7))]);
    stub.on("POST /api/graphql", [json(200, v!({"data": {}}))]);
    forge.set_ready(7).await.unwrap();
    let asked = stub.body("POST /api/graphql");
    assert!(asked["query"].as_str().unwrap().contains("markPullRequestReadyForReview"));
    assert_eq!(asked["variables"]["id"], "PR_7");
    forge.set_ready(7).await.unwrap();
    assert_eq!(stub.seen("POST /api/graphql").len(), 1, "nothing is to be done for one that is ready");
}

#[tokio::test]
async fn graphql_says_no_with_200() {
    let (stub, forge) = github().await;
    let mut draft = pull(7);
    draft["draft"] = v!(true);
    stub.on(&format!("GET {R}/pulls/7"), [json(200, draft)]);
    stub.on("POST /api/graphql", [json(200, v!({"errors": [{"message": "Resource not accessible"}]}))]);
    let error = forge.set_ready(7).await.unwrap_err();
    assert!(error.to_string().ends_with("Resource not accessible"), "{error}");
}

#[tokio::test]
async fn what_changed_is_asked_for_page_by_page_until_it_is_old_and_costs_nothing_where_nothing_has() {
    let (stub, forge) = github().await;
    let list = format!("GET {R}/pulls");
    let next = |page: u8| format!("<http://ignored/x?state=all&page={page}>; rel=\"next\"");
    stub.on(
        &list,
        [
            json(200, v!([pull(9), pull(8)])).header("etag", "\"e1\"").header("link", next(2)),
            json(200, v!([pull(7), pull(3)])).header("link", next(3)),
            text(304, ""),
        ],
    );
    let Conditional::Changed(changes) = forge.changed_pulls(Some("2026-11-29T05:00:07Z"), None).await.unwrap() else {
        panic!("something has changed")
    };
    assert_eq!(changes.value.iter().map(|pull| pull.number).collect::<Vec<_>>(), [9, 8, 7]);
    assert_eq!(changes.etag.as_deref(), Some("\"e1\""));
    let again = forge.changed_pulls(Some("2026-11-29T05:00:07Z"), changes.etag.as_deref()).await.unwrap();
    assert_eq!(again, Conditional::NotModified);
    let seen = stub.seen(&list);
    assert_eq!(seen.len(), 3);
    assert!(seen[0].query.contains("state=all&sort=updated&direction=desc&per_page=100"));
    assert_eq!(seen[1].query, "state=all&page=2");
    assert_eq!(seen[2].headers["if-none-match"], "\"e1\"");
    assert!(!seen[1].headers.contains_key("if-none-match"));
}

#[tokio::test]
async fn comments_at_lines_become_threads_with_what_graphql_knows() {
    let (stub, forge) = github().await;
    let comment = |id: i64, top: Value| {
        v!({
            "id": id, "in_reply_to_id": top, "path": "a.rs", "line": 3, "original_line": 2, "side": "RIGHT",
            "diff_hunk": "@@ -1 +1 @@", "pull_request_review_id": 4, "user": {"id": 6, "login": "ann", "type": "User"},
            "body": format!("c{id}"),
        })
    };
    let mut outdated = comment(12, Value::Null);
    outdated["line"] = Value::Null;
    outdated["side"] = v!("LEFT");
    let items = v!([comment(10, Value::Null), comment(11, v!(10)), outdated, comment(13, v!(99))]);
    stub.on(&format!("GET {R}/pulls/7/comments"), [json(200, items)]);
    let threads = |nodes: Value, more: bool| {
        let page = v!({"hasNextPage": more, "endCursor": "c"});
        v!({"data": {"repository": {"pullRequest": {"reviewThreads": {"nodes": nodes, "pageInfo": page}}}}})
    };
    let node = |id: i64, resolved: bool| v!([{"isResolved": resolved, "comments": {"nodes": [{"databaseId": id}]}}]);
    stub.on(
        "POST /api/graphql",
        [json(200, threads(node(10, true), true)), json(200, threads(node(12, false), false))],
    );
    let threads = forge.threads(7).await.unwrap();
    let shown: Vec<_> = threads
        .iter()
        .map(|thread| (thread.id.as_str(), thread.comments.len(), thread.line, thread.side, thread.resolved))
        .collect();
    assert_eq!(
        shown,
        [
            ("10", 2, Some(3), Side::New, Some(true)),
            ("12", 1, Some(2), Side::Old, Some(false)),
            ("99", 1, Some(3), Side::New, None),
        ]
    );
    assert_eq!((threads[0].review.as_deref(), threads[0].hunk.as_deref()), (Some("4"), Some("@@ -1 +1 @@")));
    assert_eq!(stub.seen("POST /api/graphql")[1].body["variables"]["after"], "c");

    // Without GraphQL, threads are threads all the same.
    stub.on("POST /api/graphql", [json(404, v!({"message": "Not Found"}))]);
    assert_eq!(forge.threads(7).await.unwrap()[0].resolved, None);
}

#[tokio::test]
async fn a_reply_that_an_app_may_not_post_in_one_way_is_posted_in_the_other() {
    let (stub, forge) = github().await;
    let top = v!({"id": 10, "path": "a.rs", "line": 3, "body": "b", "user": {"id": 6, "login": "ann"}});
    stub.on(&format!("GET {R}/pulls/7/comments"), [json(200, v!([top]))]);
    stub.on(
        &format!("POST {R}/pulls/7/comments/10/replies"),
        [json(403, v!({"message": "Resource not accessible by integration"}))],
    );
    stub.on(&format!("POST {R}/pulls/7/comments"), [json(201, v!({"id": 11, "body": "Done."}))]);
    let thread = forge.threads(7).await.unwrap().remove(0);
    assert_eq!(forge.reply(7, &thread, "Done.").await.unwrap().id, "11");
    assert_eq!(stub.body(&format!("POST {R}/pulls/7/comments")), v!({"body": "Done.", "in_reply_to": 10}));
}

#[tokio::test]
async fn reviews_reactions_and_an_approval() {
    let (stub, forge) = github().await;
    let review = |id: i64, state: &str| v!({"id": id, "state": state, "user": {"id": 6, "login": "ann"}, "body": "", "commit_id": "h1"});
    let all = ["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED", "PENDING"];
    let reviews: Vec<Value> = all.iter().zip(1..).map(|(state, id)| review(id, state)).collect();
    let path = format!("{R}/pulls/7/reviews");
    stub.on(&format!("GET {path}"), [json(200, v!(reviews))])
        .on(&format!("POST {path}"), [json(200, review(9, "APPROVED"))]);
    let states: Vec<ReviewState> = forge.reviews(7).await.unwrap().iter().map(|review| review.state).collect();
    use ReviewState::{Approved, ChangesRequested, Commented, Dismissed, Pending};
    assert_eq!(states, [Approved, ChangesRequested, Commented, Dismissed, Pending]);
    forge.approve(7, "Good.", "h1").await.unwrap();
    assert_eq!(stub.body(&format!("POST {path}")), v!({"event": "APPROVE", "commit_id": "h1", "body": "Good."}));
    stub.on(
        &format!("POST {path}"),
        [json(422, v!({"message": "Unprocessable Entity", "errors": ["Can not approve your own pull request"]}))],
    );
    let error = forge.approve(7, "", "h2").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "127.0.0.1 did not accept the review: Unprocessable Entity: Can not approve your own pull request"
    );

    for (on, path) in [
        (Remark::Pull, "issues/7/reactions"),
        (Remark::Comment("3".into()), "issues/comments/3/reactions"),
        (Remark::Line("4".into()), "pulls/comments/4/reactions"),
    ] {
        let call = format!("POST {R}/{path}");
        stub.on(&call, [json(200, v!({}))]);
        forge.react(7, &on, Reaction::Eyes).await.unwrap();
        assert_eq!(stub.body(&call), v!({"content": "eyes"}));
    }
}

#[tokio::test]
async fn a_merge_says_why_it_is_refused() {
    let (stub, forge) = github().await;
    let merge = format!("PUT {R}/pulls/7/merge");
    stub.on(&format!("GET {R}/pulls/7"), [json(200, pull(7))]);
    stub.on(
        &merge,
        [
            json(200, v!({"sha": "m1", "merged": true})),
            json(405, v!({"message": "Pull Request is not mergeable"})),
            json(409, v!({"message": "Head branch was modified. Review and try the merge again."})),
            json(403, v!({"message": "Resource not accessible"})),
        ],
    );
    assert_eq!(forge.merge(7, Method::Squash, "h1").await.unwrap().sha.as_deref(), Some("m1"));
    assert_eq!(stub.body(&merge), v!({"sha": "h1", "merge_method": "squash"}));
    let next = async || forge.merge(7, Method::Merge, "h1").await.unwrap_err();
    assert!(matches!(next().await, ForgeError::Conflict { why: Conflict::NotMergeable, .. }));
    assert!(matches!(next().await, ForgeError::Conflict { why: Conflict::HeadMoved, .. }));
    assert!(matches!(next().await, ForgeError::Denied { .. }));
}

#[tokio::test]
async fn a_branch_is_updated_by_merge_or_by_rebase() {
    let (stub, forge) = github().await;
    let update = format!("PUT {R}/pulls/7/update-branch");
    let refused = |message: &str| json(422, v!({"message": message}));
    stub.on(
        &update,
        [
            json(202, v!({"message": "Updating pull request branch."})),
            refused("There are no new commits on the base branch."),
            refused("expected head sha didn’t match current head ref."),
            refused("merge conflict between base and head"),
            json(403, v!({"message": "Resource not accessible by integration"})),
        ],
    );
    stub.on(&format!("GET {R}/pulls/7"), [json(200, pull(7))]);
    stub.on("POST /api/graphql", [json(200, v!({"data": {}}))]);
    forge.update_branch(7, Method::Merge, "h1").await.unwrap();
    assert_eq!(stub.body(&update), v!({"expected_head_sha": "h1"}));
    forge.update_branch(7, Method::Merge, "h1").await.unwrap();
    let error = forge.update_branch(7, Method::Merge, "h1").await.unwrap_err();
    assert!(matches!(error, ForgeError::Conflict { why: Conflict::HeadMoved, .. }), "{error}");
    let error = forge.update_branch(7, Method::Merge, "h1").await.unwrap_err();
    assert!(matches!(error, ForgeError::Conflict { why: Conflict::NotMergeable, .. }), "{error}");
    forge.update_branch(7, Method::Merge, "h1").await.unwrap();
    forge.update_branch(7, Method::Rebase, "h1").await.unwrap();
    let methods: Vec<Value> =
        stub.seen("POST /api/graphql").iter().map(|seen| seen.body["variables"]["method"].clone()).collect();
    assert_eq!(methods, ["MERGE", "REBASE"]);
}

#[tokio::test]
async fn a_branch_that_is_gone_is_deleted_and_a_repository_that_is_hidden_is_not() {
    let (stub, forge) = github().await;
    let delete = format!("DELETE {R}/git/refs/heads/tickets/a%20b");
    stub.on(
        &delete,
        [
            text(204, ""),
            json(422, v!({"message": "Reference does not exist"})),
            json(404, v!({"message": "Not Found"})),
        ],
    );
    stub.on(&format!("GET {R}"), [json(200, v!({"full_name": "o/r"})), json(404, v!({"message": "Not Found"}))]);
    for _ in 0..3 {
        forge.delete_branch("tickets/a b").await.unwrap();
    }
    let error = forge.delete_branch("tickets/a b").await.unwrap_err();
    assert!(matches!(error, ForgeError::NotFound { .. }), "{error}");
}

#[tokio::test]
async fn checks_are_runs_and_statuses_and_our_own_are_known() {
    let (stub, forge) = github().await;
    let run = |id: i64, name: &str, status: &str, conclusion: Value| {
        v!({
            "id": id, "name": name, "status": status, "conclusion": conclusion, "html_url": "u", "app": {"slug": "github-actions"},
            "output": {"title": "2 failed", "summary": "a and b"},
        })
    };
    let next = "<http://ignored/?page=2>; rel=\"next\"";
    stub.on(&format!("GET {R}/commits/h1/check-runs"), [
        json(200, v!({"total_count": 3, "check_runs": [run(1, "test", "completed", v!("failure")), run(2, "lint", "in_progress", Value::Null)]})).header("link", next),
        json(200, v!({"total_count": 3, "check_runs": [run(3, "docs", "completed", v!("skipped"))]})),
    ]);
    let statuses = v!({"state": "pending", "statuses": [{"context": "terarchitect/review", "state": "pending"}, {"context": "ci", "state": "error", "target_url": "t"}]});
    stub.on(&format!("GET {R}/commits/h1/status"), [json(200, statuses)]);
    let checks = forge.checks("h1").await.unwrap();
    let shown: Vec<_> = checks.iter().map(|check| (check.name.as_str(), check.state, check.ours)).collect();
    use CheckState::{Failure, Neutral, Pending};
    assert_eq!(
        shown,
        [
            ("test", Failure, false),
            ("lint", Pending, false),
            ("docs", Neutral, false),
            ("terarchitect/review", Pending, true),
            ("ci", Failure, false),
        ]
    );
    assert_eq!((checks[0].summary.as_deref(), checks[0].log.as_deref()), (Some("2 failed\n\na and b"), Some("1")));
    assert_eq!(checks[4].log, None);

    stub.on(&format!("GET {R}/actions/jobs/1/logs"), [text(200, "one\ntwo"), text(410, "")]);
    assert_eq!(forge.check_log_tail(&checks[0], 3).await.unwrap().as_deref(), Some("two"));
    assert_eq!(forge.check_log_tail(&checks[0], 3).await.unwrap(), None);
    let other = Check { log: None, ..checks[0].clone() };
    assert_eq!(forge.check_log_tail(&other, 3).await.unwrap(), None);

    stub.on(&format!("POST {R}/statuses/h1"), [json(201, v!({}))]);
    let status = NewStatus {
        context: "terarchitect".into(),
        state: Failure,
        description: "é".repeat(200),
        url: Some("u".into()),
    };
    forge.set_status("h1", &status).await.unwrap();
    let posted = stub.body(&format!("POST {R}/statuses/h1"));
    assert_eq!((posted["state"].as_str(), posted["target_url"].as_str()), (Some("failure"), Some("u")));
    assert_eq!(posted["description"].as_str().unwrap().chars().count(), 140);
}

#[tokio::test]
async fn a_persons_permission_is_asked_of_the_forge() {
    let (stub, forge) = github().await;
    let of = |login: &str| format!("GET {R}/collaborators/{login}/permission");
    stub.on(&of("ann"), [json(200, v!({"permission": "write", "role_name": "maintain"}))]);
    stub.on(&of("bob"), [json(200, v!({"permission": "read", "role_name": "custom"}))]);
    stub.on(&of("helper%5Bbot%5D"), [json(404, v!({"message": "helper[bot] is not a user"}))]);
    stub.on(&format!("GET {R}"), [json(200, v!({"full_name": "o/r", "default_branch": "main", "private": true, "permissions": {"push": true, "pull": true}}))]);
    assert_eq!(forge.permission("ann").await.unwrap(), Permission::Write);
    assert_eq!(forge.permission("bob").await.unwrap(), Permission::Read);
    assert_eq!(forge.permission("helper[bot]").await.unwrap(), Permission::None);
    let about = forge.repository().await.unwrap();
    assert_eq!((about.default_branch.as_str(), about.private, about.permission), ("main", true, Permission::Write));
}

#[tokio::test]
async fn a_webhook_is_created_once_and_changed_after() {
    let (stub, forge) = github().await;
    let hook = v!({"id": 3, "active": true, "config": {"url": "https://me/hook"}, "events": ["pull_request", "issue_comment", "push"]});
    stub.on(&format!("GET {R}/hooks"), [json(200, v!([])), json(200, v!([hook]))]);
    stub.on(&format!("POST {R}/hooks"), [json(201, hook.clone())]).on(&format!("PATCH {R}/hooks/3"), [json(200, hook)]);
    let events = [HookEvent::Pull, HookEvent::Comment];
    for _ in 0..2 {
        let hook = forge.create_hook("https://me/hook", &"s".into(), &events).await.unwrap();
        assert_eq!(hook.events, [HookEvent::Pull, HookEvent::Comment, HookEvent::Push]);
    }
    let posted = stub.body(&format!("POST {R}/hooks"));
    assert_eq!(posted["events"], v!(["pull_request", "issue_comment"]));
    assert_eq!(
        posted["config"],
        v!({"url": "https://me/hook", "content_type": "json", "secret": "s", "insecure_ssl": "0"})
    );
    assert_eq!(stub.seen(&format!("PATCH {R}/hooks/3")).len(), 1);
}

#[tokio::test]
async fn issues_are_told_from_pull_requests() {
    let (stub, forge) = github().await;
    let issue = v!({"number": 4, "html_url": "u", "title": "T", "body": "B", "state": "open", "labels": [{"name": "do"}], "user": {"id": 6, "login": "ann"}});
    let mut other = issue.clone();
    other["pull_request"] = v!({});
    stub.on(&format!("GET {R}/issues"), [json(200, v!([issue, other]))]);
    stub.on(&format!("GET {R}/issues/4"), [json(200, issue.clone()), json(200, other.clone())]);
    assert_eq!(forge.issues("do").await.unwrap().len(), 1);
    let read = forge.issue(4).await.unwrap();
    assert_eq!((read.open, read.labels.as_slice()), (true, &["do".to_owned()][..]));
    assert!(matches!(forge.issue(4).await.unwrap_err(), ForgeError::Refused { .. }));
    stub.on(&format!("POST {R}/issues/4/comments"), [json(201, v!({"id": 1, "body": "b"}))]);
    forge.comment_issue(4, "b").await.unwrap();
}

#[tokio::test]
async fn an_edit_sends_what_changes_alone() {
    let (stub, forge) = github().await;
    let patch = format!("PATCH {R}/pulls/7");
    stub.on(&patch, [json(200, pull(7))]);
    forge.edit_pull(7, &EditPull { open: Some(false), ..EditPull::default() }).await.unwrap();
    assert_eq!(stub.body(&patch), v!({"state": "closed"}));
}

#[tokio::test]
async fn commits_and_files_are_listed_and_a_version_without_the_lists_has_none() {
    let (stub, forge) = github().await;
    let commit = v!({
        "sha": "h1", "html_url": "https://h/o/r/commit/h1",
        "commit": {"message": "Say hello\n\nMore.", "author": {"name": "Ann"}},
    });
    stub.on(&format!("GET {R}/pulls/7/commits"), [json(200, v!([commit]))]);
    stub.on(&format!("GET {R}/pulls/7/files"), [json(200, v!([{"filename": "src/a.rs"}, {"filename": "tests/a.rs"}]))]);
    let commits = forge.commits(7).await.unwrap();
    assert_eq!((commits.len(), commits[0].author.as_str()), (1, "Ann"));
    assert!(commits[0].message.starts_with("Say hello"));
    assert_eq!(forge.files(7).await.unwrap(), ["src/a.rs", "tests/a.rs"]);
    assert_eq!((forge.commits(8).await.unwrap().len(), forge.files(8).await.unwrap().len()), (0, 0));
}
