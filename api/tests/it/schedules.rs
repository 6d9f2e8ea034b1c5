//! Schedules over the API: managed, run by hand, called by another clock, and fired by their own.

use crate::support::TestApp;
use serde_json::{Value, json};

const JOBS: &str = "/api/v1/jobs";

/// A schedule for the project with these further fields; returns its path.
async fn schedule(app: &TestApp, project: &str, fields: Value) -> String {
    let mut body = json!({
        "name": "Update dependencies", "cron_expression": "0 3 * * 1", "repo_id": project.rsplit('/').next(),
        "work_order_template": {"objective": "Update dependencies", "lines": [{"title": "Update", "definition_of_done": "Tests pass"}]},
    });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let made = app.post(JOBS, body).await.expect(201);
    format!("{JOBS}/{}", made["job"]["id"].as_str().unwrap())
}

/// Makes a schedule due a moment ago.
async fn make_due(app: &TestApp, path: &str) {
    let update = "update scheduled_jobs set next_run_at = date_trunc('minute', now()) where id = $1::uuid";
    sqlx::query(update).bind(path.rsplit('/').next()).execute(&app.pool).await.unwrap();
}

#[tokio::test]
async fn a_schedule_is_created_changed_listed_and_deleted() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let path = schedule(&app, &project, json!({"timezone": "Europe/Berlin", "missed": "skip"})).await;
    let made = app.get(&path).await.expect(200)["job"].clone();
    assert_eq!(made["next_runs"].as_array().unwrap().len(), 5);
    assert_eq!(made["next_runs"][0], made["next_run_at"]);
    assert_eq!((&made["missed"], &made["overlap"], &made["enabled"]), (&json!("skip"), &json!("skip"), &json!(true)));
    assert_eq!(app.get(JOBS).await.expect(200)["jobs"], json!([made]));

    let paused = app.patch(&path, json!({"enabled": false, "description": "Each Monday"})).await.expect(200);
    assert_eq!((&paused["job"]["next_run_at"], &paused["job"]["next_runs"]), (&Value::Null, &json!([])));
    let other = app.patch(&path, json!({"enabled": true, "cron_expression": "@hourly"})).await.expect(200);
    assert_ne!(other["job"]["next_run_at"], made["next_run_at"]);
    assert_eq!(other["job"]["description"], "Each Monday");

    assert_eq!(app.delete(&path).await.expect(200), json!({"ok": true}));
    app.get(&path).await.error(404);
    assert_eq!(app.get(JOBS).await.expect(200), json!({"jobs": []}));
}

#[tokio::test]
async fn what_is_wrong_with_a_schedule_is_said() {
    let app = TestApp::start().await;
    let wrong = async |body: Value| app.post(JOBS, body).await.expect(400)["error"].as_str().unwrap().to_owned();
    assert!(wrong(json!({"name": "N", "cron_expression": "0 0 30 2 *"})).await.contains("never due"));
    assert!(wrong(json!({"name": "N", "cron_expression": "0 0 * * * *"})).await.contains("five fields"));
    assert!(wrong(json!({"name": "N", "cron_expression": "@daily", "timezone": "Berlin"})).await.contains("timezone"));
    assert!(wrong(json!({"cron_expression": "@daily"})).await.contains("'name'"));
    let unknown = uuid::Uuid::nil();
    app.post(JOBS, json!({"name": "N", "cron_expression": "@daily", "repo_id": unknown})).await.error(404);
    app.post(JOBS, json!({"name": "N", "cron_expression": "@daily", "agent_id": unknown})).await.error(404);
    app.post(&format!("{JOBS}/{unknown}/run"), json!({})).await.error(404);
    let times = json!({"cron_expression": "*/10 * * * *"});
    let preview = app.post(&format!("{JOBS}/preview"), times).await.expect(200);
    assert_eq!(preview["next_runs"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn a_run_by_hand_creates_an_order_that_names_its_schedule() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let path = schedule(&app, &project, json!({})).await;
    let started = app.post(&format!("{path}/run"), json!({})).await.expect(201);
    assert_eq!((&started["ok"], &started["launch_error"]), (&json!(true), &Value::Null));
    let order = started["work_order_id"].as_str().unwrap();
    let order = app.get(&format!("/api/v1/work-orders/{order}")).await.expect(200);
    let runs = app.get(&format!("{path}/runs")).await.expect(200)["runs"].clone();
    assert_eq!((&order["source"], &order["objective"]), (&json!("job"), &json!("Update dependencies")));
    assert_eq!(order["metadata"], json!({"job_id": path.rsplit('/').next(), "job_run_id": runs[0]["id"]}));
    assert_eq!((&runs[0]["status"], &runs[0]["due_at"]), (&json!("pending"), &Value::Null));

    // It is still going, so it is not doubled unless that is allowed.
    assert_eq!(app.post(&format!("{path}/run"), json!({})).await.error(409), "job_exists");
    app.patch(&path, json!({"overlap": "allow"})).await.expect(200);
    app.post(&format!("{path}/run"), json!({})).await.expect(201);

    let job = app.claim(&project).await.unwrap();
    app.post(&format!("{}/complete", TestApp::job_path(&job)), json!({"attempt": job["attempt"]})).await.expect(200);
    let runs = app.get(&format!("{path}/runs")).await.expect(200)["runs"].clone();
    let states: Vec<&str> = runs.as_array().unwrap().iter().map(|run| run["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["pending", "completed"]);
}

#[tokio::test]
async fn its_own_clock_fires_what_is_due() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let path = schedule(&app, &project, json!({})).await;
    make_due(&app, &path).await;
    let runs = async || app.get(&format!("{path}/runs")).await.expect(200)["runs"].clone();
    app.eventually(async || runs().await.as_array().is_some_and(|runs| runs.len() == 1)).await;
    assert_eq!(runs().await[0]["status"], "pending");
    let job = app.get(&path).await.expect(200)["job"].clone();
    assert!(job["last_run_at"].is_string() && job["next_run_at"] == job["next_runs"][0]);
    let events = app.get("/api/events?kind=schedule.fired").await.expect(200);
    assert!(events.to_string().contains("schedule.fired"), "{events}");
}

#[tokio::test]
async fn another_clock_gets_the_order_of_this_time_whoever_came_first() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let path = schedule(&app, &project, json!({})).await;
    let cron = async |id: Option<&str>| app.post(&format!("{JOBS}/cron"), json!({"job_id": id})).await.expect(200);
    let id = path.rsplit('/').next();
    assert_eq!(cron(id).await["skipped"], true);
    make_due(&app, &path).await;
    let (one, other) = tokio::join!(cron(id), cron(id));
    assert!(one["work_order_id"].is_string());
    assert_eq!(one["work_order_id"], other["work_order_id"]);
    let runs = app.get(&format!("{path}/runs")).await.expect(200)["runs"].clone();
    assert_eq!(runs.as_array().unwrap().len(), 1);
    assert_eq!(runs[0]["work_order_id"], one["work_order_id"]);

    app.patch(&path, json!({"enabled": false})).await.expect(200);
    assert_eq!(cron(id).await["skipped"], true);
    let unknown = cron(Some("00000000-0000-0000-0000-000000000000")).await;
    assert_eq!((&unknown["ok"], &unknown["skipped"]), (&json!(true), &json!(true)));
}

#[tokio::test]
async fn schedules_of_a_project_are_for_those_who_may_work_there() {
    let app = TestApp::start_guarded().await;
    let body = json!({"name": "Demo", "github_url": "https://github.com/demo/hello", "is_existing_repo": true});
    let project = app.as_admin().post("/api/projects", body).await.expect(201)["id"].as_str().unwrap().to_owned();
    let body = json!({"name": "N", "cron_expression": "@daily", "repo_id": project});
    let made = app.as_admin().post(JOBS, body.clone()).await.expect(201);
    let path = format!("{JOBS}/{}", made["job"]["id"].as_str().unwrap());
    let viewer = app.person("viewer@example.com", "none", &[(&project, "viewer")]).await;
    let stranger = app.person("stranger@example.com", "none", &[]).await;
    let send = async |cookie: &str, method: reqwest::Method, path: &str, body: Option<Value>| {
        app.send(method, path, &[("cookie", cookie), ("origin", &app.base)], body).await
    };
    let (get, post, delete) = (reqwest::Method::GET, reqwest::Method::POST, reqwest::Method::DELETE);
    assert_eq!(send(&viewer, get.clone(), JOBS, None).await.expect(200)["jobs"].as_array().unwrap().len(), 1);
    send(&viewer, get.clone(), &path, None).await.expect(200);
    send(&viewer, post.clone(), &format!("{path}/run"), Some(json!({}))).await.error(403);
    send(&viewer, post.clone(), JOBS, Some(body.clone())).await.error(403);
    assert_eq!(send(&stranger, get.clone(), JOBS, None).await.expect(200)["jobs"], json!([]));
    send(&stranger, get, &path, None).await.error(404);
    send(&stranger, delete, &path, None).await.error(404);
    let cron = send(&stranger, post, &format!("{JOBS}/cron"), Some(json!({"job_id": made["job"]["id"]}))).await;
    assert_eq!(cron.expect(200)["skipped"], true);
}
