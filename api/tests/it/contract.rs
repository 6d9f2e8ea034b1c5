//! The worker API contract, section by section, as a client of it would type it.

use crate::support::TestApp;
use serde_json::{Value, json};
use terarchitect_testbed::postgres::TestPostgres;

/// "Testing Phase 1", with the hand-written insert through psql.
#[tokio::test]
async fn testing_phase_1_works_as_written() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    let (project_id, ticket_id) = (project.rsplit('/').next().unwrap(), ticket.rsplit('/').next().unwrap());
    let insert = format!(
        "INSERT INTO agent_jobs (id, ticket_id, project_id, kind, status) \
         VALUES (gen_random_uuid(), '{ticket_id}', '{project_id}', 'ticket', 'pending');"
    );
    TestPostgres::shared().execute(&app.database, &insert).unwrap();

    let job = app.post("/api/worker/jobs/start", json!({"project_id": project_id})).await.expect(200);
    assert_eq!(job["ticket_id"], ticket_id);
    assert_eq!(job["project_id"], project_id);
    assert_eq!(job["kind"], "ticket");
    assert_eq!(job["repo_url"], "https://github.com/demo/hello");

    let context = app.get(&format!("{ticket}/worker-context")).await.expect(200);
    assert_eq!(context["current_ticket"]["title"], "Say hello");
    assert!(context["agent_settings"].is_object());
    assert!(context.get("project_path").is_none());

    let done = json!({"pr_url": "https://github.com/demo/hello/pull/1", "pr_number": 1, "summary": "Said hello"});
    app.post(&format!("{ticket}/complete"), done).await.expect(200);
    // The contract's clients send no body here.
    let complete = format!("{}{}/complete", app.base, TestApp::job_path(&job));
    TestApp::reply(app.http().post(&complete)).await.expect(200);

    let ended = app.get(&ticket).await.expect(200);
    assert_eq!((ended["status"].as_str(), ended["column_id"].as_str()), (Some("completed"), Some("in_review")));
    assert_eq!(ended["pr_number"], 1);
    assert_eq!(app.post("/api/worker/jobs/start", json!({"project_id": project_id})).await.status.as_u16(), 204);
}

/// Clients of the contract are scripts: numbers come as text, absent fields as null or empty, more fields than asked.
#[tokio::test]
async fn what_scripts_send_is_understood() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    app.move_to(&ticket, "in_progress").await;
    let id = project.rsplit('/').next().unwrap();
    let start = json!({"project_id": id, "project_ids": null, "worker_id": null, "wait_ms": "0", "more": {"a": [1]}});
    let job = app.post("/api/worker/jobs/start", start).await.expect(200);
    let done = json!({"pr_url": null, "pr_number": "7", "summary": null, "review_comment_body": null, "more": 1});
    app.post(&format!("{ticket}/complete"), done).await.expect(200);
    assert_eq!(app.get(&ticket).await.expect(200)["pr_number"], 7);
    app.post(&format!("{ticket}/complete"), json!({"pr_number": ""})).await.expect(200);
    assert_eq!(app.get(&ticket).await.expect(200)["pr_number"], 7, "an empty text is not a number");
    let refused = app.post(&format!("{ticket}/complete"), json!({"pr_number": "#7"})).await;
    assert_eq!(refused.error(422), "invalid_body");
    let report = json!({"attempt": "1", "exit_code": "0", "reason": null, "more": null});
    app.post(&format!("{}/complete", TestApp::job_path(&job)), report).await.expect(200);
    app.post(&format!("{project}/memory/index"), json!({"docs": ["a text"]})).await.expect(200);
    let retrieve = json!({"queries": ["text"], "num_to_retrieve": "1"});
    app.post(&format!("{project}/memory/retrieve"), retrieve).await.expect(200);
}

#[tokio::test]
async fn ids_that_are_repeated_are_stored_once() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let note = json!({"title": "n", "node_ids": ["b", "a", "b"], "edge_ids": ["e", "e"]});
    let note = app.post(&format!("{project}/notes"), note).await.expect(201);
    assert_eq!((&note["node_ids"], &note["edge_ids"]), (&json!(["b", "a"]), &json!(["e"])));
    let ticket = app.ticket(&project).await;
    let named = json!({"associated_node_ids": ["a", "a"], "associated_edge_ids": ["*", "*"]});
    let named = app.patch(&ticket, named).await.expect(200);
    assert_eq!((&named["associated_node_ids"], &named["associated_edge_ids"]), (&json!(["a"]), &json!(["*"])));
}

#[tokio::test]
async fn a_claim_for_a_project_that_does_not_exist_is_not_found() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let (id, unknown) = (project.rsplit('/').next().unwrap(), "00000000-0000-0000-0000-000000000001");
    let claim = async |body: Value| app.post("/api/worker/jobs/start", body).await;
    // A claim that waits is refused as well, and not only at the end of its wait.
    for more in [json!({}), json!({"wait_ms": 25_000, "worker_id": "w"})] {
        let with = |mut body: Value| {
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        assert_eq!(claim(with(json!({"project_id": unknown}))).await.error(404), "not_found");
        assert_eq!(claim(with(json!({"project_ids": [unknown, unknown]}))).await.error(404), "not_found");
    }
    for body in [json!({}), json!({"project_id": id, "wait_ms": 1}), json!({"project_ids": [unknown, id]})] {
        assert_eq!(claim(body.clone()).await.status.as_u16(), 204, "{body}");
    }
    app.request(reqwest::Method::DELETE, &project, None, Some(&json!({"confirm_name": "Demo"}))).await.expect(200);
    assert_eq!(claim(json!({"project_id": id, "wait_ms": 1})).await.error(404), "not_found");
}

#[tokio::test]
async fn a_job_that_does_not_run_can_not_end() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    app.move_to(&ticket, "in_progress").await;
    let job = app.claim(&project).await.unwrap();
    let path = TestApp::job_path(&job);
    app.post(&format!("{path}/complete"), json!({})).await.expect(200);
    let repeated = app.post(&format!("{path}/complete"), json!({})).await;
    assert_eq!(repeated.body["status"], "completed");
    assert_eq!(repeated.error(409), "not_running");
    let unknown = "/api/worker/jobs/00000000-0000-0000-0000-000000000000/fail";
    assert_eq!(app.post(unknown, json!({})).await.error(404), "not_found");
}

#[tokio::test]
async fn a_report_with_its_attempt_can_be_repeated_and_a_stale_one_changes_nothing() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    app.move_to(&ticket, "in_progress").await;
    let path = TestApp::job_path(&app.claim(&project).await.unwrap());
    let report = json!({"attempt": 1, "exit_code": 1, "reason": "agent_failed", "log_tail": "it broke"});
    let stale = json!({"attempt": 7});
    assert_eq!(app.post(&format!("{path}/complete"), stale).await.error(409), "stale_attempt");
    for _ in 0..2 {
        let ended = app.post(&format!("{path}/fail"), report.clone()).await.expect(200);
        assert_eq!(ended["status"], "failed");
    }
    assert_eq!(app.post(&format!("{path}/complete"), json!({"attempt": 1})).await.error(409), "stale_attempt");
    assert_eq!(app.jobs().await, [("failed".to_owned(), Some("agent_failed".to_owned()))]);
    let tails: Vec<Option<String>> =
        sqlx::query_scalar("select log_tail from agent_job_attempts").fetch_all(&app.pool).await.unwrap();
    assert_eq!(tails, [Some("it broke".to_owned())]);
}

#[tokio::test]
async fn logs_keep_their_order_and_a_repeated_entry_is_stored_once() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    let logs = format!("{ticket}/logs");
    assert_eq!(app.post(&logs, json!({"step": "x"})).await.error(400), "invalid_field");
    let key = "6f1c7c1e-5a52-4d3a-9a52-7b0a8d1f3c11";
    let entry = json!({"session_id": "s", "step": "é".repeat(150), "summary": "one", "entry_key": key});
    let first = app.post(&logs, entry.clone()).await.expect(200);
    let repeated = app.post(&logs, entry).await.expect(200);
    assert_eq!(first["id"], repeated["id"]);
    app.post(&logs, json!({"session_id": "s", "step": "two", "summary": null, "raw_output": "out", "success": false}))
        .await
        .expect(200);
    let stored = app.get(&logs).await.expect(200);
    let stored = stored.as_array().unwrap();
    assert_eq!(stored.len(), 2);
    assert_eq!(stored[0]["step"].as_str().unwrap().chars().count(), 100);
    assert_eq!((&stored[1]["raw_output"], &stored[1]["success"]), (&json!("out"), &json!(false)));
}

#[tokio::test]
async fn worker_context_tells_what_the_ticket_concerns() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let graph = json!({
        "nodes": [{"id": "a", "data": {"label": "Api"}}, {"id": "b", "data": {"label": "Db"}}],
        "edges": [{"id": "e", "source": "a", "target": "b"}],
    });
    assert_eq!(app.put(&format!("{project}/graph"), graph).await.expect(200), json!({"version": 2}));
    app.post(&format!("{project}/notes"), json!({"title": "Mind", "content": "the gap", "node_ids": ["a"]}))
        .await
        .expect(201);
    let settings =
        json!({"WORKER_MODEL": "m", "WORKER_API_KEY": "k", "github_agent_token": "t", "FRONTEND_LLM_MODEL": "f"});
    app.put("/api/settings", settings).await.expect(200);
    let ticket = app.ticket(&project).await;
    let named = json!({"associated_node_ids": ["a"], "associated_edge_ids": ["*"]});
    app.patch(&ticket, named).await.expect(200);
    for column in ["in_progress", "in_progress", "done"] {
        let body = json!({"title": column, "column_id": column});
        app.post(&format!("{project}/tickets"), body).await.expect(201);
    }
    app.move_to(&ticket, "in_progress").await;
    let context = app.get(&format!("{ticket}/worker-context")).await.expect(200);
    insta::assert_json_snapshot!(context, {
        ".**.id" => redact_uuid(),
        ".**.project_id" => redact_uuid(),
        ".**.created_at" => "[time]",
    });
}

#[tokio::test]
async fn a_later_attempt_of_the_same_job_learns_what_was_finished() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let ticket = app.ticket(&app.project().await).await;
    let noted = async || app.get(&format!("{ticket}/worker-context")).await.expect(200)["finished_work"].clone();
    let note = async |raw: &str| {
        let entry = json!({"session_id": "s", "step": "work_finished", "summary": "Done", "raw_output": raw});
        app.post(&format!("{ticket}/logs"), entry).await.expect(200);
    };
    app.move_to(&ticket, "in_progress").await;
    let job = app.claim_as("w", json!({})).await.unwrap();
    assert_eq!(noted().await, Value::Null);
    note(r#"{"head": "a1", "summary": "First"}"#).await;
    note(r#"{"head": "b2", "summary": "Second"}"#).await;
    assert_eq!(noted().await, json!({"head": "b2", "summary": "Second"}));
    note("cut in the mid").await;
    assert_eq!(noted().await, Value::Null, "what can't be read is no note");
    note(r#"{"head": "c3", "summary": "Third"}"#).await;
    // A retry is the same job, and a person's new start is another one.
    let failed = json!({"attempt": job["attempt"], "worker_id": "w", "exit_code": 75, "reason": "try_again"});
    app.post(&format!("{}/fail", TestApp::job_path(&job)), failed).await.expect(200);
    assert_eq!(noted().await["head"], "c3");
    app.post(&format!("{ticket}/cancel"), json!({})).await.expect(200);
    app.move_to(&ticket, "backlog").await;
    app.move_to(&ticket, "in_progress").await;
    assert_eq!(noted().await, Value::Null);
}

#[tokio::test]
async fn a_later_attempt_of_a_review_learns_what_the_review_finished_and_nothing_older() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let ticket = app.ticket(&app.project().await).await;
    let noted = async || app.get(&format!("{ticket}/worker-context")).await.expect(200)["finished_work"].clone();
    let note = async |work: &Value| {
        let entry =
            json!({"session_id": "s", "step": "work_finished", "summary": "Done", "raw_output": work.to_string()});
        app.post(&format!("{ticket}/logs"), entry).await.expect(200);
    };
    app.move_to(&ticket, "in_progress").await;
    let job = app.claim_as("w", json!({})).await.unwrap();
    note(&json!({"head": "a1", "summary": "The ticket's"})).await;
    let done = json!({"attempt": job["attempt"], "worker_id": "w", "exit_code": 0, "reason": "completed"});
    app.post(&format!("{}/complete", TestApp::job_path(&job)), done).await.expect(200);
    let review = json!({"kind": "review", "pr_number": 7, "comment_body": "rename it"});
    app.post(&format!("{ticket}/jobs"), review).await.expect(201);
    let job = app.claim_as("w", json!({})).await.unwrap();
    assert_eq!(job["kind"], "review");
    assert_eq!(noted().await, Value::Null);
    let work = json!({"head": "b2", "summary": "Renamed", "review": {"id": "r1", "comment": "Renamed."}});
    note(&work).await;
    assert_eq!(noted().await, work);
}

fn redact_uuid() -> insta::internals::Redaction {
    insta::dynamic_redaction(|value, _path| match value.as_str() {
        Some(text) if text.len() == 36 => "[id]".into(),
        _ => value,
    })
}

#[tokio::test]
async fn ids_of_another_project_are_not_found() {
    let app = TestApp::start().await;
    let (mine, other) = (app.project().await, app.project().await);
    let ticket = app.ticket(&mine).await;
    let crossed = format!("{other}/tickets/{}", ticket.rsplit('/').next().unwrap());
    for path in ["", "/worker-context", "/cancel-requested", "/logs"] {
        assert_eq!(app.get(&format!("{crossed}{path}")).await.error(404), "not_found", "{path}");
    }
    for path in ["/complete", "/cancel"] {
        assert_eq!(app.post(&format!("{crossed}{path}"), json!({})).await.error(404), "not_found", "{path}");
    }
    let log = json!({"session_id": "s"});
    assert_eq!(app.post(&format!("{crossed}/logs"), log).await.error(404), "not_found");
    let unchanged: Value = app.get(&ticket).await.expect(200);
    assert_eq!(unchanged["column_id"], "backlog");
}
