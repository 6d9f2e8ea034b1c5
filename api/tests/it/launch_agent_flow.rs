//! The calls of the document "launch-agent flow", typed as they are written there; only the host, ids and what it leaves out (`…`) are
//! replaced. Once without keys on this machine, and once with the key. Cursor's webhook is signed both times, over the bytes that are
//! sent, with the secret that the launch gave Cursor.

use crate::forges::{ScriptedForge, hmac};
use crate::support::{ADMIN_KEY, Reply, TestApp};
use serde_json::{Value, json};
use std::time::Duration;
use terarchitect_api::state::AppConfig;
use terarchitect_cursor::Version;
use terarchitect_testbed::cursor::{Cloud, CloudAgent};
use terarchitect_testbed::forge::Sending;

/// So that only a webhook tells how an agent ended.
const NEVER: Duration = Duration::from_secs(3_600);

/// Entry point 1.
const WORK_ORDER: &str = r#"POST /api/v1/work-orders
Authorization: Bearer <CHYTR_API_KEY>

{
  "objective": "Refactor auth module",
  "agent_id": "<uuid>",
  "repo_id": "<uuid>",
  "lines": [...],
  "constraints": {...},
  "verification": {...}
}"#;

/// Entry point 2.
const RUN: &str = "POST /api/v1/jobs/<id>/run
Authorization: Bearer <CHYTR_API_KEY>";

/// The webhook's headers and body.
const WEBHOOK: &str = r#"POST /api/v1/webhook/cursor
User-Agent: Cursor-Agent-Webhook/1.0
X-Webhook-Event: statusChange
X-Webhook-ID: <unique-id>
X-Webhook-Signature: sha256=<hmac-hex>

{
  "event": "statusChange",
  "timestamp": "2025-01-15T10:30:00Z",
  "id": "bc_abc123",
  "status": "FINISHED",
  "source": { "repository": "...", "ref": "main" },
  "target": {
    "url": "https://cursor.com/agents?id=bc_abc123",
    "branchName": "cursor/task-1234",
    "prUrl": "https://github.com/org/repo/pull/42"
  },
  "summary": "Completed the refactoring..."
}"#;

/// A caller who types what the document shows.
struct Typist<'a> {
    app: &'a TestApp,
    key: Option<&'static str>,
}

impl Typist<'_> {
    /// A request as the document writes it: a line, headers, an empty line and the body.
    async fn types(&self, text: &str) -> Reply {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines().map(str::trim);
        let (method, path) = lines.next().unwrap().split_once(' ').unwrap();
        let url = format!("{}{path}", self.app.base);
        let mut request = self.app.http().request(method.parse().unwrap(), url);
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            let value = value.replace("<CHYTR_API_KEY>", self.key.unwrap_or_default());
            if name != "Authorization" || self.key.is_some() {
                request = request.header(name, value);
            }
        }
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        TestApp::reply(request).await
    }

    async fn gets(&self, path: &str) -> Value {
        self.types(&format!("GET {path}\nAuthorization: Bearer <CHYTR_API_KEY>")).await.expect(200)
    }

    async fn posts(&self, path: &str, body: Value) -> Reply {
        self.types(&format!("POST {path}\nAuthorization: Bearer <CHYTR_API_KEY>\n\n{body}")).await
    }

    /// What Cursor sends about this agent; `secret` is what it is signed with.
    async fn delivers(
        &self,
        agent: &CloudAgent,
        delivery: &str,
        secret: &str,
        change: impl Fn(&str) -> String,
    ) -> Reply {
        let text = change(&WEBHOOK.replace("bc_abc123", &agent.id).replace("<unique-id>", delivery));
        let (_, body) = text.split_once("\n\n").unwrap();
        let signature = hex::encode(hmac(secret.as_bytes(), &[body.as_bytes()]));
        self.types(&text.replace("<hmac-hex>", &signature)).await
    }
}

fn keys(body: &Value) -> Vec<&str> {
    body.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The request with something where the document has dots.
fn filled(text: &str) -> String {
    let line = r#"{"id": "1", "title": "Split it", "definition_of_done": "Two modules", "status": "pending"}"#;
    text.replace("[...]", &format!("[{line}]"))
        .replace(r#""constraints": {...}"#, r#""constraints": {"do_not_modify": ["migrations"], "must_use": []}"#)
        .replace(
            r#""verification": {...}"#,
            r#""verification": {"test_command": "cargo test", "expected_files_changed": []}"#,
        )
}

/// A work order from its creation to its end by hooks.
async fn an_order_and_its_hooks(typist: &Typist<'_>) {
    let agent = typist
        .types("POST /api/v1/agents\nAuthorization: Bearer <CHYTR_API_KEY>\n\n{\"name\": \"Refactorer\", \"system_prompt\": \"Be brief.\"}")
        .await
        .expect(201);
    let repo = typist
        .types("POST /api/v1/repos\nAuthorization: Bearer <CHYTR_API_KEY>\n\n{\"repo_url\": \"https://github.com/org/repo\"}")
        .await
        .expect(201);
    let text = filled(WORK_ORDER);
    let text = text.replacen("<uuid>", agent["id"].as_str().unwrap(), 1);
    let text = text.replacen("<uuid>", repo["id"].as_str().unwrap(), 1);
    let created = typist.types(&text).await.expect(201);
    assert_eq!(keys(&created), ["cursor_agent_id", "launch_error", "ok", "status", "work_order_id"]);
    let id = created["work_order_id"].as_str().unwrap();
    let get = async |path: &str| typist.gets(path).await;
    let list = get("/api/v1/work-orders?status=pending&source=cloud&limit=10").await;
    assert_eq!(list["work_orders"][0]["agents"], json!({"name": "Refactorer"}));
    assert_eq!(list["work_orders"][0]["agent_repos"], json!({"repo_url": "https://github.com/org/repo"}));
    let row = get(&format!("/api/v1/work-orders/{id}")).await;
    for field in [
        "agent_id",
        "repo_id",
        "source",
        "objective",
        "status",
        "branch_name",
        "cursor_agent_id",
        "pr_url",
        "summary",
        "error_message",
        "parent_work_order_id",
        "tokens_input",
        "tokens_output",
        "total_cost",
        "model",
        "duration_ms",
        "lines",
        "constraints",
        "exploration_hints",
        "verification",
        "metadata",
        "created_at",
        "updated_at",
        "finished_at",
        "repo_url",
        "default_branch",
        "agent_name",
        "system_prompt",
        "default_config",
    ] {
        assert!(row.get(field).is_some(), "{field}: {row}");
    }
    let post = async |path: &str, body: Value| typist.posts(path, body).await.expect(200);
    let event =
        |kind: &str| json!({"event_type": kind, "work_order_id": id, "agent_id": agent["id"], "raw_payload": {}});
    for kind in [
        "session_start",
        "tool_call",
        "tool_failure",
        "shell_execution",
        "file_edit",
        "mcp_execution",
        "agent_thought",
        "agent_response",
        "subagent_start",
        "subagent_stop",
    ] {
        assert_eq!(post("/api/v1/ingest", event(kind)).await["followup_message"], Value::Null, "{kind}");
    }
    let learnt = post("/api/v1/knowledge", json!({"text": "Auth lives in src/auth.", "work_order_id": id})).await;
    assert!(learnt["knowledge_id"].is_string() && learnt["embedding"].is_boolean(), "{learnt}");
    let known = get(&format!("/api/v1/knowledge?work_order_id={id}")).await;
    assert!(known["formatted"].as_str().unwrap().contains("Auth lives in src/auth."), "{known}");
    let left = post("/api/v1/ingest", event("session_end")).await;
    assert!(left["followup_message"].as_str().unwrap().contains("Split it"), "{left}");
    post(&format!("/api/v1/work-orders/{id}/lines/1"), json!({"status": "completed"})).await;
    assert_eq!(post("/api/v1/ingest", event("session_end")).await["followup_message"], Value::Null);
    assert_eq!(get(&format!("/api/v1/work-orders/{id}")).await["status"], "completed");
}

/// What became of an order, once it stands so.
async fn until(typist: &Typist<'_>, order: &Value, status: &str) -> Value {
    let path = format!("/api/v1/work-orders/{}", order.as_str().unwrap());
    typist.app.eventually(async || typist.gets(&path).await["status"] == status).await;
    typist.gets(&path).await
}

/// The agent that works on an order in the cloud.
async fn launched(typist: &Typist<'_>, cloud: &Cloud, order: &Value) -> CloudAgent {
    let path = format!("/api/v1/work-orders/{}", order.as_str().unwrap());
    typist.app.eventually(async || typist.gets(&path).await["cursor_agent_id"].is_string()).await;
    let row = typist.gets(&path).await;
    assert_eq!(row["status"], "running");
    let id = row["cursor_agent_id"].as_str().unwrap();
    cloud.agents().into_iter().find(|agent| agent.id == id).unwrap()
}

/// What the launch tells Cursor, and what Cursor's webhook does to the order: as it is, forged, of another event, and unknown.
async fn the_launch_and_its_webhook(typist: &Typist<'_>, cloud: &Cloud, text: &str) {
    let created = typist.types(text).await.expect(201);
    assert_eq!((&created["ok"], &created["launch_error"]), (&json!(true), &Value::Null));
    let order = &created["work_order_id"];
    let agent = launched(typist, cloud, order).await;
    let prompt = &agent.latest().prompt;
    assert!(prompt.contains("Refactor auth module") && prompt.contains("Split it"), "{prompt}");
    assert_eq!((agent.repository.as_str(), agent.start.as_deref()), ("https://github.com/org/repo", Some("main")));
    assert_eq!((agent.opens_pull, agent.webhook.as_deref()), (true, Some("http://api.test/api/v1/webhook/cursor")));
    let secret = agent.webhook_secret.clone().unwrap();
    assert!(secret.len() >= 32 && !secret.contains(ADMIN_KEY), "the key never goes to Cursor");

    let as_it_is = |text: &str| text.to_owned();
    let forged = typist.delivers(&agent, "msg_forged", "another secret, which has 32 characters", as_it_is).await;
    assert_eq!(forged.error(401), "signature_refused");
    // Other bytes than those that were signed, though the same JSON.
    let (head, body) = WEBHOOK.split_once("\n\n").unwrap();
    let body = body.replace("bc_abc123", &agent.id);
    let signature = hex::encode(hmac(secret.as_bytes(), &[body.as_bytes()]));
    let compact: Value = serde_json::from_str(&body).unwrap();
    let changed =
        format!("{}\n\n{compact}", head.replace("<hmac-hex>", &signature).replace("<unique-id>", "msg_compact"));
    assert_eq!(typist.types(&changed).await.error(401), "signature_refused");
    assert_eq!(until(typist, order, "running").await["pr_url"], Value::Null);

    let other = |text: &str| text.replace("X-Webhook-Event: statusChange", "X-Webhook-Event: agentCreated");
    let ignored = typist.delivers(&agent, "msg_other", &secret, other).await.expect(200);
    assert_eq!(ignored, json!({"ok": true, "ignored": true}));
    let unknown = |text: &str| text.replace(&agent.id, "bc_nobody");
    assert_eq!(typist.delivers(&agent, "msg_unknown", &secret, unknown).await.error(404), "not_found");
    for _ in 0..2 {
        let said = typist.delivers(&agent, "msg_1", &secret, as_it_is).await.expect(200);
        assert_eq!(said, json!({"ok": true, "work_order_id": order, "status": "completed"}));
    }
    let done = until(typist, order, "completed").await;
    assert_eq!(done["pr_url"], "https://github.com/org/repo/pull/42");
    assert_eq!(
        (&done["branch_name"], &done["summary"]),
        (&json!("cursor/task-1234"), &json!("Completed the refactoring..."))
    );
    assert!(done["finished_at"].is_string());
}

/// Jobs: made, run by hand, and run by a clock such as `pg_cron` that names one.
async fn jobs(typist: &Typist<'_>, cloud: &Cloud, agent: &Value, repo: &Value) {
    let body = json!({
        "name": "Nightly", "cron_expression": "0 3 * * *", "agent_id": agent, "repo_id": repo,
        "work_order_template": {"objective": "Update dependencies", "lines": [], "constraints": {}},
    });
    let job = typist.posts("/api/v1/jobs", body).await.expect(201)["job"].clone();
    let id = job["id"].as_str().unwrap();
    assert_eq!((&job["enabled"], &job["last_run_at"]), (&json!(true), &Value::Null));
    assert!(job["next_run_at"].is_string());
    assert_eq!(typist.gets("/api/v1/jobs").await, json!({"jobs": [job]}));

    let started = typist.types(&RUN.replace("<id>", id)).await.expect(201);
    assert_eq!(keys(&started), ["cursor_agent_id", "launch_error", "ok", "work_order_id"]);
    let (order, runs) = (&started["work_order_id"], format!("/api/v1/jobs/{id}/runs"));
    let run = typist.gets(&runs).await["runs"][0].clone();
    let agent = launched(typist, cloud, order).await;
    let row = until(typist, order, "running").await;
    assert_eq!((&row["source"], &row["metadata"]), (&json!("job"), &json!({"job_id": id, "job_run_id": run["id"]})));
    typist.delivers(&agent, "msg_run", agent.webhook_secret.as_ref().unwrap(), str::to_owned).await.expect(200);
    until(typist, order, "completed").await;
    let run = typist.gets(&runs).await["runs"][0].clone();
    assert_eq!((&run["status"], &run["work_order_id"]), (&json!("completed"), order));
    assert!(run["finished_at"].is_string(), "{run}");

    let cron = async || typist.posts("/api/v1/jobs/cron", json!({"job_id": id})).await.expect(200);
    assert_eq!(cron().await["skipped"], true, "it is not due");
    let due = "update scheduled_jobs set next_run_at = date_trunc('minute', now()) where id = $1::uuid";
    sqlx::query(due).bind(id).execute(&typist.app.pool).await.unwrap();
    let called = cron().await;
    assert_eq!(keys(&called), ["ok", "work_order_id"]);
    assert_eq!(cron().await, called, "each time is fired once");
    let agent = launched(typist, cloud, &called["work_order_id"]).await;
    let error = |text: &str| text.replace("FINISHED", "ERROR");
    let said = typist.delivers(&agent, "msg_cron", agent.webhook_secret.as_ref().unwrap(), error).await.expect(200);
    assert_eq!(said["status"], "failed");
    until(typist, &called["work_order_id"], "failed").await;
    let of_runs = typist.gets(&runs).await["runs"].as_array().unwrap().len();
    assert_eq!((&typist.gets(&runs).await["runs"][0]["status"], of_runs), (&json!("failed"), 2));

    let path = format!("/api/v1/jobs/{id}");
    let pause = format!("PATCH {path}\nAuthorization: Bearer <CHYTR_API_KEY>\n\n{{\"enabled\": false}}");
    assert_eq!(typist.types(&pause).await.expect(200)["job"]["next_run_at"], Value::Null);
    assert_eq!(cron().await["skipped"], true, "it is not enabled");
    let unknown = json!({"job_id": uuid::Uuid::nil()});
    assert_eq!(typist.posts("/api/v1/jobs/cron", unknown).await.expect(200)["skipped"], true);
    let delete = format!("DELETE {path}\nAuthorization: Bearer <CHYTR_API_KEY>");
    assert_eq!(typist.types(&delete).await.expect(200), json!({"ok": true}));
}

/// All of the document, on an API with or without its key.
async fn the_document(key: Option<&'static str>) {
    let cloud = Cloud::start().await.unwrap();
    cloud.set_sending(Sending::Held);
    let config = crate::cloud::config(&cloud, Version::V0, NEVER, &ScriptedForge::with_writers(&[]));
    let secret = |text: &str| Some(text.to_owned().into());
    let worker_key = key.and_then(|_| secret("worker-key"));
    let app = TestApp::start_with(AppConfig { api_key: key.and_then(secret), worker_key, ..config }).await;
    let typist = Typist { app: &app, key };
    an_order_and_its_hooks(&typist).await;
    let agent = json!({"name": "In the cloud", "type": "cursor"});
    let agent = typist.posts("/api/v1/agents", agent).await.expect(201)["id"].clone();
    let repo = typist.gets("/api/v1/repos").await["repos"][0]["id"].clone();
    let text = filled(WORK_ORDER).replacen("<uuid>", agent.as_str().unwrap(), 1);
    let text = text.replacen("<uuid>", repo.as_str().unwrap(), 1);
    the_launch_and_its_webhook(&typist, &cloud, &text).await;
    jobs(&typist, &cloud, &agent, &repo).await;
    if key.is_some() {
        let stranger = Typist { app: &app, key: None };
        for call in [RUN.replace("<id>", &uuid::Uuid::nil().to_string()).as_str(), &text, "GET /api/v1/work-orders"] {
            assert_eq!(stranger.types(call).await.error(401), "unauthorized");
        }
    }
}

#[tokio::test]
async fn the_documents_calls_work_without_keys_on_this_machine() {
    the_document(None).await;
}

#[tokio::test]
async fn the_documents_calls_work_with_the_key_and_need_it() {
    the_document(Some(ADMIN_KEY)).await;
}
