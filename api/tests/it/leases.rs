//! Leases, fencing, retries, limits, and claims that wait.

use crate::support::TestApp;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use terarchitect_testbed::postgres::TestPostgres;

async fn enqueue(app: &TestApp, project: &str) -> String {
    let ticket = app.ticket(project).await;
    app.move_to(&ticket, "in_progress").await;
    ticket
}

async fn beat(app: &TestApp, worker: &str, job: &Value) -> String {
    let held = json!([{"job_id": job["job_id"], "attempt": job["attempt"]}]);
    let reply = app.post("/api/worker/heartbeat", json!({"worker_id": worker, "jobs": held})).await.expect(200);
    reply["jobs"][0]["state"].as_str().unwrap().to_owned()
}

/// Waits until the query returns true, up to a time limit.
async fn until(app: &TestApp, sql: &'static str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !sqlx::query_scalar::<_, bool>(sql).fetch_one(&app.pool).await.unwrap() {
        assert!(Instant::now() < deadline, "not in time: {sql}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_lost_lease_ends_the_attempt_and_the_old_worker_is_fenced() {
    let app = TestApp::start_with_lease(Duration::from_millis(800)).await;
    let project = app.project().await;
    enqueue(&app, &project).await;
    let first = app.claim_as("one", json!({})).await.unwrap();
    assert_eq!((&first["attempt"], &first["lease_ms"]), (&json!(1), &json!(800)));
    until(&app, "select status = 'pending' from agent_jobs").await;
    let kept: (String, String) =
        sqlx::query_as("select outcome, reason from agent_job_attempts").fetch_one(&app.pool).await.unwrap();
    assert_eq!(kept, ("retried".to_owned(), "lease_lost".to_owned()));
    assert_eq!(beat(&app, "one", &first).await, "lost");
    sqlx::query("update agent_jobs set run_at = now()").execute(&app.pool).await.unwrap();
    let second = app.claim_as("two", json!({"wait_ms": 20_000})).await.unwrap();
    assert_eq!(second["attempt"], 2);
    let path = TestApp::job_path(&first);
    let late = app.post(&format!("{path}/complete"), json!({"attempt": 1, "worker_id": "one"})).await;
    assert_eq!(late.error(409), "stale_attempt");
    assert_eq!(app.jobs().await[0].0, "running");
    app.post(&format!("{path}/complete"), json!({"attempt": 2, "worker_id": "two"})).await.expect(200);
}

#[tokio::test]
async fn heartbeats_keep_a_lease_and_bring_the_wish_to_cancel() {
    let app = TestApp::start_with_lease(Duration::from_millis(900)).await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = enqueue(&app, &project).await;
    let job = app.claim_as("one", json!({})).await.unwrap();
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(2_500) {
        assert_eq!(beat(&app, "one", &job).await, "held");
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    assert_eq!(beat(&app, "another worker", &job).await, "lost");
    app.post(&format!("{ticket}/cancel"), json!({})).await.expect(200);
    assert_eq!(beat(&app, "one", &job).await, "cancel");
    let held = app.get("/api/worker/jobs?worker_id=one").await.expect(200);
    assert_eq!((&held["jobs"][0]["job_id"], &held["jobs"][0]["cancel_requested"]), (&job["job_id"], &json!(true)));
}

#[tokio::test]
async fn heartbeats_tell_the_settings_number_of_agents() {
    let app = TestApp::start().await;
    app.put("/api/settings", json!({"MAX_CONCURRENT_AGENTS": 7})).await.expect(200);
    let reply = app.post("/api/worker/heartbeat", json!({"worker_id": "one"})).await.expect(200);
    assert_eq!((&reply["max_concurrent_agents"], &reply["directive"]), (&json!(7), &json!("run")));
}

#[tokio::test]
async fn a_claim_that_waits_gets_a_job_at_once_also_one_inserted_by_hand() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let (ticket, other) = (app.ticket(&project).await, app.ticket(&project).await);
    let begin = Instant::now();
    let (claimed, _) =
        tokio::join!(app.claim_as("one", json!({"wait_ms": 20_000})), app.move_to(&ticket, "in_progress"));
    assert!(ticket.ends_with(claimed.unwrap()["ticket_id"].as_str().unwrap()));
    let insert = format!(
        "insert into agent_jobs (ticket_id, project_id) values ('{}', '{}')",
        other.rsplit('/').next().unwrap(),
        project.rsplit('/').next().unwrap()
    );
    let by_hand = async { TestPostgres::shared().execute(&app.database, &insert).unwrap() };
    let (claimed, ()) = tokio::join!(app.claim_as("one", json!({"wait_ms": 20_000})), by_hand);
    assert!(other.ends_with(claimed.unwrap()["ticket_id"].as_str().unwrap()));
    assert!(begin.elapsed() < Duration::from_secs(10), "neither waited for a safety poll");
    assert!(app.claim_as("one", json!({"wait_ms": 50})).await.is_none());
}

#[tokio::test]
async fn a_claim_repeated_with_its_request_id_gets_the_same_job() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    enqueue(&app, &project).await;
    enqueue(&app, &project).await;
    let request = json!({"request_id": "00000000-0000-0000-0000-000000000001"});
    let first = app.claim_as("one", request.clone()).await.unwrap();
    let again = app.claim_as("one", request.clone()).await.unwrap();
    assert_eq!((&first["job_id"], &first["attempt"]), (&again["job_id"], &again["attempt"]));
    assert_ne!(app.claim_as("two", request).await.unwrap()["job_id"], first["job_id"]);
}

#[tokio::test]
async fn a_released_job_costs_nothing_and_is_claimed_again() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    enqueue(&app, &project).await;
    let job = app.claim_as("one", json!({})).await.unwrap();
    let release = format!("{}/release", TestApp::job_path(&job));
    let body = json!({"attempt": 1, "worker_id": "one"});
    assert_eq!(app.post(&release, json!({"attempt": 1, "worker_id": "two"})).await.error(409), "stale_attempt");
    for _ in 0..2 {
        assert_eq!(app.post(&release, body.clone()).await.expect(200)["status"], "pending");
    }
    let again = app.claim_as("two", json!({})).await.unwrap();
    assert_eq!((&again["job_id"], &again["attempt"]), (&job["job_id"], &json!(2)));
    let failures: i32 = sqlx::query_scalar("select failures from agent_jobs").fetch_one(&app.pool).await.unwrap();
    assert_eq!(failures, 0);
}

#[tokio::test]
async fn infrastructure_failures_are_tried_again_and_agent_failures_are_not() {
    let app = TestApp::start().await;
    let project = app.project().await;
    enqueue(&app, &project).await;
    let job = app.claim_as("one", json!({})).await.unwrap();
    let path = TestApp::job_path(&job);
    let lost = json!({"attempt": 1, "reason": "engine_error", "detail": "no space", "log_tail": "tail"});
    assert_eq!(app.post(&format!("{path}/fail"), lost).await.expect(200)["status"], "pending");
    sqlx::query("update agent_jobs set due = true").execute(&app.pool).await.unwrap();
    app.claim_as("one", json!({})).await.unwrap();
    let failed = json!({"attempt": 2, "reason": "agent_failed"});
    assert_eq!(app.post(&format!("{path}/fail"), failed).await.expect(200)["status"], "failed");
    let id = job["job_id"].as_str().unwrap();
    let detail = app.get(&format!("/api/jobs/{id}")).await.expect(200);
    assert_eq!((&detail["status"], &detail["failures"]), (&json!("failed"), &json!(2)));
    let attempts: Vec<_> =
        detail["attempts"].as_array().unwrap().iter().map(|a| (a["outcome"].clone(), a["reason"].clone())).collect();
    let expected = [("retried", "engine_error"), ("failed", "agent_failed")].map(|(o, r)| (json!(o), json!(r)));
    assert_eq!(attempts, expected);
}

#[tokio::test]
async fn a_limit_holds_exactly_under_concurrent_claims_on_two_replicas() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    for _ in 0..8 {
        enqueue(&app, &project).await;
    }
    sqlx::query("update projects set max_running = 3").execute(&app.pool).await.unwrap();
    let (other, _replica) = app.replica().await;
    let claims = (0..16).map(|n| {
        let base = if n % 2 == 0 { &app.base } else { &other };
        let request = app.http().post(format!("{base}/api/worker/jobs/start")).json(&json!({"worker_id": "w"}));
        TestApp::reply(request)
    });
    let replies = futures::future::join_all(claims).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 3);
}

#[tokio::test]
async fn projects_share_by_running_jobs_and_a_paused_one_waits() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let (large, small, paused) = (app.project().await, app.project().await, app.project().await);
    for _ in 0..5 {
        enqueue(&app, &large).await;
    }
    enqueue(&app, &paused).await;
    enqueue(&app, &small).await;
    let id = |project: &str| project.rsplit('/').next().unwrap().to_owned();
    sqlx::query("update projects set paused = true where id = $1::uuid")
        .bind(id(&paused))
        .execute(&app.pool)
        .await
        .unwrap();
    let mut claimed = Vec::new();
    for _ in 0..3 {
        claimed.push(app.claim_as("w", json!({})).await.unwrap()["project_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(claimed, [id(&large), id(&small), id(&large)]);
    while app.claim_as("w", json!({})).await.is_some() {}
    assert_eq!(app.jobs().await.iter().filter(|(status, _)| status == "pending").count(), 1);
}

#[tokio::test]
async fn jobs_are_listed_in_pages() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    for _ in 0..5 {
        enqueue(&app, &project).await;
    }
    app.claim_as("w", json!({})).await.unwrap();
    let page = app.get("/api/jobs?limit=3").await.expect(200);
    assert_eq!(page["jobs"].as_array().unwrap().len(), 3);
    let rest = app.get(&format!("/api/jobs?limit=3&cursor={}", page["next_cursor"])).await.expect(200);
    assert_eq!((rest["jobs"].as_array().unwrap().len(), rest.get("next_cursor")), (2, None));
    let running = app.get("/api/jobs?status=running&kind=ticket").await.expect(200);
    assert_eq!(running["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(app.get("/api/jobs?status=lost").await.error(400), "invalid_query");
}
