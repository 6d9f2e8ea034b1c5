//! What becomes of deliveries: worked on once, in any order, also before what they speak of; failures stay visible.

use crate::forges::{
    HEAD, Reviewed, SECRET, ScriptedForge, decided, person, said, send, send_all, signed, start, worked_on,
};
use crate::support::TestApp;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::{Value, json};
use std::collections::HashSet;

/// `(state, reason)` of every delivery, the oldest first.
async fn states(app: &TestApp) -> Vec<(String, Option<String>)> {
    sqlx::query_as("select state, reason from deliveries order by seq").fetch_all(&app.pool).await.unwrap()
}

/// The issue's own measure: 1 000 deliveries, a third of them repeated, shuffled, half of them before the row that they
/// speak of. There is one order for each comment in the end.
#[tokio::test]
async fn a_thousand_deliveries_in_any_order_are_one_order_for_each_comment() {
    let forge = ScriptedForge::with_writers(&["ann"]);
    let app = start(forge).await;
    let project = app.project().await;
    app.put(&project, json!({"review_quiet_sec": 86_400})).await.expect(200);
    let mut pulls = Vec::new();
    for number in 1..=10 {
        pulls.push(Reviewed { ticket: app.ticket(&project).await, project: project.clone(), number });
    }
    // 75 for each pull request: 25 reviews with a comment on a line each, and 25 comments that mention the bot. A third of
    // the 750 comes once more.
    let mut deliveries = Vec::new();
    let mut orders = HashSet::new();
    for (pull, at) in pulls.iter().zip(0..) {
        for n in 0..25 {
            let id = at * 100 + n + 1;
            let ann = || person(7, "ann");
            let review = pull.review(id, ann(), "changes_requested", "");
            deliveries.extend([
                review,
                pull.line(id, id, ann(), "rename this"),
                pull.comment(id, ann(), "@terabot test this"),
            ]);
            orders.extend([(pull.number, "line", id.to_string()), (pull.number, "general", id.to_string())]);
        }
    }
    let mut numbered: Vec<_> =
        deliveries.into_iter().enumerate().map(|(n, event)| (format!("delivery-{n}"), event)).collect();
    let mut random = StdRng::seed_from_u64(12);
    numbered.shuffle(&mut random);
    let repeated: Vec<_> = numbered.iter().take(250).cloned().collect();
    numbered.extend(repeated);
    assert_eq!(numbered.len(), 1_000);
    numbered.shuffle(&mut random);
    let later = numbered.split_off(500);
    for (id, event) in numbered {
        send(&app, &id, event).await.expect(202);
    }
    // Only now the runners report their pull requests; those of which only comments came so far are known by nothing else.
    let rest = async {
        for pull in &pulls {
            pull.complete(&app).await;
        }
    };
    let more = async {
        for (id, event) in later {
            send(&app, &id, event).await.expect(202);
        }
    };
    futures::future::join(rest, more).await;
    let done = "select count(*) from deliveries where state = 'done'";
    app.eventually(async || sqlx::query_scalar::<_, i64>(done).fetch_one(&app.pool).await.unwrap() == 750).await;
    decided(&app).await;
    let accepted: Vec<(i64, String, String)> = sqlx::query_as(
        "select pull.number, comment.kind, comment.forge_id
         from review_comments as comment join pull_requests as pull on pull.id = comment.pull_request_id
         where comment.state = 'waiting' and comment.accepted_at is not null",
    )
    .fetch_all(&app.pool)
    .await
    .unwrap();
    assert_eq!(accepted.len(), 500);
    let found: HashSet<_> = accepted.iter().map(|(number, kind, id)| (*number, kind.as_str(), id.clone())).collect();
    assert_eq!(found, orders);
    let refused = "select distinct reason from review_comments where state = 'refused'";
    let reasons: Vec<String> = sqlx::query_scalar(refused).fetch_all(&app.pool).await.unwrap();
    assert_eq!(reasons, ["The review has no text of its own; its comments count for themselves."]);
}

/// Nothing says which ticket a comment is about until its runner reports the pull request; then it is worked on at once.
#[tokio::test]
async fn a_comment_waits_for_the_ticket_whose_pull_request_it_is_about() {
    let app = start(ScriptedForge::with_writers(&["ann"])).await;
    let project = app.project().await;
    app.put(&project, json!({"review_quiet_sec": 0})).await.expect(200);
    let pull = Reviewed { ticket: app.ticket(&project).await, project, number: 5 };
    send_all(&app, vec![pull.comment(1, person(7, "ann"), "@terabot go")]).await;
    worked_on(&app).await;
    let waits = app.get("/api/deliveries?state=waiting").await.expect(200);
    let (delivery, reason) = (&waits["deliveries"][0], "No ticket has the pull request 5.");
    assert_eq!((&delivery["reason"], &delivery["tries"]), (&json!(reason), &json!(1)));
    // It would come back by itself only in an hour.
    sqlx::query("update deliveries set next_try_at = now() + interval '1 hour'").execute(&app.pool).await.unwrap();
    pull.complete(&app).await;
    let job = crate::forges::next_job(&app).await;
    assert_eq!((&job["pr_number"], &job["comment_body"]), (&json!(5), &json!("@terabot go")));
    assert_eq!(states(&app).await, [("done".to_owned(), None)]);
}

#[tokio::test]
async fn what_is_about_no_ticket_is_ignored_after_a_while_and_says_why() {
    let app = start(ScriptedForge::with_writers(&["ann"])).await;
    let project = app.project().await;
    let stranger = Reviewed { ticket: app.ticket(&project).await, project, number: 77 };
    send_all(&app, vec![stranger.comment(1, person(7, "ann"), "@terabot go")]).await;
    worked_on(&app).await;
    let old = "update deliveries set received_at = now() - interval '61 minutes', next_try_at = now()";
    sqlx::query(old).execute(&app.pool).await.unwrap();
    worked_on(&app).await;
    app.eventually(async || states(&app).await[0].0 == "ignored").await;
    assert_eq!(states(&app).await[0].1.as_deref(), Some("No ticket has the pull request 77."));
}

/// A branch of another repository may have any name.
#[tokio::test]
async fn a_fork_cannot_pass_for_a_tickets_branch() {
    let app = start(ScriptedForge::with_writers(&["ann"])).await;
    let project = app.project().await;
    let pull = Reviewed { ticket: app.ticket(&project).await, project, number: 9 };
    let branch = format!("ticket-{}", pull.ticket_id());
    let forked =
        json!({"head": {"ref": branch, "sha": HEAD, "repo": {"id": 2}}, "base": {"ref": "main", "repo": {"id": 1}}});
    let event = |pull: Value| ("pull_request", json!({"action": "opened", "pull_request": pull}));
    send_all(&app, vec![event(pull.pull(forked))]).await;
    app.eventually(async || states(&app).await[0].0 == "ignored").await;
    let count = "select count(*) from pull_requests";
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&app.pool).await.unwrap(), 0);
    send_all(&app, vec![event(pull.pull(json!({})))]).await;
    app.eventually(async || states(&app).await[1].0 == "done").await;
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&app.pool).await.unwrap(), 1);
}

#[tokio::test]
async fn a_failure_stays_visible_with_its_reason_and_is_replayed() {
    let app = start(ScriptedForge::with_writers(&["ann"])).await;
    let pull = Reviewed::new(&app, 3).await;
    let broken = "create function broken() returns trigger language plpgsql as $$ begin raise 'broken'; end $$;
        create trigger broken before insert on review_comments for each row execute function broken()";
    sqlx::raw_sql(broken).execute(&app.pool).await.unwrap();
    send_all(&app, vec![pull.comment(1, person(7, "ann"), "@terabot go")]).await;
    let reason = |delivery: &Value| delivery["reason"].as_str().unwrap_or_default().to_owned();
    let first = async || app.get("/api/deliveries").await.expect(200)["deliveries"][0].clone();
    app.eventually(async || first().await["tries"] == 1).await;
    let waiting = first().await;
    assert!(reason(&waiting).contains("its log has the cause"), "{waiting}");
    assert_eq!(waiting["state"], "waiting");
    let replay = format!("/api/deliveries/{}/replay", waiting["id"].as_str().unwrap());
    assert_eq!(app.post(&replay, json!({})).await.error(409), "not_finished");
    sqlx::query("update deliveries set tries = 7, next_try_at = now()").execute(&app.pool).await.unwrap();
    app.eventually(async || first().await["state"] == "failed").await;
    assert!(!reason(&first().await).contains("broken"), "what a client sees names no cause");
    let failed = app.get("/api/events?kind=delivery.failed&after=start").await.expect(200);
    assert_eq!(failed["events"].as_array().unwrap().len(), 1);
    sqlx::raw_sql("drop trigger broken on review_comments").execute(&app.pool).await.unwrap();
    app.post(&replay, json!({})).await.expect(202);
    app.eventually(async || first().await["state"] == "done").await;
    // Once more: nothing is said twice.
    app.post(&replay, json!({})).await.expect(202);
    app.eventually(async || first().await["state"] == "done").await;
    assert_eq!(said(&app).await.len(), 1);
    let unknown = format!("/api/deliveries/{}/replay", uuid::Uuid::new_v4());
    assert_eq!(app.post(&unknown, json!({})).await.error(404), "not_found");
    TestApp::reply(signed(&app, SECRET, "no json", "push", b"{".to_vec())).await.expect(202);
    app.eventually(async || first().await["state"] == "failed").await;
    assert_eq!(reason(&first().await), "The body is not valid JSON.");
}

#[tokio::test]
async fn deliveries_come_in_pages_and_as_far_as_one_may_see_them() {
    let app = start(ScriptedForge::with_writers(&[])).await;
    let own = Reviewed::new(&app, 3).await;
    let push = |branch: &str| ("push", json!({"ref": format!("refs/heads/{branch}"), "after": HEAD}));
    send_all(&app, vec![push("a"), push("b"), push("c")]).await;
    app.eventually(async || states(&app).await.iter().all(|(state, _)| state == "ignored")).await;
    let page = app.get("/api/deliveries?limit=2").await.expect(200);
    let seqs: Vec<i64> =
        page["deliveries"].as_array().unwrap().iter().map(|row| row["seq"].as_i64().unwrap()).collect();
    assert_eq!((seqs.len(), &page["older"]), (2, &json!(true)));
    let next = app.get(&format!("/api/deliveries?limit=2&before={}", seqs[1])).await.expect(200);
    assert_eq!((next["deliveries"].as_array().unwrap().len(), &next["older"]), (1, &json!(false)));
    assert_eq!(app.get("/api/deliveries?state=done").await.expect(200)["deliveries"], json!([]));
    assert_eq!(app.get("/api/deliveries?state=maybe").await.error(400), "invalid_query");
    let other = app.project().await;
    for (project, count) in [(&own.project, 3), (&other, 0)] {
        let cookie = app.person(&format!("{count}@x"), "none", &[(project, "viewer")]).await;
        let seen = app.send(reqwest::Method::GET, "/api/deliveries", &[("cookie", &cookie)], None).await.expect(200);
        assert_eq!(seen["deliveries"].as_array().unwrap().len(), count);
    }
}

#[tokio::test]
async fn what_only_the_log_should_know_is_noted_there() {
    let app = start(ScriptedForge::with_writers(&[])).await;
    let pull = Reviewed::new(&app, 3).await;
    let deployment =
        json!({"deployment_status": {"state": "success"}, "deployment": {"environment": "production", "sha": HEAD}});
    let job =
        json!({"action": "completed", "workflow_job": {"name": "build", "conclusion": "failure", "head_sha": HEAD}});
    send_all(&app, vec![("deployment_status", deployment), ("workflow_job", job)]).await;
    app.eventually(async || states(&app).await.iter().all(|(state, _)| state == "done")).await;
    let noted = app.get("/api/events?kind=forge.noted&after=start").await.expect(200);
    let events = noted["events"].as_array().unwrap();
    let names: HashSet<_> = events.iter().map(|event| event["data"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, HashSet::from(["production", "build"]));
    assert_eq!(events[0]["project_id"], pull.project.rsplit('/').next().unwrap());
}

/// Two processes on one database work on each delivery once.
#[tokio::test]
async fn several_processes_work_on_each_delivery_once() {
    let app = start(ScriptedForge::with_writers(&["ann"])).await;
    let pull = Reviewed::new(&app, 3).await;
    app.put(&pull.project, json!({"review_quiet_sec": 3600})).await.expect(200);
    let (_replica, _guard) = app.replica().await;
    let (_other, _second) = app.replica().await;
    let events = (1..=60).map(|id| pull.comment(id, person(7, "ann"), "@terabot go")).collect();
    send_all(&app, events).await;
    worked_on(&app).await;
    decided(&app).await;
    assert_eq!(said(&app).await.len(), 60);
    let tries: i64 = sqlx::query_scalar("select sum(tries) from deliveries").fetch_one(&app.pool).await.unwrap();
    assert_eq!(tries, 60);
    let received = app.get("/api/events?kind=comment.received&after=start&limit=200").await.expect(200);
    assert_eq!(received["events"].as_array().unwrap().len(), 60);
}

#[tokio::test]
async fn old_deliveries_are_deleted_and_those_that_wait_stay() {
    let app = start(ScriptedForge::with_writers(&[])).await;
    let add = "insert into deliveries (sender, delivery_id, event, body, state, finished_at, next_try_at)
        values ('github', 'old', 'push', '{}', 'done', now() - interval '91 days', now()),
            ('github', 'new', 'push', '{}', 'failed', now() - interval '89 days', now()),
            ('github', 'waits', 'push', '{}', 'waiting', null, now() + interval '1 hour')";
    sqlx::query(add).execute(&app.pool).await.unwrap();
    let keep = std::time::Duration::from_secs(90 * 86_400);
    terarchitect_api::background::delete_old(&app.database(), keep, std::time::Duration::ZERO).await.unwrap();
    let left: Vec<String> =
        sqlx::query_scalar("select delivery_id from deliveries order by 1").fetch_all(&app.pool).await.unwrap();
    assert_eq!(left, ["new", "waits"]);
}
