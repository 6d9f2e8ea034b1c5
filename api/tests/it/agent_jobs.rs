//! Jobs of the agent worker's guide: their lists, their ends, what is refused, and the worker. `agent_worker_guide.rs` types its commands.

use crate::support::TestApp;
use http::Method;
use serde_json::{Value, json};

async fn create(app: &TestApp, job_type: &str, input: Value) -> Value {
    let body = json!({"jobType": job_type, "taskDescription": "Do it", "inputData": input});
    app.post("/api/agent-jobs", body).await.expect(201)["job"].clone()
}

async fn job(app: &TestApp, id: &Value) -> Value {
    app.get(&format!("/api/agent-jobs/{}", id.as_str().unwrap())).await.expect(200)["job"].clone()
}

async fn checkpoints(app: &TestApp, id: &Value) -> Vec<Value> {
    let path = format!("/api/agent-jobs/{}/checkpoints", id.as_str().unwrap());
    app.get(&path).await.expect(200)["checkpoints"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_the_guide_counts_is_counted_with_the_right_types() {
    let app = TestApp::start().await;
    let code = create(&app, "code-generation", json!({"files": []})).await;
    let waits = checkpoints(&app, &code["id"]).await;
    let approve = format!("/api/admin/agent-checkpoints/{}", waits[0]["id"].as_str().unwrap());
    app.post(&approve, json!({})).await.expect(200);
    let claimed = app.claim_as("one", json!({})).await.unwrap();
    app.post(&format!("{}/complete", TestApp::job_path(&claimed)), json!({"attempt": 1})).await.expect(200);
    let metrics = app.http().get(format!("{}/api/metrics", app.base)).send().await.unwrap().text().await.unwrap();
    for line in [
        "# TYPE agent_jobs_total gauge",
        "agent_jobs_total{status=\"COMPLETED\"} 1",
        "agent_jobs_total{status=\"PENDING\"} 0",
        "# TYPE agent_jobs_duration_seconds histogram",
        "agent_jobs_duration_seconds_bucket{status=\"COMPLETED\",le=\"1\"} 1",
        "agent_jobs_duration_seconds_bucket{status=\"COMPLETED\",le=\"+Inf\"} 1",
        "agent_jobs_duration_seconds_count{status=\"COMPLETED\"} 1",
        "agent_checkpoints_total{status=\"APPROVED\"} 1",
        "agent_checkpoints_pending 0",
        "agent_worker_active_jobs 0",
    ] {
        assert!(metrics.lines().any(|printed| printed == line), "{line} is missing in:\n{metrics}");
    }
}

#[tokio::test]
async fn what_a_job_s_models_used_is_in_the_guides_fields() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let made = create(&app, "simple-task", json!({})).await;
    assert_eq!((&made["tokensUsed"], &made["estimatedCost"]), (&Value::Null, &Value::Null), "{made}");
    app.claim_as("one", json!({})).await.unwrap();
    let (project, ticket) = (made["projectId"].as_str().unwrap(), made["id"].as_str().unwrap());
    let usage = json!({"whose": "agent", "model": "large", "calls": 2, "input": 1_000_000, "output": 500_000});
    app.put(&format!("/api/projects/{project}/tickets/{ticket}/usage"), json!({"models": [usage]})).await.expect(200);
    let unpriced = job(&app, &made["id"]).await;
    assert_eq!((&unpriced["tokensUsed"], &unpriced["estimatedCost"]), (&json!(1_500_000), &Value::Null));
    let prices = json!({"MODEL_PRICES": r#"{"large": {"input": 3, "output": 15}}"#});
    app.put("/api/settings", prices).await.expect(200);
    let listed = app.get("/api/agent-jobs").await.expect(200)["jobs"][0].clone();
    let cancelled = app.patch(&format!("/api/agent-jobs/{ticket}"), json!({"action": "cancel"})).await.expect(200);
    for shown in [&job(&app, &made["id"]).await, &listed, &cancelled["job"]] {
        assert_eq!((&shown["tokensUsed"], &shown["estimatedCost"]), (&json!(1_500_000), &json!(10.5)), "{shown}");
    }
}

#[tokio::test]
async fn jobs_are_listed_filtered_and_paged_in_the_guides_words() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let body = json!({
        "jobType": "simple-task", "taskDescription": "Process user data",
        "inputData": {"userId": "user-123", "action": "update-profile"}, "priority": 5
    });
    let reply = app.post("/api/agent-jobs", body).await.expect(201);
    let simple = &reply["job"];
    assert_eq!((&reply["success"], &simple["status"], &simple["logs"]), (&json!(true), &json!("PENDING"), &json!([])));
    assert_eq!((&simple["jobType"], &simple["priority"]), (&json!("simple-task"), &json!(5)));
    let told = checkpoints(&app, &simple["id"]).await;
    assert_eq!((told.len(), &told[0]["checkpointType"]), (1, &json!("INFO")), "it blocks nothing");
    let files =
        json!({"files": [{"path": "lib/auth.ts", "content": "export"}], "description": "User authentication module"});
    let code = create(&app, "code-generation", files).await;
    let data = create(&app, "data-processing", json!({"operation": "transform", "data": [{"id": 1}]})).await;
    let waits = checkpoints(&app, &code["id"]).await;
    assert_eq!(waits[0]["data"]["files"][0], json!({"path": "lib/auth.ts", "contentPreview": "export", "size": 6}));
    assert_eq!((&waits[0]["data"]["totalFiles"], &waits[0]["jobId"]), (&json!(1), &code["id"]));
    assert_eq!(checkpoints(&app, &data["id"]).await[0]["metadata"]["stage"], "input_review");

    let all = app.get("/api/agent-jobs?limit=2&offset=0").await.expect(200);
    assert_eq!(all["pagination"], json!({"total": 3, "limit": 2, "offset": 0, "hasMore": true}));
    assert_eq!(
        (&all["jobs"][0]["id"], &all["jobs"][0]["_count"]),
        (&data["id"], &json!({"logs": 0, "checkpoints": 1}))
    );
    let pending = app.get("/api/agent-jobs?status=PENDING").await.expect(200);
    assert_eq!((pending["jobs"].as_array().unwrap().len(), &pending["jobs"][0]["id"]), (1, &simple["id"]));
    let code_only = app.get("/api/agent-jobs?jobType=code-generation&status=RUNNING").await.expect(200);
    assert_eq!(code_only["pagination"]["total"], 1);
    assert_eq!(app.get("/api/agent-jobs?status=NOPE").await.error(400), "invalid_query");
    let listed = app.get("/api/admin/agent-checkpoints").await.expect(200);
    assert_eq!(listed["checkpoints"].as_array().unwrap().len(), 3);
    let whole = job(&app, &code["id"]).await;
    assert_eq!(
        (&whole["checkpoints"][0]["status"], &whole["timeline"][0]["what"]),
        (&json!("PENDING"), &json!("created"))
    );
}

#[tokio::test]
async fn a_job_that_a_person_does_not_let_start_never_runs_and_can_be_asked_for_again() {
    let app = TestApp::start().await;
    let code = create(&app, "code-generation", json!({"files": []})).await;
    assert!(app.claim_as("one", json!({})).await.is_none(), "it waits for a person");
    let waits = checkpoints(&app, &code["id"]).await;
    let path = format!("/api/admin/agent-checkpoints/{}", waits[0]["id"].as_str().unwrap());
    let reason = json!({"reason": "Code doesn't meet security standards"});
    app.request(Method::DELETE, &path, None, Some(&reason)).await.expect(200);
    let failed = job(&app, &code["id"]).await;
    assert_eq!((&failed["status"], &failed["attempts"]), (&json!("FAILED"), &json!(0)));
    assert_eq!(failed["failureReason"], "a person rejected it: Code doesn't meet security standards");
    let path = format!("/api/agent-jobs/{}", code["id"].as_str().unwrap());
    assert_eq!(app.patch(&path, json!({"action": "cancel"})).await.error(400), "invalid_field");
    let again = app.patch(&path, json!({"action": "retry"})).await.expect(200);
    assert_eq!(
        (&again["job"]["id"], &again["job"]["status"]),
        (&code["id"], &json!("RUNNING")),
        "it is asked about again"
    );
    let cancelled = app.patch(&path, json!({"action": "cancel"})).await.expect(200);
    assert_eq!(cancelled["job"]["status"], "CANCELLED");
    assert_eq!(app.patch(&path, json!({"action": "retry"})).await.error(400), "invalid_field");
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said() {
    let app = TestApp::start().await;
    let unknown = app.post("/api/agent-jobs", json!({"jobType": "nope", "taskDescription": "x"})).await;
    let said = unknown.body["error"].as_str().unwrap();
    assert!(said.contains("code-generation") && said.contains("simple-task"), "{said}");
    assert_eq!(unknown.error(400), "invalid_field");
    for bad in [json!({"taskDescription": "x"}), json!({"jobType": "simple-task"}), json!({})] {
        assert_eq!(app.post("/api/agent-jobs", bad).await.error(400), "invalid_field");
    }
    let files = json!({"files": [{"path": "a.ts", "content": ""}, {"path": "../../etc/passwd", "content": "x"}]});
    let outside = json!({"jobType": "simple-task", "taskDescription": "x", "inputData": files});
    let refused = app.post("/api/agent-jobs", outside).await;
    let said = "The path \"../../etc/passwd\" of 'inputData.files' can't be used: it leads outside of the workspace.";
    assert_eq!(refused.body["error"], said);
    assert_eq!(refused.error(400), "invalid_field");
    assert_eq!(app.get("/api/agent-jobs").await.expect(200)["pagination"]["total"], 0);
    let nil = format!("/api/agent-jobs/{}", uuid::Uuid::nil());
    assert_eq!(app.get(&nil).await.error(404), "not_found");
    let elsewhere = json!({"jobType": "simple-task", "taskDescription": "x", "projectId": uuid::Uuid::nil()});
    assert_eq!(app.post("/api/agent-jobs", elsewhere).await.error(404), "not_found");
}

#[tokio::test]
async fn the_worker_is_drained_for_good_and_resumed() {
    let mut app = TestApp::start().await;
    app.may_leave_jobs_live();
    create(&app, "simple-task", json!({})).await;
    app.post("/api/worker/heartbeat", json!({"worker_id": "one", "slots": 3})).await.expect(200);
    let state = app.get("/api/admin/agent-worker").await.expect(200);
    assert_eq!(
        state["worker"],
        json!({"isRunning": true, "activeJobs": 0, "maxConcurrentJobs": 3, "pollInterval": 5000})
    );
    assert_eq!(state["jobs"], json!({"pending": 1, "running": 0, "completed": 0, "failed": 0}));
    let stopped = app.delete("/api/admin/agent-worker").await.expect(200);
    assert_eq!(stopped, json!({"success": true, "message": "Worker stopped successfully"}));
    app.restart(terarchitect_api::state::AppConfig::default()).await;
    assert!(app.claim_as("one", json!({})).await.is_none(), "nothing is claimed, also after a restart");
    assert_eq!(app.get("/api/admin/agent-worker").await.expect(200)["worker"]["isRunning"], false);
    app.post("/api/admin/agent-worker", json!({})).await.expect(200);
    let running = app.claim_as("one", json!({})).await.unwrap();
    app.delete("/api/admin/agent-worker?stop=now").await.expect(200);
    let job = app.get(&format!("/api/jobs/{}", running["job_id"].as_str().unwrap())).await.expect(200);
    assert!(job["cancel_requested_at"].is_string(), "what runs is asked to stop");
    app.post("/api/admin/agent-worker", json!({})).await.expect(200);
}
