//! The catalogue of agents and repositories.

use crate::support::TestApp;
use serde_json::{Value, json};

#[tokio::test]
async fn agents_are_created_changed_and_deleted() {
    let app = TestApp::start().await;
    let body = json!({"name": "Code writing", "description": "Writes code", "program": "opencode", "model": "m",
        "default_config": {"timeout": 5}});
    let made = app.post("/api/v1/agents", body).await.expect(201);
    assert_eq!((made["slug"].as_str(), made["type"].as_str()), (Some("code-writing"), Some("opencode")));
    assert_eq!((made["status"].as_str(), made["last_heartbeat"].clone()), (Some("offline"), Value::Null));
    assert_eq!(app.post("/api/v1/agents", json!({"name": "code Writing"})).await.error(409), "name_taken");

    let path = format!("/api/v1/agents/{}", made["id"].as_str().unwrap());
    let changed = app.patch(&path, json!({"model": null, "status": "active"})).await.expect(200);
    assert_eq!((changed["model"].clone(), changed["status"].as_str()), (Value::Null, Some("active")));
    assert_eq!(changed["default_config"]["timeout"], 5);
    sqlx::query("update agents set last_heartbeat = now() - interval '11 minutes'").execute(&app.pool).await.unwrap();
    assert_eq!(app.get(&path).await.expect(200)["status"], "offline", "it was silent for ten minutes");

    let all = app.get("/api/v1/agents").await.expect(200);
    let slugs: Vec<_> = all["agents"].as_array().unwrap().iter().map(|agent| agent["slug"].as_str().unwrap()).collect();
    assert_eq!(
        slugs,
        ["ai-task", "code-generation", "code-writing", "data-processing", "simple-task"],
        "by name, with those that are there from the start"
    );
    assert_eq!(app.delete(&path).await.expect(200), json!({"ok": true}));
    assert_eq!(app.get(&path).await.error(404), "not_found");
    let kinds = app.get("/api/events?limit=100&kind=agent").await.expect(200);
    let kinds: Vec<_> = kinds["events"].as_array().unwrap().iter().map(|event| event["kind"].clone()).collect();
    assert_eq!(kinds, ["agent.created", "agent.changed", "agent.deleted"]);
}

#[tokio::test]
async fn where_an_agent_stops_is_set_and_its_next_jobs_stop_there() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let stops = json!([{"stage": "start", "type": "approval_required", "message": "Shall it?", "name": "first_look"}]);
    let made = app.post("/api/v1/agents", json!({"name": "Careful", "checkpoints": stops})).await.expect(201);
    assert_eq!(made["checkpoints"], stops);
    let ask = json!({"jobType": "careful", "taskDescription": "Do it"});
    let job = app.post("/api/agent-jobs", ask.clone()).await.expect(201)["job"]["id"].clone();
    let checkpoints = format!("/api/agent-jobs/{}/checkpoints", job.as_str().unwrap());
    let opened = app.get(&checkpoints).await.expect(200)["checkpoints"][0].clone();
    assert_eq!((opened["message"].as_str(), opened["status"].as_str()), (Some("Shall it?"), Some("PENDING")));
    assert!(app.claim_as("one", json!({"wait_ms": 0})).await.is_none(), "it waits for a person");

    let path = format!("/api/v1/agents/{}", made["id"].as_str().unwrap());
    assert_eq!(app.patch(&path, json!({"model": "m"})).await.expect(200)["checkpoints"], stops);
    let later = json!([{"stage": "output", "type": "approval_required"}]);
    assert_eq!(app.patch(&path, json!({"checkpoints": later})).await.expect(200)["checkpoints"], later);
    app.post("/api/agent-jobs", ask).await.expect(201);
    let claimed = app.claim_as("one", json!({})).await.unwrap();
    let context = format!(
        "/api/projects/{}/tickets/{}/worker-context",
        claimed["project_id"].as_str().unwrap(),
        claimed["ticket_id"].as_str().unwrap()
    );
    // As its own runner sees it.
    let token = claimed["job_token"].as_str().unwrap();
    let seen = app.http().get(format!("{}{context}", app.base)).bearer_auth(token).send().await.unwrap();
    assert_eq!(seen.json::<Value>().await.unwrap()["checkpoints"], later);

    let sentence = app.patch(&path, json!({"checkpoints": [{"stage": "question", "type": "info"}]})).await;
    assert!(sentence.body["error"].as_str().unwrap().contains("A question waits for its answer"));
    assert_eq!(sentence.error(400), "invalid_field");
    assert_eq!(app.patch(&path, json!({"type": "cursor"})).await.error(400), "invalid_field");
    let asks = json!([{"stage": "question", "type": "approval_required"}]);
    assert_eq!(app.patch(&path, json!({"checkpoints": asks})).await.expect(200)["checkpoints"], asks);
    let unknown = app.patch(&path, json!({"checkpoints": [{"stage": "lunch", "type": "info"}]})).await;
    assert_eq!(unknown.error(422), "invalid_body");
    assert_eq!(app.patch(&path, json!({"checkpoints": []})).await.expect(200)["checkpoints"], json!([]));
}

#[tokio::test]
async fn a_repository_is_a_project() {
    let app = TestApp::start().await;
    let agent = app.post("/api/v1/agents", json!({"name": "Own"})).await.expect(201)["id"].clone();
    let body = json!({"repo_url": "https://github.com/demo/hello.git", "agent_id": agent, "default_branch": "trunk"});
    let made = app.post("/api/v1/repos", body).await.expect(201);
    assert_eq!((made["name"].as_str(), made["default_branch"].as_str()), (Some("hello"), Some("trunk")));
    let id = made["id"].as_str().unwrap();
    let project = app.get(&format!("/api/projects/{id}")).await.expect(200);
    assert_eq!(project["github_url"], "https://github.com/demo/hello.git");
    assert!(app.get(&format!("/api/projects/{id}/tickets")).await.expect(200).as_array().unwrap().is_empty());

    let same = json!({"repo_url": "git@github.com:demo/hello"});
    assert_eq!(app.post("/api/v1/repos", same).await.error(409), "name_taken");
    for (body, code) in [
        (json!({}), "invalid_field"),
        (json!({"repo_url": "hello"}), "invalid_field"),
        (json!({"repo_url": "https://github.com/a/b", "default_branch": "a b"}), "invalid_field"),
    ] {
        assert_eq!(app.post("/api/v1/repos", body.clone()).await.error(400), code, "{body}");
    }
    let path = format!("/api/v1/repos/{id}");
    let changed = app.patch(&path, json!({"hooks_installed": true, "name": "Hello"})).await.expect(200);
    assert_eq!((changed["hooks_installed"].clone(), changed["default_branch"].as_str()), (json!(true), Some("trunk")));
    // An order that names no agent gets the repository's own.
    let order = json!({"objective": "x", "repo_id": id, "source": "local"});
    let order = app.post("/api/v1/work-orders", order).await.expect(201)["work_order_id"].clone();
    let order = app.get(&format!("/api/v1/work-orders/{}", order.as_str().unwrap())).await.expect(200);
    assert_eq!((order["agent_id"].clone(), order["default_branch"].as_str()), (agent.clone(), Some("trunk")));
    // And one that names the agent alone is for its only repository.
    let order = json!({"objective": "x", "agent_id": agent, "source": "local"});
    let order = app.post("/api/v1/work-orders", order).await.expect(201)["work_order_id"].clone();
    let order = app.get(&format!("/api/v1/work-orders/{}", order.as_str().unwrap())).await.expect(200);
    assert_eq!(order["repo_id"], id);

    assert_eq!(
        app.request(reqwest::Method::DELETE, &path, None, Some(&json!({}))).await.error(400),
        "name_not_confirmed"
    );
    app.request(reqwest::Method::DELETE, &path, None, Some(&json!({"confirm_name": "Hello"}))).await.expect(200);
    assert!(app.get("/api/v1/repos").await.expect(200)["repos"].as_array().unwrap().is_empty());
}
