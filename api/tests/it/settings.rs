//! Settings: secrets go in and never come out.

use crate::support::TestApp;
use serde_json::json;

const SECRET: &str = "correct-horse-battery-staple";

#[tokio::test]
async fn secrets_are_shown_as_set_and_stored_sealed() {
    let app = TestApp::start().await;
    let before = app.get("/api/settings").await.expect(200);
    assert_eq!((&before["AGENT_API_KEY"], &before["AGENT_MODEL"]), (&json!(false), &json!(null)));
    let after = app.put("/api/settings", json!({"AGENT_API_KEY": SECRET, "AGENT_MODEL": "m"})).await.expect(200);
    assert_eq!((&after["AGENT_API_KEY"], &after["AGENT_MODEL"]), (&json!(true), &json!("m")));
    assert!(!after.to_string().contains(SECRET));
    let stored: Vec<String> =
        sqlx::query_scalar("select row_to_json(s)::text from settings s").fetch_all(&app.pool).await.unwrap();
    assert_eq!(stored.len(), 2);
    assert!(!stored.concat().contains(SECRET));
    app.put("/api/settings", json!({"AGENT_API_KEY": ""})).await.expect(200);
    assert_eq!(app.get("/api/settings").await.expect(200)["AGENT_API_KEY"], false);
}

#[tokio::test]
async fn one_wrong_value_changes_nothing() {
    let app = TestApp::start().await;
    let refused = app.put("/api/settings", json!({"AGENT_MODEL": "m", "WORKER_TIMEOUT_SEC": "soon"})).await;
    assert_eq!(refused.error(400), "invalid_field");
    assert_eq!(app.get("/api/settings").await.expect(200)["AGENT_MODEL"], json!(null));
}

#[tokio::test]
async fn the_check_names_what_is_missing() {
    let app = TestApp::start().await;
    let check = app.get("/api/settings/check").await.expect(200);
    assert_eq!(check["ready"], false);
    let missing: Vec<_> = check["missing_required"].as_array().unwrap().iter().map(|m| m["key"].clone()).collect();
    assert_eq!(missing, [json!("WORKER_LLM_URL"), json!("WORKER_MODEL")]);
    app.put("/api/settings", json!({"WORKER_LLM_URL": "http://localhost:1/v1", "WORKER_MODEL": "m"})).await.expect(200);
    assert_eq!(app.get("/api/settings/check").await.expect(200)["ready"], true);
}

#[tokio::test]
async fn the_worker_key_in_the_settings_wins_over_the_environment() {
    let app = TestApp::start_with_keys("app", "from-environment").await;
    let start = "/api/worker/jobs/start";
    let claim =
        async |key: &str| app.request(reqwest::Method::POST, start, Some(key), Some(&json!({}))).await.status.as_u16();
    assert_eq!(claim("from-environment").await, 204);
    let body = json!({"TERARCHITECT_WORKER_API_KEY": "from-settings"});
    app.request(reqwest::Method::PUT, "/api/settings", Some("app"), Some(&body)).await.expect(200);
    assert_eq!(claim("from-environment").await, 401);
    assert_eq!(claim("from-settings").await, 204);
}
