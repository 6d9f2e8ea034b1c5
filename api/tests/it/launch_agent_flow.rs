//! The calls of the document "launch-agent flow", typed as they are written there; only the host and ids are replaced. Once without
//! keys on this machine, and once with the key.

use crate::support::{ADMIN_KEY, Reply, TestApp};
use serde_json::{Value, json};

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
}

fn keys(body: &Value) -> Vec<&str> {
    body.as_object().unwrap().keys().map(String::as_str).collect()
}

async fn the_document(app: &TestApp, key: Option<&'static str>) {
    let typist = Typist { app, key };
    let agent = typist
        .types("POST /api/v1/agents\nAuthorization: Bearer <CHYTR_API_KEY>\n\n{\"name\": \"Refactorer\", \"system_prompt\": \"Be brief.\"}")
        .await
        .expect(201);
    let repo = typist
        .types("POST /api/v1/repos\nAuthorization: Bearer <CHYTR_API_KEY>\n\n{\"repo_url\": \"https://github.com/org/repo\"}")
        .await
        .expect(201);
    let text = r#"POST /api/v1/work-orders
Authorization: Bearer <CHYTR_API_KEY>

{
  "objective": "Refactor auth module",
  "agent_id": "<uuid>",
  "repo_id": "<uuid>",
  "lines": [{"id": "1", "title": "Split it", "definition_of_done": "Two modules", "status": "pending"}],
  "constraints": {"do_not_modify": ["migrations"], "must_use": []},
  "verification": {"test_command": "cargo test", "expected_files_changed": []}
}"#;
    let text = text.replacen("<uuid>", agent["id"].as_str().unwrap(), 1);
    let text = text.replacen("<uuid>", repo["id"].as_str().unwrap(), 1);
    let created = typist.types(&text).await.expect(201);
    assert_eq!(keys(&created), ["cursor_agent_id", "launch_error", "ok", "status", "work_order_id"]);
    let id = created["work_order_id"].as_str().unwrap();
    let get = async |path: &str| {
        typist.types(&format!("GET {path}\nAuthorization: Bearer <CHYTR_API_KEY>")).await.expect(200)
    };
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
    let post = async |path: &str, body: Value| {
        typist.types(&format!("POST {path}\nAuthorization: Bearer <CHYTR_API_KEY>\n\n{body}")).await.expect(200)
    };
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

#[tokio::test]
async fn the_documents_calls_work_without_keys_on_this_machine() {
    the_document(&TestApp::start().await, None).await;
}

#[tokio::test]
async fn the_documents_calls_work_with_the_key_and_need_it() {
    let app = TestApp::start_guarded().await;
    the_document(&app, Some(ADMIN_KEY)).await;
    let stranger = Typist { app: &app, key: None };
    assert_eq!(stranger.types("GET /api/v1/work-orders").await.error(401), "unauthorized");
}
