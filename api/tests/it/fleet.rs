//! The fleet: hosts and what they hold, limits, and the stop of everything.

use crate::support::TestApp;
use serde_json::{Value, json};

async fn queued(app: &TestApp, project: &str) -> String {
    let ticket = app.ticket(project).await;
    app.move_to(&ticket, "in_progress").await;
    ticket
}

async fn word(app: &TestApp, ticket: &str) -> Value {
    app.get(&format!("{ticket}/card")).await.expect(200)["state"]["word"].clone()
}

#[tokio::test]
async fn a_heartbeat_says_what_the_host_is_like() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = queued(&app, &project).await;
    let job = app.claim_as("one", json!({})).await.unwrap();
    let finding = json!({"check": "disk", "ok": false, "sentence": "12 MiB free.", "fix": "Remove unused images."});
    let beat = json!({"worker_id": "one", "name": "build-1", "version": "1.0", "slots": 2,
        "jobs": [{"job_id": job["job_id"], "attempt": 1}], "disk_free_bytes": 12_000_000, "disk_total_bytes": 99_000_000_000_i64,
        "engine": "Docker 29", "adopted": 3, "findings": [finding]});
    app.post("/api/worker/heartbeat", beat).await.expect(200);
    app.put(&project, json!({"max_running": 4})).await.expect(200);

    let fleet = app.get("/api/fleet").await.expect(200);
    let host = &fleet["coordinators"][0];
    assert_eq!((&host["name"], &host["engine"], &host["adopted"]), (&json!("build-1"), &json!("Docker 29"), &json!(3)));
    assert_eq!((&host["disk_free_bytes"], &host["lost"]), (&json!(12_000_000), &json!(false)));
    assert_eq!(host["findings"], json!([finding]));
    assert_eq!(host["limit"], Value::Null);
    let held = &host["jobs"][0];
    assert_eq!((&held["title"], &held["state"]["word"]), (&json!("Say hello"), &json!("starting")));
    assert_eq!(held["ticket_id"].as_str(), ticket.rsplit('/').next());
    assert!(held["lease_remaining_ms"].as_i64().unwrap() > 60_000);
    let queue = &fleet["queue"][0];
    assert_eq!((&queue["running"], &queue["due"], &queue["limit"]), (&json!(1), &json!(0), &json!(4)));
    assert_eq!((&fleet["stopped"], &fleet["stopped_at"]), (&json!(false), &Value::Null));

    sqlx::query("update coordinators set last_heartbeat_at = now() - interval '5 minutes'")
        .execute(&app.pool)
        .await
        .unwrap();
    let lost = app.get("/api/fleet").await.expect(200);
    assert_eq!(lost["coordinators"][0]["lost"], true);
    assert_eq!(app.get("/api/summary").await.expect(200)["hosts"], 0);
}

#[tokio::test]
async fn a_limit_reaches_the_coordinator_with_its_next_heartbeat() {
    let app = TestApp::start().await;
    let beat = async |base: &str| {
        let request = app.http().post(format!("{base}/api/worker/heartbeat"));
        TestApp::reply(request.json(&json!({"worker_id": "one", "slots": 4}))).await.expect(200)
    };
    let (other, _replica) = app.replica().await;
    assert_eq!(beat(&app.base).await["slot_limit"], Value::Null);
    beat(&other).await;
    app.put("/api/coordinators/one", json!({"limit": 1})).await.expect(200);
    assert_eq!(beat(&app.base).await["slot_limit"], 1);
    app.eventually(async || beat(&other).await["slot_limit"] == 1).await;
    app.put("/api/coordinators/one", json!({"directive": "drain"})).await.expect(200);
    let answer = beat(&app.base).await;
    assert_eq!((&answer["directive"], &answer["slot_limit"]), (&json!("drain"), &json!(1)), "each stays as it was");
    app.put("/api/coordinators/one", json!({"limit": null})).await.expect(200);
    assert_eq!(beat(&app.base).await["slot_limit"], Value::Null);
    assert_eq!(app.put("/api/coordinators/one", json!({"limit": 0})).await.error(400), "invalid_field");
    assert_eq!(app.put("/api/coordinators/one", json!({})).await.error(400), "invalid_field");
    assert_eq!(app.put("/api/coordinators/two", json!({"limit": 1})).await.error(404), "not_found");
}

#[tokio::test]
async fn stop_everything_stops_what_runs_and_keeps_what_waits() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let (running, waiting) = (queued(&app, &project).await, queued(&app, &project).await);
    let job = app.claim_as("one", json!({})).await.unwrap();
    let stopped = app.post("/api/fleet/stop", json!({})).await.expect(200);
    assert_eq!(stopped, json!({"stopped": true, "cancelled": 1}));
    assert_eq!(word(&app, &running).await, "stopping");
    let held = json!([{"job_id": job["job_id"], "attempt": 1}]);
    let beat = app.post("/api/worker/heartbeat", json!({"worker_id": "one", "jobs": held})).await.expect(200);
    assert_eq!(beat["jobs"][0]["state"], "cancel");
    assert_eq!(app.get(&format!("{running}/cancel-requested")).await.expect(200)["cancel_requested"], true);
    app.post(&format!("{}/fail", TestApp::job_path(&job)), json!({"attempt": 1, "worker_id": "one", "exit_code": 143}))
        .await
        .expect(200);
    assert_eq!(word(&app, &running).await, "cancelled");

    // Nothing is claimed: by this process, by another one, for any project or for one.
    let (other, _replica) = app.replica().await;
    assert!(app.claim_as("one", json!({})).await.is_none());
    assert!(app.claim(&project).await.is_none());
    let start = app.http().post(format!("{other}/api/worker/jobs/start")).json(&json!({"worker_id": "two"}));
    assert_eq!(TestApp::reply(start).await.status.as_u16(), 204);
    let card = app.get(&format!("{waiting}/card")).await.expect(200);
    assert_eq!(card["state"]["why"]["code"], "stopped");
    let fleet = app.get("/api/fleet").await.expect(200);
    assert_eq!((&fleet["stopped"], &fleet["stopped_by"]), (&json!(true), &json!("local")));
    assert_eq!(fleet["queue"][0]["due"], 1);
    assert_eq!(app.post("/api/fleet/stop", json!({})).await.expect(200)["cancelled"], 0, "again");

    app.post("/api/fleet/resume", json!({})).await.expect(200);
    assert!(app.claim_as("one", json!({})).await.is_some());
    let kinds = app.get("/api/events?kind=fleet").await.expect(200);
    let kinds: Vec<_> = kinds["events"].as_array().unwrap().iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["fleet.stopped", "fleet.resumed"]);
}

#[tokio::test]
async fn a_waiting_claim_gets_its_job_right_after_the_resume() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    app.post("/api/fleet/stop", json!({})).await.expect(200);
    queued(&app, &project).await;
    let (other, _replica) = app.replica().await;
    let claim = app.http().post(format!("{other}/api/worker/jobs/start"));
    let claim = claim.json(&json!({"worker_id": "one", "wait_ms": 20_000}));
    let waits = tokio::spawn(TestApp::reply(claim));
    app.eventually(async || {
        let metrics = app.http().get(format!("{other}/metrics")).send().await.unwrap().text().await.unwrap();
        metrics.lines().any(|line| line.starts_with("terarchitect_waiting_claims") && line.ends_with(" 1"))
    })
    .await;
    let asked = std::time::Instant::now();
    app.post("/api/fleet/resume", json!({})).await.expect(200);
    waits.await.unwrap().expect(200);
    assert!(asked.elapsed() < std::time::Duration::from_secs(5), "{:?}", asked.elapsed());
}

/// Claims and stops at once, on two processes: after the stop returned, no job runs that was not asked to stop.
#[tokio::test]
async fn no_claim_slips_past_a_stop() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let (other, _replica) = app.replica().await;
    for _ in 0..10 {
        for _ in 0..6 {
            queued(&app, &project).await;
        }
        let claims = (0..6).map(|n| {
            let base = if n % 2 == 0 { &app.base } else { &other };
            let request = app.http().post(format!("{base}/api/worker/jobs/start"));
            TestApp::reply(request.json(&json!({"worker_id": format!("w{n}")})))
        });
        let stop = app.post("/api/fleet/stop", json!({}));
        futures::future::join(futures::future::join_all(claims), stop).await.1.expect(200);
        let slipped: i64 = sqlx::query_scalar(
            "select count(*) from agent_jobs where status = 'running' and cancel_requested_at is null",
        )
        .fetch_one(&app.pool)
        .await
        .unwrap();
        assert_eq!(slipped, 0);
        app.post("/api/fleet/resume", json!({})).await.expect(200);
    }
}
