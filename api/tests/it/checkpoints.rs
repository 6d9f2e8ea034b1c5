//! Checkpoints: what a job stops at, who decides, and what becomes of the job meanwhile.

use crate::support::{Reply, TestApp};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;
use terarchitect_api::state::AppConfig;

/// A ticket with a job that runs.
struct Running {
    ticket: String,
    job: Value,
}

impl Running {
    async fn start(app: &TestApp, project: &str) -> Self {
        let ticket = app.ticket(project).await;
        app.move_to(&ticket, "in_progress").await;
        let job = app.claim_as("one", json!({})).await.unwrap();
        Self { ticket, job }
    }

    /// A call with the token of the job.
    async fn call(&self, app: &TestApp, method: Method, path: &str, body: Value) -> Reply {
        let token = self.job["job_token"].as_str();
        app.request(method, &format!("{}{path}", self.ticket), token, Some(&body)).await
    }

    async fn open(&self, app: &TestApp, key: &str) -> Value {
        let asked = json!({
            "key": key, "type": "approval_required", "stage": "plan", "message": "Should the agent work by this plan?",
            "data": {"text": "1. Say hello."}, "metadata": {"stage": "plan"}
        });
        self.call(app, Method::POST, "/checkpoints", asked).await.expect(200)
    }

    async fn hold(&self, app: &TestApp, checkpoint: &Value) -> Value {
        self.call(app, Method::POST, "/hold", json!({"checkpoint_id": checkpoint["id"]})).await.expect(200)
    }

    fn id(&self) -> &str {
        self.job["job_id"].as_str().unwrap()
    }

    async fn now(&self, app: &TestApp) -> Value {
        app.get(&format!("/api/jobs/{}", self.id())).await.expect(200)
    }
}

fn admin(checkpoint: &Value) -> String {
    format!("/api/admin/agent-checkpoints/{}", checkpoint["id"].as_str().unwrap())
}

async fn inbox(app: &TestApp) -> Vec<Value> {
    app.get("/api/inbox").await.expect(200)["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_person_decides_while_the_attempt_waits() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let running = Running::start(&app, &project).await;
    let opened = running.open(&app, "plan:1").await;
    assert_eq!((&opened["status"], &opened["words"]), (&json!("pending"), &Value::Null));
    assert_eq!(running.open(&app, "plan:1").await, opened, "the same key is the same checkpoint");

    let listed = app.get("/api/admin/agent-checkpoints?checkpointType=APPROVAL_REQUIRED").await.expect(200);
    let first = &listed["checkpoints"][0];
    assert_eq!((&listed["success"], &listed["pagination"]), (&json!(true), &json!({"limit": 50, "offset": 0})));
    assert_eq!((&first["checkpointType"], &first["status"]), (&json!("APPROVAL_REQUIRED"), &json!("PENDING")));
    assert_eq!((&first["data"]["text"], &first["jobId"]), (&json!("1. Say hello."), &running.job["ticket_id"]));
    assert_eq!((&first["job"]["status"], &first["job"]["taskDescription"]), (&json!("RUNNING"), &json!("Say hello")));
    let none = app.get("/api/admin/agent-checkpoints?checkpointType=INFO").await.expect(200);
    assert_eq!(none["checkpoints"], json!([]));
    let waiting = inbox(&app).await;
    assert_eq!((waiting.len(), &waiting[0]["kind"]), (1, &json!("checkpoint")));
    assert_eq!(waiting[0]["checkpoint"]["id"], opened["id"]);
    assert_eq!(app.get("/api/summary").await.expect(200)["need_person"], 1);

    let path = format!("/checkpoints/{}?wait_ms=20000", opened["id"].as_str().unwrap());
    let waits = running.call(&app, Method::GET, &path, json!({}));
    let decides = async {
        // The request is there before the decision, or it finds it: both are right.
        app.post(&admin(&opened), json!({"answer": "Say it in French."})).await.expect(200)
    };
    let (told, decided) = tokio::join!(waits, decides);
    assert_eq!(told.expect(200)["words"], "Say it in French.");
    assert_eq!((&decided["success"], &decided["message"]), (&json!(true), &json!("Checkpoint approved successfully")));
    assert_eq!(decided["checkpoint"]["status"], "APPROVED");
    assert_eq!(decided["checkpoint"]["approvedBy"], "local");
    assert!(decided["checkpoint"]["approvedAt"].is_string() && decided["checkpoint"]["rejectionReason"].is_null());

    let again = app.delete(&admin(&opened)).await;
    assert_eq!(again.body["error"], "This checkpoint is approved already; nothing was changed.");
    assert_eq!(again.error(400), "already_decided");
    assert!(inbox(&app).await.is_empty());
    assert_eq!(running.now(&app).await["status"], "running");
    let events = app.get("/api/events?kind=checkpoint").await.expect(200);
    let kinds: Vec<_> = events["events"].as_array().unwrap().iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["checkpoint.opened", "checkpoint.decided"]);
}

#[tokio::test]
async fn a_held_job_costs_nothing_and_goes_on_where_it_was() {
    let mut app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    app.put(&project, json!({"max_running": 1})).await.expect(200);
    let running = Running::start(&app, &project).await;
    let opened = running.open(&app, "plan:1").await;
    let archive = vec![7_u8; 100_000];
    let url = format!("{}{}/conversation?turn=2&agent=opencode", app.base, running.ticket);
    let token = running.job["job_token"].as_str().unwrap();
    let kept = app.http().put(&url).bearer_auth(token).body(archive.clone()).send().await.unwrap();
    assert_eq!(kept.status(), 200);
    let held = running.hold(&app, &opened).await;
    assert_eq!(held["held"], true);

    // Nothing of it runs, but to people and programs outside it is running.
    let job = running.now(&app).await;
    assert_eq!((&job["status"], &job["worker_id"], &job["failures"]), (&json!("running"), &Value::Null, &json!(0)));
    assert!(job["held_at"].is_string() && job["lease_expires_at"].is_null());
    assert_eq!(job["attempts"][0]["outcome"], "held");
    let running_jobs = app.get("/api/jobs?status=running").await.expect(200);
    assert_eq!(running_jobs["jobs"][0]["id"], running.job["job_id"]);
    assert_eq!(app.get("/api/jobs?status=pending").await.expect(200)["jobs"], json!([]));
    let card = app.get(&format!("{}/card", running.ticket)).await.expect(200);
    assert_eq!((&card["state"]["word"], &card["needs_person"]), (&json!("held"), &json!(true)));
    running.call(&app, Method::GET, "/worker-context", json!({})).await.error(401);

    // Whatever its coordinator reports now changes nothing, whether it names the attempt or not.
    let fail = format!("{}/fail", TestApp::job_path(&running.job));
    for report in
        [json!({"attempt": 1, "worker_id": "one", "reason": "agent_failed"}), json!({}), json!({"attempt": 1})]
    {
        assert_eq!(app.post(&fail, report).await.expect(200)["status"], "running");
    }
    let second = app.ticket(&project).await;
    assert_eq!(app.post(&format!("{second}/jobs"), json!({})).await.status, 201);
    let other = app.claim_as("two", json!({})).await.unwrap();
    assert_ne!(other["job_id"], running.job["job_id"], "its slot is free for another one");
    app.post(&format!("{}/complete", TestApp::job_path(&other)), json!({"attempt": 1})).await.expect(200);
    assert!(app.claim_as("two", json!({})).await.is_none(), "what is held is not claimed");
    app.post(&format!("{}/jobs", running.ticket), json!({})).await.error(409);

    // The API is restarted, and a claim waits when the person decides.
    app.restart(AppConfig::default()).await;
    let waits = app.claim_as("two", json!({"wait_ms": 20_000}));
    let path = admin(&opened);
    let (claimed, decided) = tokio::join!(waits, app.post(&path, json!({})));
    decided.expect(200);
    let next = Running { ticket: running.ticket.clone(), job: claimed.unwrap() };
    assert_eq!((&next.job["job_id"], &next.job["attempt"]), (&running.job["job_id"], &json!(2)));
    assert_eq!(next.open(&app, "plan:1").await["status"], "approved", "it is not asked twice");
    let context = next.call(&app, Method::GET, "/worker-context", json!({})).await.expect(200);
    assert_eq!(context["conversation"], json!({"attempt": 1, "turn": 2, "agent": "opencode", "bytes": 100_000}));
    let url = format!("{}{}/conversation", app.base, next.ticket);
    let token = next.job["job_token"].as_str().unwrap();
    let read = app.http().get(&url).bearer_auth(token).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(read, archive);
    // A report about the first attempt that comes late does not end the second one.
    assert_eq!(app.post(&fail, json!({"attempt": 1, "worker_id": "one"})).await.expect(200)["status"], "running");
    assert_eq!(next.now(&app).await["worker_id"], "two");
}

#[tokio::test]
async fn the_container_of_a_job_that_was_just_held_is_left_to_end_by_itself() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let running = Running::start(&app, &app.project().await).await;
    let state = async |worker: &str| {
        let jobs = json!([{"job_id": running.job["job_id"], "attempt": 1}]);
        let reply = app.post("/api/worker/heartbeat", json!({"worker_id": worker, "jobs": jobs})).await.expect(200);
        reply["jobs"][0]["state"].as_str().unwrap().to_owned()
    };
    let opened = running.open(&app, "plan:1").await;
    running.hold(&app, &opened).await;
    assert_eq!((state("one").await.as_str(), state("two").await.as_str()), ("held", "lost"));
    assert_eq!(running.now(&app).await["lease_expires_at"], Value::Null, "it has no lease for that");
    sqlx::query("update agent_job_attempts set ended_at = now() - interval '61 seconds'")
        .execute(&app.pool)
        .await
        .unwrap();
    assert_eq!(state("one").await, "lost", "its runner hangs");
}

#[tokio::test]
async fn a_rejected_job_fails_for_good() {
    let app = TestApp::start().await;
    let project = app.project().await;
    app.put(&project, json!({"retry_agent_failures": 5})).await.expect(200);
    let (held, running) = (Running::start(&app, &project).await, Running::start(&app, &project).await);
    let first = held.open(&app, "plan:1").await;
    held.hold(&app, &first).await;
    let second = running.open(&app, "plan:1").await;
    let reason = json!({"reason": "Code doesn't meet security standards"});
    for checkpoint in [&first, &second] {
        let rejected = app.request(Method::DELETE, &admin(checkpoint), None, Some(&reason)).await.expect(200);
        assert_eq!(rejected["message"], "Checkpoint rejected successfully");
        assert_eq!(rejected["checkpoint"]["status"], "REJECTED");
        assert_eq!(rejected["checkpoint"]["rejectionReason"], reason["reason"]);
    }
    for job in [held, running] {
        let ended = job.now(&app).await;
        assert_eq!((&ended["status"], &ended["outcome_reason"]), (&json!("failed"), &json!("checkpoint_rejected")));
        assert_eq!(ended["attempts"][0]["detail"], reason["reason"]);
        let card = app.get(&format!("{}/card", job.ticket)).await.expect(200);
        assert_eq!(card["state"]["sentence"], "Failed: a person rejected it: Code doesn't meet security standards.");
    }
    let kinds: Vec<Value> = inbox(&app).await.into_iter().map(|item| item["kind"].clone()).collect();
    assert_eq!(kinds, ["failed", "failed"]);
}

/// Its attempt was lost at the checkpoint: the next one must not find a person's no.
#[tokio::test]
async fn a_job_between_two_attempts_is_rejected_or_expires_as_well() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let (rejected, expired) = (Running::start(&app, &project).await, Running::start(&app, &project).await);
    let first = rejected.open(&app, "plan:1").await;
    let second = expired.open(&app, "plan:1").await;
    for job in [&rejected, &expired] {
        let report = json!({"attempt": 1, "worker_id": "one", "reason": "engine_restart", "exit_code": 137});
        let reply = app.post(&format!("{}/fail", TestApp::job_path(&job.job)), report).await.expect(200);
        assert_eq!(reply["status"], "pending", "it will be retried");
    }
    assert_eq!(inbox(&app).await.len(), 2, "a person still decides");
    let reason = json!({"reason": "Too risky."});
    app.request(Method::DELETE, &admin(&first), None, Some(&reason)).await.expect(200);
    let id = uuid::Uuid::parse_str(second["id"].as_str().unwrap()).unwrap();
    sqlx::query("update checkpoints set expires_at = now() where id = $1").bind(id).execute(&app.pool).await.unwrap();
    app.eventually(async || expired.now(&app).await["status"] == "failed").await;
    for (job, outcome) in [(rejected, "checkpoint_rejected"), (expired, "checkpoint_expired")] {
        let ended = job.now(&app).await;
        assert_eq!((&ended["status"], &ended["outcome_reason"]), (&json!("failed"), &json!(outcome)));
        let next = app.claim_as("two", json!({})).await;
        assert!(next.is_none(), "no attempt follows: {next:?}");
    }
}

#[tokio::test]
async fn what_nobody_decides_expires() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let running = Running::start(&app, &project).await;
    let opened = running.open(&app, "plan:1").await;
    let told = json!({"key": "told", "type": "info", "message": "It works."});
    running.call(&app, Method::POST, "/checkpoints", told).await.expect(200);
    running.hold(&app, &opened).await;
    let left: i64 = sqlx::query_scalar("select extract(hour from min(expires_at) - now())::bigint from checkpoints")
        .fetch_one(&app.pool)
        .await
        .unwrap();
    assert_eq!(left, 23, "a day, of which a moment has passed");
    sqlx::query("update checkpoints set expires_at = now()").execute(&app.pool).await.unwrap();
    assert_eq!(app.post(&admin(&opened), json!({})).await.error(400), "already_decided", "it is too late");
    app.eventually(async || running.now(&app).await["status"] == "failed").await;
    assert_eq!(running.now(&app).await["outcome_reason"], "checkpoint_expired");
    let all = app.get(&format!("/api/jobs/{}/checkpoints", running.id())).await.expect(200);
    app.eventually(async || {
        let all = app.get(&format!("/api/jobs/{}/checkpoints", running.id())).await.expect(200);
        all["checkpoints"].as_array().unwrap().iter().all(|checkpoint| checkpoint["status"] == "expired")
    })
    .await;
    assert_eq!(all["checkpoints"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_held_job_is_cancelled_at_once_and_nothing_waits_any_more() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let running = Running::start(&app, &project).await;
    let opened = running.open(&app, "plan:1").await;
    running.hold(&app, &opened).await;
    let cancelled = app.post(&format!("/api/jobs/{}/cancel", running.id()), json!({})).await.expect(200);
    assert_eq!(cancelled["message"], "The job is cancelled");
    assert_eq!(running.now(&app).await["status"], "cancelled");
    let checkpoint = app.get(&format!("/api/checkpoints/{}", opened["id"].as_str().unwrap())).await.expect(200);
    assert_eq!((&checkpoint["status"], &checkpoint["decided_by"]), (&json!("rejected"), &json!("system")));
    assert!(inbox(&app).await.is_empty());
    assert_eq!(app.post(&admin(&opened), json!({})).await.error(400), "already_decided");
}

#[tokio::test]
async fn an_attempt_goes_on_if_the_decision_comes_before_it_hands_over() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let running = Running::start(&app, &project).await;
    let opened = running.open(&app, "plan:1").await;
    app.post(&admin(&opened), json!({})).await.expect(200);
    let held = running.hold(&app, &opened).await;
    assert_eq!((&held["held"], &held["checkpoint"]["status"]), (&json!(false), &json!("approved")));
    assert_eq!(running.now(&app).await["worker_id"], "one");
    // What belongs to another job holds none.
    let other = Running::start(&app, &project).await;
    let body = json!({"checkpoint_id": opened["id"]});
    assert_eq!(other.call(&app, Method::POST, "/hold", body).await.error(404), "not_found");
}

/// A coordinator of the plain contract names no attempts: its report must have come before the next attempt begins.
#[tokio::test]
async fn the_next_attempt_waits_for_the_report_of_a_plain_coordinator() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    app.move_to(&ticket, "in_progress").await;
    let running = Running { job: app.claim(&project).await.unwrap(), ticket };
    let opened = running.open(&app, "plan:1").await;
    running.hold(&app, &opened).await;
    app.post(&admin(&opened), json!({})).await.expect(200);
    assert!(app.claim(&project).await.is_none(), "its report may still be on its way");
    let job = running.now(&app).await;
    assert_eq!((&job["status"], &job["held_at"]), (&json!("pending"), &Value::Null));
    sqlx::query("update agent_jobs set run_at = now()").execute(&app.pool).await.unwrap();
    let next = app.claim_as("two", json!({"wait_ms": 20_000})).await.unwrap();
    assert_eq!(next["attempt"], 2);
}

#[tokio::test]
async fn fifty_checkpoints_hold_no_slot() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    app.put(&project, json!({"max_running": 1})).await.expect(200);
    for _ in 0..50 {
        let running = Running::start(&app, &project).await;
        let opened = running.open(&app, "plan:1").await;
        running.hold(&app, &opened).await;
    }
    assert_eq!(inbox(&app).await.len(), 50);
    let metrics = app.http().get(format!("{}/metrics", app.base)).send().await.unwrap().text().await.unwrap();
    let id = project.rsplit('/').next().unwrap();
    assert!(
        metrics.contains(&format!("terarchitect_queue_jobs{{project_id=\"{id}\",state=\"held\"}} 50")),
        "{metrics}"
    );
    assert!(
        metrics.contains(&format!("terarchitect_queue_jobs{{project_id=\"{id}\",state=\"running\"}} 0")),
        "{metrics}"
    );
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_a_sentence() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let running = Running::start(&app, &project).await;
    let good = json!({"key": "k", "type": "info", "message": "m"});
    for (field, value) in [("key", json!("")), ("key", json!("x".repeat(201))), ("message", json!(" "))] {
        let mut bad = good.clone();
        bad[field] = value;
        assert_eq!(running.call(&app, Method::POST, "/checkpoints", bad).await.error(400), "invalid_field");
    }
    let mut large = good.clone();
    large["data"] = json!({"text": "x".repeat(1_100_000)});
    assert_eq!(running.call(&app, Method::POST, "/checkpoints", large).await.error(400), "invalid_field");
    let unknown = format!("/api/admin/agent-checkpoints/{}", uuid::Uuid::nil());
    assert_eq!(app.post(&unknown, json!({})).await.error(404), "not_found");
    let url = format!("{}{}/conversation?turn=1&agent=opencode", app.base, running.ticket);
    let token = running.job["job_token"].as_str().unwrap();
    let request = app.http().put(&url).bearer_auth(token).timeout(Duration::from_secs(60)).body(vec![0; 33 << 20]);
    assert_eq!(TestApp::reply(request).await.error(413), "body_too_large");
    assert_eq!(app.get(&format!("{}/conversation", running.ticket)).await.status, 204);
}
