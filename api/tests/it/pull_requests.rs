//! What checks, approvals, merges and closures mean for a ticket and for what was said about it.

use crate::forges::{
    HEAD, Reviewed, ScriptedForge, complete, decided, next_job, person, send_all, start, verdicts, worked_on,
};
use serde_json::{Value, json};

#[tokio::test]
async fn a_failing_check_is_fixed_a_few_times_and_never_one_of_this_system() {
    let forge = ScriptedForge::with_writers(&[]);
    let app = start(forge.clone()).await;
    let pull = Reviewed::new(&app, 3).await;
    app.put(&pull.project, json!({"max_check_fixes": 1})).await.expect(200);
    let opened = ("pull_request", json!({"action": "opened", "pull_request": pull.pull(json!({}))}));
    let own = pull.check(1, "terarchitect/review", "failure", HEAD);
    send_all(&app, vec![opened, own, pull.check(2, "lint", "success", HEAD), pull.check(3, "build", "failure", HEAD)])
        .await;
    let job = next_job(&app).await;
    assert_eq!(job["comment_body"], "## A check failed\n\nbuild: failure\n\n2 tests failed");
    complete(&app, &job).await;
    send_all(&app, vec![pull.check(4, "build", "timed_out", HEAD)]).await;
    decided(&app).await;
    app.eventually(async || verdicts(&app).await[0].1 == "answered").await;
    let (fixes, checks): (i32, Value) =
        sqlx::query_as("select fixes, checks from pull_requests").fetch_one(&app.pool).await.unwrap();
    assert_eq!((fixes, checks), (1, json!({"lint": "success", "build": "failure"})));
    let last =
        "refused: Failing checks of this pull request were given to the agent 1 times, which is max_check_fixes.";
    assert_eq!(verdicts(&app).await, [("3".into(), "answered".into()), ("4".into(), last.into())]);
    // Where the base fails as well, it is not this pull request's fault.
    app.put(&pull.project, json!({"max_check_fixes": 5})).await.expect(200);
    forge.set_base(Some(false));
    send_all(&app, vec![pull.check(5, "build", "failure", HEAD)]).await;
    decided(&app).await;
    assert_eq!(verdicts(&app).await[2].1, "refused: The checks of main fail as well.");
}

#[tokio::test]
async fn an_approval_says_whose_and_of_which_head_and_an_older_one_changes_nothing() {
    let app = start(ScriptedForge::with_writers(&["ann"])).await;
    let pull = Reviewed::new(&app, 3).await;
    let standing = async || -> (Option<String>, Option<String>, Option<String>) {
        let row = "select review_state, review_by, review_head from pull_requests";
        sqlx::query_as(row).fetch_one(&app.pool).await.unwrap()
    };
    let (kind, mut older) = pull.review(2, person(8, "eve"), "changes_requested", "no");
    older["review"]["submitted_at"] = json!("2026-11-02T09:00:00Z");
    send_all(&app, vec![pull.review(1, person(7, "ann"), "approved", ""), (kind, older)]).await;
    decided(&app).await;
    let by = |state: &str, by: &str| (Some(state.to_owned()), Some(by.to_owned()), Some(HEAD.to_owned()));
    assert_eq!(standing().await, by("approved", "ann"));
    let (kind, mut dismissed) = pull.review(1, person(7, "ann"), "dismissed", "");
    dismissed["action"] = json!("dismissed");
    send_all(&app, vec![(kind, dismissed)]).await;
    decided(&app).await;
    assert_eq!(standing().await, (None, None, None));
}

fn changed(pull: &Reviewed, more: Value) -> (&'static str, Value) {
    ("pull_request", json!({"action": "closed", "pull_request": pull.pull(more), "sender": person(7, "ann")}))
}

#[tokio::test]
async fn a_merge_ends_the_ticket_and_what_was_said_about_it() {
    let app = start(ScriptedForge::with_writers(&["ann"])).await;
    let pull = Reviewed::new(&app, 3).await;
    send_all(&app, vec![pull.comment(1, person(7, "ann"), "@terabot go")]).await;
    let job = next_job(&app).await;
    send_all(&app, vec![pull.comment(2, person(7, "ann"), "@terabot more")]).await;
    decided(&app).await;
    let merged = json!({"state": "closed", "merged": true, "updated_at": "2026-11-02T11:00:00Z"});
    // An older state that comes later changes nothing.
    send_all(&app, vec![changed(&pull, merged.clone()), changed(&pull, json!({})), changed(&pull, merged)]).await;
    app.eventually(async || app.get(&pull.ticket).await.expect(200)["column_id"] == "done").await;
    worked_on(&app).await;
    let ticket = app.get(&pull.ticket).await.expect(200);
    assert_eq!((&ticket["column_id"], &ticket["status"]), (&json!("done"), &json!("completed")));
    let state: String = sqlx::query_scalar("select state from pull_requests").fetch_one(&app.pool).await.unwrap();
    assert_eq!(state, "merged");
    let logs = app.get(&format!("{}/logs", pull.ticket)).await.expect(200);
    let said: Vec<_> = logs.as_array().unwrap().iter().filter(|log| log["step"] == "pull_request").collect();
    assert_eq!(said.len(), 1);
    assert_eq!(said[0]["summary"], "Pull request 3 was merged by ann.");
    assert_eq!(verdicts(&app).await[1].1, "refused: The pull request is no longer open.");
    let stop: bool = sqlx::query_scalar("select cancel_requested_at is not null from agent_jobs where id = $1::uuid")
        .bind(job["job_id"].as_str())
        .fetch_one(&app.pool)
        .await
        .unwrap();
    assert!(stop, "the review's job is asked to stop");
}

#[tokio::test]
async fn a_pull_request_that_is_closed_sends_its_ticket_back_with_the_reason() {
    let app = start(ScriptedForge::with_writers(&[])).await;
    let pull = Reviewed::new(&app, 3).await;
    let closed = json!({"state": "closed", "updated_at": "2026-11-02T11:00:00Z"});
    send_all(&app, vec![changed(&pull, closed)]).await;
    app.eventually(async || app.get(&pull.ticket).await.expect(200)["column_id"] == "backlog").await;
    let logs = app.get(&format!("{}/logs", pull.ticket)).await.expect(200);
    let last = logs.as_array().unwrap().last().unwrap();
    assert_eq!(last["summary"], "Pull request 3 was closed by ann without a merge.");
    assert_eq!(app.get(&pull.ticket).await.expect(200)["status"], "todo");
}

#[tokio::test]
async fn a_merged_branch_is_deleted_where_the_project_wants_it_and_only_the_tickets_own() {
    let forge = ScriptedForge::with_writers(&[]);
    let app = start(forge.clone()).await;
    let merged = json!({"state": "closed", "merged": true, "updated_at": "2026-11-02T11:00:00Z"});
    let with_head = |pull: &Reviewed, branch: &str, repository: i64| {
        let mut more = merged.clone();
        more["head"] = json!({"ref": branch, "sha": HEAD, "repo": {"id": repository}});
        changed(pull, more)
    };
    let kept = Reviewed::new(&app, 1).await;
    let (wanted, fork, other) =
        (Reviewed::new(&app, 2).await, Reviewed::new(&app, 3).await, Reviewed::new(&app, 4).await);
    for pull in [&wanted, &fork, &other] {
        app.put(&pull.project, json!({"delete_merged_branch": true})).await.expect(200);
    }
    forge.set_down(true);
    let own = format!("ticket-{}", wanted.ticket_id());
    let forks = format!("ticket-{}", fork.ticket_id());
    let events = vec![
        changed(&kept, merged.clone()),
        with_head(&wanted, &own, 1),
        with_head(&fork, &forks, 2),
        with_head(&other, "release", 1),
    ];
    send_all(&app, events).await;
    worked_on(&app).await;
    // The forge is away when it is merged: it is done when it is back.
    let tried = "select exists (select from forge_posts where state = 'waiting' and tries > 0)";
    app.eventually(async || sqlx::query_scalar(tried).fetch_one(&app.pool).await.unwrap()).await;
    assert_eq!(*forge.deleted.lock().unwrap(), Vec::<String>::new());
    forge.set_down(false);
    let done = "select exists (select from forge_posts where state = 'posted')";
    app.eventually(async || sqlx::query_scalar(done).fetch_one(&app.pool).await.unwrap()).await;
    assert_eq!(*forge.deleted.lock().unwrap(), [own]);
    let all: i64 = sqlx::query_scalar("select count(*) from forge_posts").fetch_one(&app.pool).await.unwrap();
    assert_eq!(all, 1);
}
