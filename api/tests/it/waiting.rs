//! Claims that wait: woken at once, given back when the client goes away, and without cost until then.

use crate::support::TestApp;
use serde_json::{Value, json};
use std::time::Duration;

/// A claim that waits, on a connection of its own.
fn waiting(app: &TestApp, base: &str, body: Value) -> tokio::task::JoinHandle<Option<Value>> {
    let request = reqwest::Client::new().post(format!("{base}/api/worker/jobs/start")).json(&body);
    let _ = app;
    tokio::spawn(async move {
        let reply = TestApp::reply(request).await;
        if reply.status == 204 { None } else { Some(reply.expect(200)) }
    })
}

/// How many claims wait on this process.
async fn waiters(app: &TestApp) -> usize {
    let text = app.http().get(format!("{}/metrics", app.base)).send().await.unwrap().text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("terarchitect_waiting_claims ")).unwrap();
    line.parse().unwrap()
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_the_job_to_others() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    let gone: Vec<_> = (0..20).map(|_| waiting(&app, &app.base, json!({"wait_ms": 25_000}))).collect();
    app.eventually(async || waiters(&app).await == 20).await;
    gone.iter().for_each(tokio::task::JoinHandle::abort);
    app.move_to(&ticket, "in_progress").await;
    // Whether the server has noticed yet or not: the job goes to the client that is still connected, and no attempt is
    // counted.
    let job = app.claim_as("one", json!({"wait_ms": 20_000})).await.unwrap();
    assert!(ticket.ends_with(job["ticket_id"].as_str().unwrap()));
    let running: i64 = sqlx::query_scalar("select count(*) from agent_jobs where worker_id = 'one' and failures = 0")
        .fetch_one(&app.pool)
        .await
        .unwrap();
    assert_eq!(running, 1);
}

#[tokio::test]
async fn a_waiting_claim_hears_of_work_on_another_replica() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    let (other, _replica) = app.replica().await;
    let claim = waiting(&app, &other, json!({"worker_id": "far", "wait_ms": 25_000}));
    app.move_to(&ticket, "in_progress").await;
    assert!(ticket.ends_with(claim.await.unwrap().unwrap()["ticket_id"].as_str().unwrap()));
}

#[tokio::test]
async fn a_waiting_claim_gets_the_room_that_a_limited_project_has_again() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    app.put(&project, json!({"max_running": 1})).await.expect(200);
    for _ in 0..3 {
        let ticket = app.ticket(&project).await;
        app.move_to(&ticket, "in_progress").await;
    }
    let first = app.claim_as("one", json!({})).await.unwrap();
    let (other, _replica) = app.replica().await;
    // Freed by a completion, by a failure, and by a limit that is raised: another process is notified each time.
    let next = waiting(&app, &other, json!({"worker_id": "two", "wait_ms": 25_000}));
    app.post(&format!("{}/complete", TestApp::job_path(&first)), json!({"attempt": 1})).await.expect(200);
    let second = next.await.unwrap().unwrap();
    let next = waiting(&app, &other, json!({"worker_id": "two", "wait_ms": 25_000}));
    app.post(&format!("{}/fail", TestApp::job_path(&second)), json!({"attempt": 1})).await.expect(200);
    next.await.unwrap().unwrap();
    let ticket = app.ticket(&project).await;
    app.move_to(&ticket, "in_progress").await;
    let next = waiting(&app, &other, json!({"worker_id": "three", "wait_ms": 25_000}));
    app.put(&project, json!({"max_running": 2})).await.expect(200);
    next.await.unwrap().unwrap();
}

#[tokio::test]
async fn only_who_may_have_a_project_is_woken_for_it() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let (mine, theirs) = (app.project().await, app.project().await);
    let id = |project: &str| project.rsplit('/').next().unwrap().to_owned();
    let claim = waiting(&app, &app.base, json!({"project_ids": [id(&mine), id(&mine)], "wait_ms": 25_000}));
    app.eventually(async || waiters(&app).await == 1).await;
    for project in [&theirs, &mine] {
        let ticket = app.ticket(project).await;
        app.move_to(&ticket, "in_progress").await;
    }
    assert_eq!(claim.await.unwrap().unwrap()["project_id"], id(&mine));
}

#[tokio::test]
async fn a_claim_repeated_while_the_first_still_waits_gets_one_job() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let body = json!({"worker_id": "one", "request_id": "00000000-0000-0000-0000-000000000007", "wait_ms": 25_000});
    let first = waiting(&app, &app.base, body.clone());
    app.eventually(async || waiters(&app).await == 1).await;
    let second = waiting(&app, &app.base, body.clone());
    assert!(first.await.unwrap().is_none(), "the repetition takes its place");
    for _ in 0..2 {
        let ticket = app.ticket(&project).await;
        app.move_to(&ticket, "in_progress").await;
    }
    let job = second.await.unwrap().unwrap();
    // Even while no new work is expected: the job of the lost response is found.
    app.claim_as("two", json!({})).await.unwrap();
    let repeated = waiting(&app, &app.base, body);
    assert_eq!(repeated.await.unwrap().unwrap()["job_id"], job["job_id"]);
}

#[tokio::test]
async fn the_end_of_the_process_ends_claims_that_wait() {
    let app = TestApp::start().await;
    let (other, replica) = app.replica().await;
    let claim = waiting(&app, &other, json!({"wait_ms": 25_000}));
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(replica);
    let ended = tokio::time::timeout(Duration::from_secs(10), claim).await.unwrap();
    assert!(ended.unwrap().is_none());
}
