//! Messages to agents, and the diffs that runners store.

use crate::support::{ADMIN_KEY, TestApp};
use flate2::read::GzDecoder;
use reqwest::Method;
use serde_json::{Value, json};
use std::io::Read;

fn texts(messages: &Value) -> Vec<&str> {
    messages.as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap()).collect()
}

/// A running attempt of a ticket, with its token.
struct Attempt {
    ticket: String,
    job: String,
    token: String,
}

async fn start(app: &TestApp) -> Attempt {
    app.may_leave_jobs_live();
    let body = json!({"name": "Demo", "github_url": "https://github.com/demo/hello", "is_existing_repo": true});
    let project = app.as_admin().post("/api/projects", body).await.expect(201);
    let project = format!("/api/projects/{}", project["id"].as_str().unwrap());
    let new = json!({"title": "Say hello", "column_id": "in_progress"});
    let ticket = app.as_admin().post(&format!("{project}/tickets"), new).await.expect(201);
    let ticket = format!("{project}/tickets/{}", ticket["id"].as_str().unwrap());
    let job = claim(app).await;
    Attempt { ticket, job: job["job_id"].as_str().unwrap().to_owned(), token: token_of(&job) }
}

async fn claim(app: &TestApp) -> Value {
    app.as_worker().post("/api/worker/jobs/start", json!({"worker_id": "one"})).await.expect(200)
}

fn token_of(job: &Value) -> String {
    job["job_token"].as_str().unwrap().to_owned()
}

async fn say(app: &TestApp, ticket: &str, text: &str) -> Value {
    app.as_admin().post(&format!("{ticket}/messages"), json!({"text": text})).await.expect(201)
}

async fn take(app: &TestApp, ticket: &str, token: &str, turn: i32) -> Vec<String> {
    let path = format!("{ticket}/messages/take");
    let body = json!({"attempt": 1, "turn": turn});
    let taken = app.request(Method::POST, &path, Some(token), Some(&body)).await.expect(200);
    texts(&taken["messages"]).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_message_is_taken_by_one_turn_and_delivered_once() {
    let app = TestApp::start_guarded().await;
    let Attempt { ticket, token, .. } = start(&app).await;
    assert!(take(&app, &ticket, &token, 1).await.is_empty());
    let first = say(&app, &ticket, "  Use tabs.\n").await;
    assert_eq!(
        (&first["text"], &first["author"], &first["turn"]),
        (&json!("Use tabs."), &json!("api-key"), &Value::Null)
    );
    assert_eq!(take(&app, &ticket, &token, 2).await, ["Use tabs."]);
    say(&app, &ticket, "And a test.").await;
    // The same turn again gets the same, whatever was written since.
    assert_eq!(take(&app, &ticket, &token, 2).await, ["Use tabs."]);
    let delivered = format!("{ticket}/messages/delivered");
    for _ in 0..2 {
        let body = json!({"attempt": 1, "turn": 2});
        app.request(Method::POST, &delivered, Some(&token), Some(&body)).await.expect(200);
    }
    assert_eq!(take(&app, &ticket, &token, 3).await, ["And a test."]);
    // Never confirmed, so the next turn gets it again.
    assert_eq!(take(&app, &ticket, &token, 4).await, ["And a test."]);
    let listed = app.as_admin().get(&format!("{ticket}/messages")).await.expect(200);
    assert_eq!(texts(&listed), ["Use tabs.", "And a test."]);
    assert!(listed[0]["delivered_at"].is_string() && listed[1]["delivered_at"].is_null());
    assert_eq!((&listed[0]["attempt"], &listed[0]["turn"], &listed[1]["turn"]), (&json!(1), &json!(2), &json!(4)));
    let events = app.as_admin().get("/api/events?kind=message").await.expect(200);
    let kinds: Vec<&str> = events["events"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message.posted", "message.posted", "message.delivered"]);
}

#[tokio::test]
async fn what_an_ended_attempt_never_confirmed_is_free_again() {
    let app = TestApp::start_guarded().await;
    let Attempt { ticket, token, job } = start(&app).await;
    say(&app, &ticket, "Use tabs.").await;
    assert_eq!(take(&app, &ticket, &token, 1).await, ["Use tabs."]);
    let report = json!({"attempt": 1, "worker_id": "one", "reason": "out_of_memory"});
    app.as_worker().post(&format!("/api/worker/jobs/{job}/fail"), report).await;
    let (path, body) = (format!("{ticket}/messages/take"), json!({"turn": 1}));
    let refused = app.request(Method::POST, &path, Some(&token), Some(&body)).await;
    assert_eq!(refused.error(401), "job_token_refused");
    sqlx::query("update agent_jobs set status = 'pending', due = true, run_at = now(), finished_at = null, outcome_reason = null")
        .execute(&app.pool)
        .await
        .unwrap();
    let next = token_of(&claim(&app).await);
    assert_eq!(take(&app, &ticket, &next, 1).await, ["Use tabs."]);
}

/// A take whose response is lost is repeated, perhaps while the first one still runs.
#[tokio::test]
async fn takes_of_one_turn_at_once_return_the_same() {
    let app = TestApp::start_guarded().await;
    let Attempt { ticket, token, .. } = start(&app).await;
    say(&app, &ticket, "Use tabs.").await;
    let taken = futures::future::join_all((0..6).map(|_| take(&app, &ticket, &token, 1))).await;
    assert!(taken.iter().all(|texts| texts == &["Use tabs."]), "{taken:?}");
}

#[tokio::test]
async fn a_runner_without_a_job_gets_messages_too() {
    let app = TestApp::start().await;
    let ticket = app.ticket(&app.project().await).await;
    for refused in [json!({"text": " \n"}), json!({"text": "x".repeat(40_000)})] {
        assert_eq!(app.post(&format!("{ticket}/messages"), refused).await.error(400), "invalid_field");
    }
    app.post(&format!("{ticket}/messages"), json!({"text": "Use tabs."})).await.expect(201);
    let take = async |turn: i32| {
        let taken = app.post(&format!("{ticket}/messages/take"), json!({"turn": turn})).await.expect(200);
        taken["messages"].as_array().unwrap().len()
    };
    assert_eq!((take(1).await, take(1).await), (1, 1));
    app.post(&format!("{ticket}/messages/delivered"), json!({"turn": 1})).await.expect(200);
    assert_eq!(take(2).await, 0);
    let nowhere = format!("{}/tickets/{}", app.project().await, uuid::Uuid::nil());
    for path in ["messages", "messages/take", "messages/delivered"] {
        let body = json!({"text": "x", "turn": 1});
        assert_eq!(app.post(&format!("{nowhere}/{path}"), body).await.error(404), "not_found");
    }
}

#[tokio::test]
async fn the_note_of_a_retry_is_a_message() {
    let app = TestApp::start_guarded().await;
    let Attempt { ticket, job, .. } = start(&app).await;
    let report = json!({"attempt": 1, "worker_id": "one", "reason": "agent_failed"});
    app.as_worker().post(&format!("/api/worker/jobs/{job}/fail"), report).await;
    sqlx::query(
        "update agent_jobs set status = 'failed', due = false, finished_at = now(), outcome_reason = 'agent_failed'",
    )
    .execute(&app.pool)
    .await
    .unwrap();
    app.as_admin().post(&format!("/api/jobs/{job}/retry"), json!({"note": "Mind the tests."})).await.expect(201);
    let next = token_of(&claim(&app).await);
    assert_eq!(take(&app, &ticket, &next, 1).await, ["Mind the tests."]);
}

#[tokio::test]
async fn diffs_are_stored_compressed_and_the_same_turn_replaces_its_own() {
    let app = TestApp::start_guarded().await;
    let Attempt { ticket, token, .. } = start(&app).await;
    let put = async |turn: Value, patch: &str| {
        let body = json!({"attempt": 1, "turn": turn, "commit": "c", "base": "b", "files": 1, "added": 2, "removed": 3,
            "patch": patch, "truncated": false});
        app.request(Method::PUT, &format!("{ticket}/diffs"), Some(&token), Some(&body)).await
    };
    put(json!(3), "one\n").await.expect(200);
    let turn = put(json!(3), "+é two\n").await.expect(200);
    put(json!(null), "whole\n").await.expect(200);
    put(json!(null), "whole, later\n").await.expect(200);
    let listed = app.as_admin().get(&format!("{ticket}/diffs")).await.expect(200);
    let shown: Vec<_> =
        listed.as_array().unwrap().iter().map(|diff| (diff["turn"].clone(), diff["bytes"].clone())).collect();
    assert_eq!(shown, [(json!(3), json!(8)), (json!(null), json!(13))]);
    let get = app.http().get(format!("{}{ticket}/diffs/{}", app.base, turn["id"].as_str().unwrap()));
    let get = get.bearer_auth(ADMIN_KEY);
    let plain = get.try_clone().unwrap().send().await.unwrap();
    assert_eq!(plain.headers()["content-type"], "text/x-diff; charset=utf-8");
    assert_eq!(plain.text().await.unwrap(), "+é two\n");
    let packed = get.header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let mut text = String::new();
    GzDecoder::new(&packed.bytes().await.unwrap()[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, "+é two\n");
    let counts: (i32, i32, i32) =
        sqlx::query_as("select files, added, removed from ticket_activity").fetch_one(&app.pool).await.unwrap();
    assert_eq!(counts, (1, 2, 3));
    let events = app.as_admin().get("/api/events?kind=diff.stored").await.expect(200);
    assert_eq!(events["events"].as_array().unwrap().len(), 4);
    // Far more than other calls may send, but not without end.
    put(json!(4), &"x".repeat(11 * 1024 * 1024)).await.expect(200);
    assert_eq!(put(json!(5), &"x".repeat(13 * 1024 * 1024)).await.error(400), "invalid_field");
    assert_eq!(put(json!(5), &"x".repeat(17 * 1024 * 1024)).await.error(413), "body_too_large");
    assert_eq!(put(json!(-1), "x").await.error(400), "invalid_field");
    // They outlive nothing but the ticket.
    assert_eq!(app.request(Method::DELETE, &ticket, Some(ADMIN_KEY), None).await.status, 200);
    let left: i64 =
        sqlx::query_scalar("select (select count(*) from ticket_diffs) + (select count(*) from ticket_activity)")
            .fetch_one(&app.pool)
            .await
            .unwrap();
    assert_eq!(left, 0);
}
