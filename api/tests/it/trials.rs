//! Tests of settings and projects with real requests, and the export and import.

use crate::support::TestApp;
use axum::extract::{Path, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use terarchitect_testbed::chat::{ChatServer, Rule, Script, Wire};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A model and a forge that answer as their path says.
struct Stand {
    base: String,
    /// The keys that arrived.
    keys: Arc<Mutex<Vec<String>>>,
    _server: DropGuard,
}

async fn stand() -> Stand {
    let keys = Arc::new(Mutex::new(Vec::new()));
    let noted = keys.clone();
    let router = Router::new()
        .route(
            "/{how}/v1/chat/completions",
            post(async |Path(how): Path<String>, Json(body): Json<Value>| model(&how, &body)),
        )
        .route("/user", get(async || Json(json!({"login": "robot"}))))
        .route(
            "/repos/{owner}/{name}",
            get(async |Path((owner, name)): Path<(String, String)>| repository(&owner, &name)),
        )
        .layer(axum::middleware::map_request(move |request: Request| {
            let key = request.headers().get("authorization").map(|key| key.to_str().unwrap().to_owned());
            noted.lock().unwrap().push(key.unwrap_or_default());
            std::future::ready(request)
        }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stopped.cancelled_owned()).await });
    Stand { base, keys, _server: stop.drop_guard() }
}

fn model(how: &str, body: &Value) -> Response {
    let error = |status: u16, message: &str| {
        (StatusCode::from_u16(status).unwrap(), Json(json!({"error": {"message": message}}))).into_response()
    };
    match how {
        "good" => Json(json!({"model": format!("{}-2026", body["model"].as_str().unwrap()),
            "choices": [{"message": {"content": "ready"}}]}))
        .into_response(),
        "new" if body.get("max_tokens").is_some() => error(400, "Unsupported parameter: max_tokens"),
        "new" => Json(json!({"choices": [{"message": {"content": null}}]})).into_response(),
        "key" => error(401, "Incorrect API key provided: sk-secret"),
        "model" => error(404, "The model `m` does not exist"),
        "limit" => error(429, "You exceeded your current quota"),
        "broken" => error(500, "oops"),
        "page" => "<html>Welcome</html>".into_response(),
        "other" => Json(json!({"hello": "world"})).into_response(),
        "moved" => (StatusCode::FOUND, [("location", "https://elsewhere.example/")]).into_response(),
        "long" => "x".repeat(1_000_000).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn repository(owner: &str, name: &str) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert("x-oauth-scopes", "repo, workflow".parse().unwrap());
    let body = match (owner, name) {
        ("o", "good") => json!({"private": true, "permissions": {"push": true}}),
        ("o", "read") => json!({"private": true, "permissions": {"push": false}}),
        ("o", "old") => json!({"private": true, "archived": true, "permissions": {"push": true}}),
        _ => return (StatusCode::NOT_FOUND, Json(json!({"message": "Not Found"}))).into_response(),
    };
    (headers, Json(body)).into_response()
}

async fn test(app: &TestApp, what: &str, values: Value) -> (bool, String) {
    let tested = app.post("/api/settings/test", json!({"what": what, "values": values})).await.expect(200);
    assert!(tested["took_ms"].is_u64(), "{tested}");
    (tested["ok"].as_bool().unwrap(), tested["sentence"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_model_is_asked_in_the_form_of_the_agent_that_works_with_it() {
    let app = TestApp::start().await;
    let rule = Rule::text("m", "Reply with the word ready", "ready");
    let key = Some("sk-right".to_owned());
    let model = ChatServer::start_on(&[([127, 0, 0, 1], 0).into()], Script { rules: vec![rule] }, key).await.unwrap();
    for mode in ["opencode", "claude", "codex"] {
        let values = |key: &str| json!({"WORKER_MODE": mode, "WORKER_LLM_URL": model.base_url(), "WORKER_MODEL": "m", "WORKER_API_KEY": key});
        let answered = (true, "The model answered: ready".to_owned());
        assert_eq!(test(&app, "agent_model", values("sk-right")).await, answered, "{mode}");
        let (ok, sentence) = test(&app, "agent_model", values("sk-wrong")).await;
        assert!(!ok && sentence.contains("refused the key (401)"), "{mode}: {sentence}");
    }
    let forms: Vec<Wire> = model.requests().iter().map(|request| request.wire).collect();
    assert_eq!(forms, [Wire::Chat, Wire::Messages, Wire::Responses]);
    let nowhere = json!({"WORKER_MODE": "claude", "WORKER_LLM_URL": format!("http://{}/no", model.address()),
        "WORKER_MODEL": "m", "WORKER_API_KEY": ""});
    let (_, sentence) = test(&app, "agent_model", nowhere).await;
    assert!(sentence.starts_with("There is no API of Anthropic's messages at"), "{sentence}");
}

#[tokio::test]
async fn a_test_says_what_the_server_answered() {
    let (app, stand) = (TestApp::start().await, stand().await);
    let host = stand.base.strip_prefix("http://").unwrap().to_owned();
    let cases = [
        ("good", true, "The model answered: ready".to_owned()),
        ("new", true, "The model answered.".to_owned()),
        ("key", false, format!("{host} refused the key (401); check WORKER_API_KEY.")),
        ("model", false, format!("{host} does not have the model m (404); check WORKER_MODEL.")),
        (
            "limit",
            false,
            format!(
                "{host} was reached, but allows no more requests at the moment (429); check the account's limits and credit."
            ),
        ),
        ("broken", false, format!("{host} was reached, but failed with 500.")),
        ("page", false, format!("There is no OpenAI-compatible API at {}/page/v1; check WORKER_LLM_URL.", stand.base)),
        (
            "nothing",
            false,
            format!("There is no OpenAI-compatible API at {}/nothing/v1; check WORKER_LLM_URL.", stand.base),
        ),
        ("other", false, format!("{host} answers, but not as an OpenAI-compatible API does.")),
        ("moved", false, format!("{host} redirects to another address; set that one.")),
        ("long", false, format!("{host} sent a response that is far too long for this question.")),
    ];
    for (how, ok, sentence) in cases {
        let url = format!("{}/{how}/v1", stand.base);
        let values = json!({"WORKER_LLM_URL": url, "WORKER_MODEL": "m", "WORKER_API_KEY": "sk-secret"});
        assert_eq!(test(&app, "agent_model", values).await, (ok, sentence), "{how}");
    }
    let values = json!({"WORKER_LLM_URL": format!("{}/good", stand.base), "WORKER_MODEL": "m"});
    let tested = app.post("/api/settings/test", json!({"what": "agent_model", "values": values})).await.expect(200);
    assert_eq!((&tested["ok"], &tested["model"]), (&json!(true), &json!("m-2026")));
    assert!(tested["detail"].as_str().unwrap().contains("/good/v1; set WORKER_LLM_URL"), "{tested}");
    assert_eq!(test(&app, "agent_model", json!({})).await.1, "The address is not set: set WORKER_LLM_URL.");
    let values = json!({"WORKER_LLM_URL": "http://localhost:9"});
    assert_eq!(test(&app, "agent_model", values).await.1, "The model's name is not set: set WORKER_MODEL.");
    let values = json!({"AGENT_LLM_URL": "http://127.0.0.1:1", "AGENT_MODEL": "m"});
    let refused = "127.0.0.1:1 refused the connection: no server listens there.";
    assert_eq!(test(&app, "director", values).await, (false, refused.to_owned()));
    let values = json!({"AGENT_LLM_URL": "http://no-such-host.invalid", "AGENT_MODEL": "m"});
    let (ok, sentence) = test(&app, "director", values).await;
    assert!(!ok && sentence.contains("no-such-host.invalid"), "{sentence}");
    assert_eq!(app.post("/api/settings/test", json!({"what": "all"})).await.error(422), "invalid_body");
    let wrong = json!({"what": "forge", "values": {"NOPE": "x"}});
    assert_eq!(app.post("/api/settings/test", wrong).await.error(400), "invalid_field");
}

#[tokio::test]
async fn no_key_appears_in_what_a_test_shows() {
    let (app, stand) = (TestApp::start().await, stand().await);
    let values = json!({"WORKER_LLM_URL": format!("{}/key/v1", stand.base), "WORKER_MODEL": "m",
        "WORKER_API_KEY": "sk-secret"});
    let tested = app.post("/api/settings/test", json!({"what": "agent_model", "values": values})).await.expect(200);
    assert_eq!(tested["detail"], "Incorrect API key provided: [secret]");
}

#[tokio::test]
async fn a_stored_key_is_sent_to_the_stored_address_alone() {
    let (app, home, elsewhere) = (TestApp::start().await, stand().await, stand().await);
    let stored =
        json!({"WORKER_LLM_URL": format!("{}/good", home.base), "WORKER_MODEL": "m", "WORKER_API_KEY": "sk-stored"});
    app.put("/api/settings", stored).await.expect(200);
    assert!(test(&app, "agent_model", json!({})).await.0);
    assert!(test(&app, "agent_model", json!({"WORKER_MODEL": "n", "WORKER_API_KEY": true})).await.0);
    assert!(home.keys.lock().unwrap().iter().all(|key| key == "Bearer sk-stored"));

    let other = format!("{}/good/v1", elsewhere.base);
    let asked = json!({"what": "agent_model", "values": {"WORKER_LLM_URL": other}});
    assert_eq!(app.post("/api/settings/test", asked).await.error(400), "invalid_field");
    assert!(elsewhere.keys.lock().unwrap().is_empty(), "nothing was sent");
    for (key, header) in [("", ""), ("sk-new", "Bearer sk-new")] {
        assert!(test(&app, "agent_model", json!({"WORKER_LLM_URL": other, "WORKER_API_KEY": key})).await.0);
        assert_eq!(elsewhere.keys.lock().unwrap().pop().unwrap(), header);
    }
}

fn check<'a>(checks: &'a Value, name: &str) -> &'a Value {
    let found = checks["checks"].as_array().unwrap().iter().find(|check| check["check"] == name);
    found.unwrap_or_else(|| panic!("no check '{name}' in {checks}"))
}

#[tokio::test]
async fn a_project_is_checked_up_to_its_pull_request() {
    let stand = stand().await;
    let app = TestApp::start_with_forge(&stand.base).await;
    let host = stand.base.strip_prefix("http://").unwrap().to_owned();
    let create = json!({"name": "Checked", "github_url": format!("http://{host}/o/good"), "is_existing_repo": true});
    let project = app.post("/api/projects", create).await.expect(201);
    let project = format!("/api/projects/{}", project["id"].as_str().unwrap());
    let checks = async || app.post(&format!("{project}/check"), json!({})).await.expect(200);
    let ok = |checks: &Value, name: &str| check(checks, name)["ok"].clone();

    let bare = checks().await;
    assert_eq!(
        (ok(&bare, "repository"), ok(&bare, "token"), ok(&bare, "push")),
        (json!(true), Value::Null, Value::Null)
    );
    assert_eq!(check(&bare, "model")["sentence"], "The address is not set: set WORKER_LLM_URL.");
    assert_eq!(check(&bare, "coordinator")["sentence"], "No coordinator has sent a heartbeat lately.");
    assert!(check(&bare, "coordinator")["fix"].is_string());

    let settings = json!({"github_agent_token": "ghp_x", "WORKER_LLM_URL": format!("{}/good/v1", stand.base), "WORKER_MODEL": "m"});
    app.put("/api/settings", settings).await.expect(200);
    app.post("/api/worker/heartbeat", json!({"worker_id": "one", "slots": 1})).await.expect(200);
    let all = checks().await;
    for name in ["repository", "token", "push", "pull_request", "model", "coordinator"] {
        assert_eq!(ok(&all, name), true, "{name}: {all}");
        assert!(check(&all, name)["fix"].is_null(), "{all}");
    }
    let address = async |name: &str| {
        app.put(&project, json!({"github_url": format!("http://{host}/o/{name}")})).await.expect(200);
        checks().await
    };
    assert_eq!(ok(&address("read").await, "push"), false);
    assert_eq!(ok(&address("old").await, "pull_request"), false);
    let unknown = address("unknown").await;
    assert_eq!(ok(&unknown, "repository"), false);
    assert!(unknown["checks"].as_array().unwrap().iter().all(|check| check["check"] != "push"), "{unknown}");

    let sent = || stand.keys.lock().unwrap().iter().filter(|key| *key == "Bearer ghp_x").count();
    let before = sent();
    app.put(&project, json!({"github_url": "https://gitlab.example/o/good"})).await.expect(200);
    let elsewhere = checks().await;
    assert_eq!(ok(&elsewhere, "repository"), Value::Null, "{elsewhere}");
    assert_eq!(sent(), before, "the token is not for that host");
    let (accepted, sentence) = test(&app, "forge", json!({})).await;
    assert_eq!((accepted, sentence), (true, format!("{host} accepts the token; it belongs to robot.")));
}

#[tokio::test]
async fn an_export_moves_settings_and_projects_without_secrets() {
    let (app, other) = (TestApp::start().await, TestApp::start().await);
    let settings =
        json!({"WORKER_LLM_URL": "http://model.example/v1", "WORKER_API_KEY": "sk-secret", "MAX_CONCURRENT_AGENTS": 3});
    app.put("/api/settings", settings).await.expect(200);
    let project = app.project().await;
    app.put(&project, json!({"max_running": 2, "weight": 5})).await.expect(200);
    let document = app.get("/api/settings/export").await.expect(200);
    assert_eq!(document["secrets"], json!(["WORKER_API_KEY"]));
    assert!(!document.to_string().contains("sk-secret"));

    let imported = other.post("/api/settings/import", document.clone()).await.expect(200);
    let expected =
        json!({"settings": 2, "created_projects": 1, "changed_projects": 0, "missing_secrets": ["WORKER_API_KEY"]});
    assert_eq!(imported["imported"], expected);
    let again = other.post("/api/settings/import", document.clone()).await.expect(200);
    assert_eq!(again["imported"]["changed_projects"], 1, "nothing is created twice");
    let mut exported = other.get("/api/settings/export").await.expect(200);
    exported["secrets"] = document["secrets"].clone();
    assert_eq!(exported, document);
    let projects = other.get("/api/projects").await.expect(200);
    assert_eq!((&projects[0]["weight"], &projects[0]["max_running"]), (&json!(5), &json!(2)));
    let tickets = format!("/api/projects/{}/tickets", projects[0]["id"].as_str().unwrap());
    assert_eq!(other.get(&tickets).await.expect(200), json!([]), "no setup ticket");
}

#[tokio::test]
async fn an_import_that_is_not_valid_changes_nothing() {
    let app = TestApp::start().await;
    for document in [
        json!({"settings": {"WORKER_MODEL": "m", "NOPE": "x"}}),
        json!({"settings": {"WORKER_MODEL": "m"}, "projects": [{"name": " "}]}),
        json!({"settings": {"WORKER_MODEL": "m"}, "projects": [{"name": "A"}, {"name": "A "}]}),
        json!({"settings": {"WORKER_MODEL": "m"}, "projects": [{"name": "A", "weight": 0}]}),
    ] {
        assert_eq!(app.post("/api/settings/import", document).await.error(400), "invalid_field");
    }
    assert_eq!(
        app.get("/api/settings/export").await.expect(200),
        json!({"settings": {}, "secrets": [], "projects": []})
    );
}
