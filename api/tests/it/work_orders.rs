//! Work orders: created and launched in one call, what they say of themselves, and how they end.

use crate::support::TestApp;
use reqwest::Method;
use serde_json::{Value, json};

const ORDERS: &str = "/api/v1/work-orders";

/// The document's own example.
fn example(repo: &str, agent: &str) -> Value {
    json!({
        "objective": "Refactor auth module",
        "agent_id": agent,
        "repo_id": repo,
        "lines": [
            {"id": "1", "title": "Extract token checks", "definition_of_done": "auth/token.rs has tests"},
            {"id": "2", "title": "Remove the old path", "definition_of_done": "no caller is left"}
        ],
        "constraints": {"do_not_modify": ["migrations/"]},
        "verification": {"test_command": "cargo test auth"}
    })
}

async fn agent(app: &TestApp, body: Value) -> String {
    app.post("/api/v1/agents", body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

async fn repo(app: &TestApp) -> String {
    app.project().await.rsplit('/').next().unwrap().to_owned()
}

async fn create(app: &TestApp, body: Value) -> String {
    app.post(ORDERS, body).await.expect(201)["work_order_id"].as_str().unwrap().to_owned()
}

async fn order(app: &TestApp, id: &str) -> Value {
    app.get(&format!("{ORDERS}/{id}")).await.expect(200)
}

async fn finish(app: &TestApp, job: &Value, how: &str, more: Value) {
    let mut body = json!({"attempt": job["attempt"], "worker_id": "one"});
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    app.post(&format!("{}/{how}", TestApp::job_path(job)), body).await.expect(200);
}

#[tokio::test]
async fn an_order_is_a_ticket_that_is_launched_as_it_is_created() {
    let app = TestApp::start().await;
    let agent = agent(&app, json!({"name": "Refactorer", "system_prompt": "Be careful.", "model": "large"})).await;
    let repo = repo(&app).await;
    let created = app.post(ORDERS, example(&repo, &agent)).await.expect(201);
    let id = created["work_order_id"].as_str().unwrap();
    let expected =
        json!({"ok": true, "work_order_id": id, "status": "pending", "cursor_agent_id": null, "launch_error": null});
    assert_eq!(created, expected);

    let job = app.claim_as("one", json!({})).await.unwrap();
    assert_eq!(job["ticket_id"], id);
    let detail = order(&app, id).await;
    assert_eq!((detail["status"].as_str(), detail["agent_name"].as_str()), (Some("running"), Some("Refactorer")));
    assert_eq!(detail["repo_url"], "https://github.com/demo/hello");
    assert_eq!(
        (detail["default_branch"].as_str(), detail["system_prompt"].as_str()),
        (Some("main"), Some("Be careful."))
    );
    assert_eq!(detail["lines"][1]["status"], "pending");

    let ticket = format!("/api/projects/{repo}/tickets/{id}");
    let context = app.get(&format!("{ticket}/worker-context")).await.expect(200);
    let task = context["current_ticket"]["description"].as_str().unwrap();
    assert!(task.starts_with(&format!("WORK_ORDER_ID={id}\n")), "{task}");
    for part in [
        "1. Extract token checks",
        "Done when: auth/token.rs has tests",
        "migrations/",
        "cargo test auth",
        "Be careful.",
    ] {
        assert!(task.contains(part), "{part}: {task}");
    }
    assert_eq!(context["agent_settings"]["WORKER_MODEL"], "large");

    let done = json!({"pr_url": "https://github.com/demo/hello/pull/42", "pr_number": 42, "summary": "Split it up."});
    app.post(&format!("{ticket}/complete"), done).await.expect(200);
    finish(&app, &job, "complete", json!({})).await;
    let detail = order(&app, id).await;
    assert_eq!(detail["status"], "completed");
    assert_eq!(
        (detail["pr_url"].as_str(), detail["summary"].as_str()),
        (Some("https://github.com/demo/hello/pull/42"), Some("Split it up."))
    );
    assert!(detail["finished_at"].is_string() && detail["duration_ms"].is_number(), "{detail}");
    assert_eq!(detail["logs"][0]["event_type"], "completed");
}

#[tokio::test]
async fn an_order_runs_with_the_program_of_its_agent() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let repo = repo(&app).await;
    let mode_of = async |program: &str| {
        let agent = agent(&app, json!({"name": program, "program": program, "model": "m"})).await;
        let id = create(&app, json!({"objective": program, "repo_id": repo, "agent_id": agent})).await;
        let context = app.get(&format!("/api/projects/{repo}/tickets/{id}/worker-context")).await.expect(200);
        context["agent_settings"]["WORKER_MODE"].clone()
    };
    app.put("/api/settings", json!({"WORKER_MODE": "codex"})).await.expect(200);
    assert_eq!(mode_of("claude").await, "claude");
    assert_eq!(mode_of("codex").await, "codex");
    assert_eq!(mode_of("opencode").await, "codex", "the setting says what the usual agent is");
}

#[tokio::test]
async fn a_runner_starts_from_the_branch_of_the_order_else_of_the_repository() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let repo = repo(&app).await;
    let base_of = async |order: Value| {
        let id = create(&app, order).await;
        let context = app.get(&format!("/api/projects/{repo}/tickets/{id}/worker-context")).await.expect(200);
        context.get("base_branch").cloned()
    };
    // What a repository has until another branch is named says nothing: its forge knows.
    assert_eq!(base_of(json!({"objective": "One", "repo_id": repo})).await, None);
    assert_eq!(
        base_of(json!({"objective": "Two", "repo_id": repo, "branch_name": "release"})).await,
        Some(json!("release"))
    );
    app.patch(&format!("/api/v1/repos/{repo}"), json!({"default_branch": "develop"})).await.expect(200);
    assert_eq!(base_of(json!({"objective": "Three", "repo_id": repo})).await, Some(json!("develop")));
    let both = json!({"objective": "Four", "repo_id": repo, "branch_name": "main"});
    assert_eq!(base_of(both).await, Some(json!("main")));
}

#[tokio::test]
async fn a_failed_job_is_a_failed_order_with_the_reason() {
    let app = TestApp::start().await;
    let repo = repo(&app).await;
    let id = create(&app, json!({"objective": "Try", "repo_id": repo})).await;
    let job = app.claim_as("one", json!({})).await.unwrap();
    finish(&app, &job, "fail", json!({"reason": "agent_failed", "detail": "The tests still fail."})).await;
    let failed = order(&app, &id).await;
    assert_eq!(
        (failed["status"].as_str(), failed["error_message"].as_str()),
        (Some("failed"), Some("The tests still fail."))
    );
    // Launched once more, it is pending again.
    let again = app.post(&format!("{ORDERS}/{id}/launch"), json!({})).await.expect(200);
    assert_eq!(again["status"], "pending");
    let cancelled = app.post(&format!("{ORDERS}/{id}/cancel"), json!({})).await.expect(200);
    assert_eq!(cancelled["status"], "cancelled");
    let again = app.post(&format!("{ORDERS}/{id}/cancel"), json!({})).await.expect(200);
    assert_eq!(again["status"], "cancelled", "a second time changes nothing");
}

#[tokio::test]
async fn a_launch_that_can_not_be_leaves_the_order_pending_with_the_reason() {
    let app = TestApp::start().await;
    let created = app.post(ORDERS, json!({"objective": "Somewhere"})).await.expect(201);
    assert_eq!(created["status"], "pending");
    assert!(created["launch_error"].as_str().unwrap().contains("repo_id"), "{created}");
    assert!(app.jobs().await.is_empty());
    let id = created["work_order_id"].as_str().unwrap();
    let detail = order(&app, id).await;
    assert_eq!(
        (detail["repo_id"].clone(), detail["launch_error"].clone()),
        (Value::Null, created["launch_error"].clone())
    );

    // One whose repository gets its address later is launched then.
    let project = app.post("/api/projects", json!({"name": "Later", "is_existing_repo": true})).await.expect(201);
    let later = app.post(ORDERS, json!({"objective": "Here", "repo_id": project["id"]})).await.expect(201);
    assert!(later["launch_error"].as_str().unwrap().contains("github_url"), "{later}");
    let path = format!("/api/v1/repos/{}", project["id"].as_str().unwrap());
    app.patch(&path, json!({"repo_url": "https://github.com/demo/later"})).await.expect(200);
    let id = later["work_order_id"].as_str().unwrap();
    let launched = app.post(&format!("{ORDERS}/{id}/launch"), json!({})).await.expect(200);
    assert_eq!((launched["status"].as_str(), launched["launch_error"].clone()), (Some("pending"), Value::Null));
    assert_eq!(app.claim_as("one", json!({})).await.unwrap()["ticket_id"], id);
    app.may_leave_jobs_live();
}

#[tokio::test]
async fn the_same_key_creates_one_order() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let body = json!({"objective": "Once", "repo_id": repo(&app).await});
    let send = async || app.send(Method::POST, ORDERS, &[("idempotency-key", "k-1")], Some(body.clone())).await;
    let (one, two) = tokio::join!(send(), send());
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 201]);
    assert_eq!(one.body["work_order_id"], two.body["work_order_id"]);
    assert_eq!(app.jobs().await.len(), 1);
}

#[tokio::test]
async fn a_job_for_a_cloud_is_left_alone_by_coordinators() {
    let app = TestApp::start().await;
    let agent = agent(&app, json!({"name": "Cursor", "type": "cursor"})).await;
    let repo = repo(&app).await;
    let id = create(&app, json!({"objective": "In the cloud", "repo_id": repo, "agent_id": agent})).await;
    let other = create(&app, json!({"objective": "Here", "repo_id": repo})).await;
    let job = app.claim_as("one", json!({})).await.unwrap();
    assert_eq!(job["ticket_id"].as_str(), Some(other.as_str()));
    finish(&app, &job, "complete", json!({})).await;
    assert!(app.claim_as("one", json!({})).await.is_none());
    let (runs_on, due): (String, bool) =
        sqlx::query_as("select runs_on, due from agent_jobs where ticket_id = $1::uuid")
            .bind(&id)
            .fetch_one(&app.pool)
            .await
            .unwrap();
    assert_eq!((runs_on.as_str(), due), ("cloud", false));
    let card = app.get(&format!("/api/projects/{repo}/tickets/{id}/card")).await.expect(200);
    assert!(card.to_string().contains("Waiting for the agent's cloud to take it."), "{card}");
    assert_eq!(app.delete(&format!("/api/v1/agents/{agent}")).await.error(409), "job_exists");
    app.post(&format!("{ORDERS}/{id}/cancel"), json!({})).await.expect(200);
    app.delete(&format!("/api/v1/agents/{agent}")).await.expect(200);
    assert_eq!(order(&app, &id).await["agent_id"], Value::Null);
}

#[tokio::test]
async fn a_local_order_is_not_launched_and_ends_by_what_is_said_of_it() {
    let app = TestApp::start().await;
    let id = create(&app, json!({"objective": "By hand", "source": "local", "lines": ["One", "Two"]})).await;
    assert!(app.jobs().await.is_empty());
    let path = format!("{ORDERS}/{id}");
    assert!(app.post(&format!("{path}/launch"), json!({})).await.error(400) == "invalid_field");
    let set = app.post(&format!("{path}/lines/1"), json!({})).await.expect(200);
    assert_eq!((set["line"]["status"].as_str(), set["open"].clone()), (Some("completed"), json!(["Two"])));
    let patched =
        app.patch(&path, json!({"lines": [{"id": "2", "status": "done"}], "summary": "Both."})).await.expect(200);
    assert_eq!(patched["lines"][1]["status"], "completed");
    assert_eq!(app.post(&format!("{path}/lines/3"), json!({})).await.error(404), "not_found");
    assert_eq!(app.post(&format!("{path}/lines/2"), json!({"status": "perhaps"})).await.error(400), "invalid_field");
    let ended = app.patch(&path, json!({"status": "completed"})).await.expect(200);
    assert_eq!((ended["status"].as_str(), ended["summary"].as_str()), (Some("completed"), Some("Both.")));
    assert_eq!(app.patch(&path, json!({"status": "cancelled"})).await.error(409), "not_live");
    let events = app.get("/api/events?limit=1000&kind=work_order").await.expect(200);
    let statuses: Vec<_> =
        events["events"].as_array().unwrap().iter().map(|e| e["data"]["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["pending", "pending", "pending", "completed"]);
}

#[tokio::test]
async fn lists_have_filters_and_pages() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let agent = agent(&app, json!({"name": "A"})).await;
    let repo = repo(&app).await;
    for n in 0..5 {
        let source = if n % 2 == 0 { "cloud" } else { "local" };
        create(&app, json!({"objective": format!("o{n}"), "repo_id": repo, "agent_id": agent, "source": source})).await;
    }
    app.claim_as("one", json!({})).await.unwrap();
    let objectives = async |query: &str| -> Vec<String> {
        let page = app.get(&format!("{ORDERS}?{query}")).await.expect(200);
        let all = page["work_orders"].as_array().unwrap();
        assert!(all.iter().all(|order| order["agents"]["name"] == "A" && order["agent_repos"]["repo_url"].is_string()));
        all.iter().map(|order| order["objective"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(objectives("source=local").await, ["o3", "o1"]);
    assert_eq!(objectives("status=running").await, ["o0"]);
    assert_eq!(objectives(&format!("status=pending&source=cloud&repo_id={repo}&agent_id={agent}")).await, ["o4", "o2"]);
    assert!(objectives("status=failed").await.is_empty());
    let first = app.get(&format!("{ORDERS}?limit=3")).await.expect(200);
    let cursor = first["next_cursor"].as_i64().unwrap();
    assert_eq!(objectives(&format!("limit=3&cursor={cursor}")).await, ["o1", "o0"]);
    assert_eq!(app.get(&format!("{ORDERS}?status=odd")).await.error(400), "invalid_query");
}

#[tokio::test]
async fn a_preview_is_the_prompt_and_creates_nothing() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let repo = project.rsplit('/').next().unwrap();
    let docs = json!({"docs": ["The auth module signs tokens with HS256."]});
    app.post(&format!("{project}/memory/index"), docs).await.expect(200);
    let agent = agent(&app, json!({"name": "R", "system_prompt": "Be careful."})).await;
    let reply = app.post(&format!("{ORDERS}/preview"), example(repo, &agent)).await.expect(200);
    let prompt = reply["prompt"].as_str().unwrap();
    for part in ["## Objective", "signs tokens with HS256", "Be careful."] {
        assert!(prompt.contains(part), "{prompt}");
    }
    assert!(app.get(ORDERS).await.expect(200)["work_orders"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn members_work_in_their_own_projects_and_see_nothing_else() {
    let app = TestApp::start_guarded().await;
    app.may_leave_jobs_live();
    let new = async |name: &str| {
        let body =
            json!({"name": name, "github_url": format!("https://github.com/demo/{name}"), "is_existing_repo": true});
        app.as_admin().post("/api/projects", body).await.expect(201)["id"].as_str().unwrap().to_owned()
    };
    let (own, other) = (new("own").await, new("other").await);
    let cookie = app.person("m@example.com", "none", &[(&own, "member")]).await;
    let headers = [("cookie", cookie.as_str())];
    let send = async |method: Method, path: &str, body: Option<Value>| app.send(method, path, &headers, body).await;
    let order = |repo: &str| Some(json!({"objective": "x", "repo_id": repo}));
    send(Method::POST, ORDERS, order(&own)).await.expect(201);
    assert_eq!(send(Method::POST, ORDERS, order(&other)).await.error(404), "not_found");
    assert_eq!(send(Method::POST, ORDERS, Some(json!({"objective": "x"}))).await.error(403), "not_allowed");
    let theirs = app.as_admin().post(ORDERS, order(&other).unwrap()).await.expect(201);
    let path = format!("{ORDERS}/{}", theirs["work_order_id"].as_str().unwrap());
    assert_eq!(send(Method::GET, &path, None).await.error(404), "not_found");
    assert_eq!(send(Method::GET, ORDERS, None).await.expect(200)["work_orders"].as_array().unwrap().len(), 1);
    // The key is taken from either header.
    let with_key = async |key: &str| app.send(Method::GET, ORDERS, &[("x-api-key", key)], None).await;
    assert_eq!(with_key("app-key").await.expect(200)["work_orders"].as_array().unwrap().len(), 2);
    assert_eq!(with_key("wrong").await.error(401), "unauthorized");
}

#[tokio::test]
async fn bad_input_gets_a_sentence() {
    let app = TestApp::start().await;
    for (body, code) in [
        (json!({}), "invalid_field"),
        (json!({"objective": " ", "lines": []}), "invalid_field"),
        (json!({"objective": "x", "lines": "y"}), "invalid_field"),
        (json!({"objective": "x", "constraints": 1}), "invalid_field"),
        (json!({"objective": "x", "branch_name": "a b"}), "invalid_field"),
    ] {
        assert_eq!(app.post(ORDERS, body.clone()).await.error(400), code, "{body}");
    }
    for body in [
        json!({"objective": 1}),
        json!({"objective": "x", "source": "moon"}),
        json!({"objective": "x", "repo_id": "1"}),
    ] {
        assert_eq!(app.post(ORDERS, body.clone()).await.error(422), "invalid_body", "{body}");
    }
    let nowhere = "00000000-0000-0000-0000-000000000009";
    for body in [json!({"objective": "x", "repo_id": nowhere}), json!({"objective": "x", "agent_id": nowhere})] {
        assert_eq!(app.post(ORDERS, body.clone()).await.error(404), "not_found", "{body}");
    }
    assert_eq!(app.get(&format!("{ORDERS}/{nowhere}")).await.error(404), "not_found");
    assert_eq!(app.get(&format!("{ORDERS}/7")).await.error(400), "invalid_path");
}
