//! Bad input of every kind on every endpoint that takes a body: a 4xx with a sentence, and nothing changed.

use crate::support::{Reply, TestApp};
use reqwest::Method;
use serde_json::{Value, json};

/// Every endpoint that takes a body, as the code documents them: none can be forgotten here.
fn endpoints() -> Vec<(Method, String)> {
    let document: Value = serde_json::from_str(&terarchitect_api::app::openapi().to_json().unwrap()).unwrap();
    let mut endpoints = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation.get("requestBody").is_some() {
                endpoints.push((method.to_uppercase().parse().unwrap(), path.clone()));
            }
        }
    }
    assert!(endpoints.len() > 15, "{endpoints:?}");
    endpoints
}

/// Bodies that no endpoint accepts, each with a name.
fn bad_bodies() -> Vec<(&'static str, Vec<u8>)> {
    let every_field = |value: &str| {
        let fields = [
            "name",
            "title",
            "column_id",
            "description",
            "github_url",
            "nodes",
            "columns",
            "docs",
            "queries",
            "summary",
            "session_id",
            "project_id",
            "attempt",
            "confirm_name",
            "content",
            "AGENT_MODEL",
            "pr_url",
            "text",
            "turn",
            "note",
            "patch",
            "worker_id",
            "action",
            "body",
            "cron_expression",
            "event_type",
            "job_id",
            "jobType",
            "objective",
            "output",
            "reason",
            "status",
        ];
        let fields: Vec<_> = fields.iter().map(|field| format!("\"{field}\":{value}")).collect();
        format!("{{{}}}", fields.join(",")).into_bytes()
    };
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_field = format!("{}1{}", r#"{"a":"#.repeat(5_000), "}".repeat(5_000));
    vec![
        ("not JSON", b"hello".to_vec()),
        ("cut off", br#"{"name": "x"#.to_vec()),
        ("a list", b"[]".to_vec()),
        ("a number", b"7".to_vec()),
        ("null", b"null".to_vec()),
        ("deep", deep.into_bytes()),
        ("deep objects in every field", every_field(&deep_field)),
        ("invalid UTF-8", b"{\"name\": \"\xff\xfe\"}".to_vec()),
        ("a lone surrogate", every_field(r#""\ud800""#)),
        ("NUL in every field", every_field(r#""a\u0000b""#)),
        ("NUL in a list", every_field(r#"["a\u0000b"]"#)),
        ("objects for texts", every_field(r#"{"a": 1}"#)),
        ("huge numbers", every_field("1e999")),
    ]
}

async fn send(app: &TestApp, method: &Method, path: &str, content_type: &str, body: Vec<u8>) -> Reply {
    let request = app.http().request(method.clone(), format!("{}{path}", app.base));
    TestApp::reply(request.header("content-type", content_type).body(body)).await
}

/// Everything that is stored, to compare.
async fn snapshot(app: &TestApp) -> Vec<String> {
    let tables = [
        "projects",
        "graphs",
        "kanban_boards",
        "tickets",
        "notes",
        "agent_jobs",
        "execution_logs",
        "settings",
        "memory_documents",
    ];
    let mut rows = Vec::new();
    for table in tables {
        let sql = sqlx::AssertSqlSafe(format!("select row_to_json(t)::text from {table} t order by 1"));
        rows.extend(sqlx::query_scalar::<_, String>(sql).fetch_all(&app.pool).await.unwrap());
    }
    rows
}

#[tokio::test]
async fn bad_bodies_are_refused_with_a_sentence_and_change_nothing() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    let note = app.post(&format!("{project}/notes"), json!({"content": "c"})).await.expect(201);
    app.move_to(&ticket, "in_progress").await;
    let job = app.claim(&project).await.unwrap();
    let before = snapshot(&app).await;
    for (method, path) in endpoints() {
        // Bytes of any kind, and events of any shape: their own tests send what is wrong.
        if path.ends_with("/conversation") || path == "/api/v1/ingest" {
            continue;
        }
        let path = path
            .replace("{project_id}", job["project_id"].as_str().unwrap())
            .replace("{ticket_id}", job["ticket_id"].as_str().unwrap())
            .replace("{note_id}", note["id"].as_str().unwrap())
            .replace("{job_id}", job["job_id"].as_str().unwrap())
            .split('/')
            .map(|part| if part.starts_with('{') { "00000000-0000-0000-0000-000000000000" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        for (name, body) in bad_bodies() {
            let reply = send(&app, &method, &path, "application/json", body).await;
            assert!(reply.status.is_client_error(), "{method} {path}, {name}: {} {}", reply.status, reply.body);
            let status = reply.status.as_u16();
            reply.error(status);
        }
        // A webhook without a signature is refused before its body is read.
        if path.starts_with("/webhooks/") || path == "/api/v1/webhook/cursor" {
            continue;
        }
        // Patches may be far larger than anything else.
        let mebibytes = if path.ends_with("/diffs") { 17 } else { 3 };
        let huge = format!("{{\"name\": \"{}\"}}", "x".repeat(mebibytes * 1024 * 1024)).into_bytes();
        assert_eq!(send(&app, &method, &path, "application/json", huge).await.error(413), "body_too_large", "{path}");
        let typed = send(&app, &method, &path, "text/plain", b"{\"name\": 1}".to_vec()).await;
        assert_eq!(typed.error(415), "not_json", "{path}");
    }
    assert_eq!(snapshot(&app).await, before);
}

#[tokio::test]
async fn bad_ids_and_unknown_ids_are_refused() {
    let app = TestApp::start().await;
    let unknown = "00000000-0000-0000-0000-000000000000";
    for (id, status) in [(unknown, 404), ("7", 400), ("%00", 400), ("%ff%fe", 400), ("a%2Fb", 400)] {
        let project = format!("/api/projects/{id}");
        let ticket = format!("{project}/tickets/{unknown}");
        for path in
            [&project, &format!("{project}/graph"), &format!("{project}/tickets"), &ticket, &format!("{ticket}/logs")]
        {
            app.get(path).await.error(status);
        }
        let report = format!("/api/worker/jobs/{id}/complete");
        app.post(&report, json!({})).await.error(status);
        app.post(&format!("{project}/memory/retrieve"), json!({"queries": ["x"]})).await.error(status);
    }
}

#[tokio::test]
async fn what_looks_like_an_escape_but_is_text_is_kept() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let body = json!({"title": "print \"\\u0000\"", "column_id": "backlog", "description": "tab\there, Ünïcödé 🦀"});
    let made: Value = app.post(&format!("{project}/tickets"), body.clone()).await.expect(201);
    assert_eq!((&made["title"], &made["description"]), (&body["title"], &body["description"]));
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_json_too() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/nowhere").await.error(404), "no_such_address");
    assert_eq!(app.delete("/health").await.error(405), "method_not_allowed");
    assert_eq!(app.delete("/api/settings").await.error(405), "method_not_allowed");
}
