//! The event log: what happens, in order, each event once.

use crate::support::TestApp;
use reqwest::header::ACCEPT;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use std::time::Duration;
use terarchitect_testbed::postgres::TestPostgres;

/// A page of events after a position.
async fn page(app: &TestApp, query: &str) -> Value {
    app.get(&format!("/api/events?{query}")).await.expect(200)
}

fn kinds(page: &Value) -> Vec<&str> {
    page["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

/// Reads a stream until it holds this text, and returns everything that came.
async fn read_until(response: &mut reqwest::Response, wanted: &str) -> String {
    let mut text = String::new();
    while !text.contains(wanted) {
        let chunk = tokio::time::timeout(Duration::from_secs(20), response.chunk()).await.expect("in time").unwrap();
        text.push_str(std::str::from_utf8(&chunk.expect("the stream goes on")).unwrap());
    }
    text
}

async fn stream(app: &TestApp, base: &str, query: &str, last: Option<&str>) -> reqwest::Response {
    let mut request = app.http().get(format!("{base}/api/events?{query}")).header(ACCEPT, "text/event-stream");
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    response
}

#[tokio::test]
async fn a_tickets_way_is_in_the_log_with_who_made_each_change() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    app.move_to(&ticket, "in_progress").await;
    let job = app.claim_as("one", json!({})).await.unwrap();
    app.post(&format!("{ticket}/logs"), json!({"session_id": "s", "step": "turn", "summary": "did it"}))
        .await
        .expect(200);
    app.post(&format!("{}/complete", TestApp::job_path(&job)), json!({"attempt": 1, "worker_id": "one"}))
        .await
        .expect(200);
    let all = page(&app, "limit=1000").await;
    let expected = [
        "project.created",
        "ticket.created",
        "job.enqueued",
        "ticket.moved",
        "job.claimed",
        "log.appended",
        "attempt.ended",
    ];
    assert_eq!(kinds(&all), expected);
    let event = |kind: &str| all["events"].as_array().unwrap().iter().find(|event| event["kind"] == kind).unwrap();
    assert_eq!(event("ticket.moved")["actor"], "local");
    assert_eq!(event("job.claimed")["actor"], "worker:one");
    assert_eq!(event("attempt.ended")["data"]["job_status"], "completed");
    // Page by page it is the same, and filters leave out the rest.
    let mut after = "start".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = page(&app, &format!("after={after}&limit=2")).await;
        seen.extend(kinds(&page).into_iter().map(str::to_owned));
        after = page["next"].as_str().unwrap().to_owned();
        if page["more"] == json!(false) {
            break;
        }
    }
    assert_eq!(seen, expected);
    assert_eq!(kinds(&page(&app, "kind=job,attempt.ended").await), ["job.enqueued", "job.claimed", "attempt.ended"]);
    assert_eq!(app.get("/api/events?kind=nope").await.error(400), "invalid_query");
    assert_eq!(app.get("/api/events?after=nope").await.error(400), "invalid_query");
}

#[tokio::test]
async fn a_stream_brings_what_happens_and_resumes_on_another_replica() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let mut live = stream(&app, &app.base, "", None).await;
    read_until(&mut live, "id: ").await;
    let ticket = app.ticket(&project).await;
    let text = read_until(&mut live, "ticket.created").await;
    assert!(!text.contains("project.created"), "only what happens from now on: {text}");
    let id = text.lines().rev().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    drop(live);
    app.move_to(&ticket, "in_progress").await;
    let (base, _other) = app.replica().await;
    let mut resumed = stream(&app, &base, "", Some(&id)).await;
    let text = read_until(&mut resumed, "ticket.moved").await;
    assert!(text.contains("job.enqueued") && !text.contains("ticket.created"), "{text}");
    // And what happens on the other replica, live.
    app.move_to(&ticket, "backlog").await;
    read_until(&mut resumed, "job.cancelled").await;
}

/// A transaction that takes its number early and commits late loses nothing, and holds nobody up.
#[tokio::test]
async fn an_event_that_is_committed_late_is_neither_skipped_nor_waited_for() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let id = project.rsplit('/').next().unwrap();
    let mut late = PgConnection::connect(&TestPostgres::shared().url(&app.database)).await.unwrap();
    let mut late = late.begin().await.unwrap();
    let insert = "insert into tickets (project_id, column_id, title) values ($1::uuid, 'backlog', 'late')";
    sqlx::query(insert).bind(id).execute(&mut *late).await.unwrap();
    app.ticket(&project).await;
    let before = page(&app, "kind=ticket.created").await;
    assert_eq!(before["events"].as_array().unwrap().len(), 1);
    let next = before["next"].as_str().unwrap();
    assert_eq!(kinds(&page(&app, &format!("after={next}")).await).len(), 0);
    late.commit().await.unwrap();
    let after = page(&app, &format!("after={next}")).await;
    assert_eq!(kinds(&after), ["ticket.created"]);
    assert_eq!(after["events"][0]["data"]["title"], "late");
    assert!(after["events"][0]["seq"].as_i64() < before["events"][0]["seq"].as_i64(), "its number was taken first");
    assert!(after["events"][0]["actor"].as_str().unwrap().starts_with("database:"), "{after}");
}
