//! The event log: what happens, in order, each event once.

use crate::support::TestApp;
use reqwest::header::ACCEPT;
use serde_json::{Value, json};
use sqlx::postgres::PgListener;
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
pub(crate) async fn read_until(response: &mut reqwest::Response, wanted: &str) -> String {
    let mut text = String::new();
    // Of all of it: the stream's signs of life never end.
    let end = tokio::time::Instant::now() + Duration::from_secs(20);
    while !text.contains(wanted) {
        let chunk = tokio::time::timeout_at(end, response.chunk()).await.expect("in time").unwrap();
        text.push_str(std::str::from_utf8(&chunk.expect("the stream goes on")).unwrap());
    }
    text
}

pub(crate) async fn stream(app: &TestApp, base: &str, query: &str, last: Option<&str>) -> reqwest::Response {
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

/// Processes notify each other only while one of them has readers.
#[tokio::test]
async fn a_log_that_nothing_reads_causes_no_notifications() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let mut listener = PgListener::connect(&TestPostgres::shared().url(&app.database)).await.unwrap();
    listener.listen("terarchitect_events").await.unwrap();
    app.ticket(&project).await;
    let (base, _other) = app.replica().await;
    let mut live = stream(&app, &base, "", None).await;
    read_until(&mut live, "id: ").await;
    let announcement = listener.recv().await.unwrap();
    let reading = announcement.payload().strip_prefix("reading:").expect("nothing was sent before").to_owned();
    // The announcement may arrive at the first process after its next change.
    let notified = async {
        loop {
            app.ticket(&project).await;
            while let Ok(received) = tokio::time::timeout(Duration::from_millis(200), listener.recv()).await {
                let received = received.unwrap();
                if !received.payload().starts_with("reading:") {
                    return received.payload().to_owned();
                }
            }
        }
    };
    let by = tokio::time::timeout(Duration::from_secs(20), notified).await.expect("no notification");
    assert_ne!(by, reading, "the process without readers notifies the one that has some");
    read_until(&mut live, "ticket.created").await;
}

/// A transaction that takes its number early and commits late loses nothing, and delays no reader.
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

/// A stream ends at once when its process stops.
#[tokio::test]
async fn the_end_of_the_process_ends_streams() {
    let app = TestApp::start().await;
    let (base, process) = app.replica().await;
    let mut live = stream(&app, &base, "", None).await;
    read_until(&mut live, "id: ").await;
    drop(process);
    let end = tokio::time::timeout(Duration::from_secs(5), live.chunk()).await.expect("at once");
    assert!(!matches!(end, Ok(Some(_))), "{end:?}");
}

#[tokio::test]
async fn a_position_whose_events_were_deleted_is_told_to_start_again() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let first = page(&app, "").await;
    let next = first["next"].as_str().unwrap();
    let (done, open) = (app.ticket(&project).await, app.ticket(&project).await);
    sqlx::raw_sql("update tickets set column_id = 'done' where id = (select ticket_id from events where kind = 'ticket.created' order by seq limit 1)")
        .execute(&app.pool)
        .await
        .unwrap();
    sqlx::raw_sql("update events set created_at = now() - interval '100 days'").execute(&app.pool).await.unwrap();
    let keep = Duration::from_secs(90 * 86_400);
    terarchitect_api::background::delete_old(&app.database(), keep, Duration::ZERO).await.unwrap();
    // What an open ticket needs stays, however old it is.
    let left = page(&app, "").await;
    assert_eq!(kinds(&left), ["ticket.created"]);
    assert!(open.ends_with(left["events"][0]["ticket_id"].as_str().unwrap()), "{done} was deleted");
    assert_eq!(app.get(&format!("/api/events?after={next}")).await.error(410), "position_too_old");
    let mut resumed = stream(&app, &app.base, "", Some(next)).await;
    read_until(&mut resumed, "event: resync").await;
    // And the stream goes on with what happens from now on.
    app.ticket(&project).await;
    read_until(&mut resumed, "ticket.created").await;
}

/// Rows that a person writes with psql are in the log as well.
#[tokio::test]
async fn changes_by_hand_are_in_the_log() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let mut conn = PgConnection::connect(&TestPostgres::shared().url(&app.database)).await.unwrap();
    for sql in [
        "insert into projects (name) values ('By hand')",
        "insert into tickets (project_id, column_id, title) select id, 'backlog', 'By hand' from projects",
        "insert into agent_jobs (ticket_id, project_id) select id, project_id from tickets",
        "update agent_jobs set priority = 3",
        "insert into execution_logs (project_id, ticket_id, session_id, step) select project_id, id, 's', 'note' from tickets",
        "insert into coordinators (worker_id) values ('by-hand')",
        "insert into settings (key, value) values ('AGENT_MODEL', 'm')",
        "delete from settings",
        "update projects set paused = true",
        "delete from projects",
    ] {
        sqlx::query(sql).execute(&mut conn).await.unwrap();
    }
    let all = page(&app, "limit=1000").await;
    let expected = [
        "project.created",
        "ticket.created",
        "job.enqueued",
        "job.changed",
        "log.appended",
        "coordinator.seen",
        "settings.changed",
        "settings.changed",
        "project.changed",
        "project.deleted",
        "ticket.deleted",
    ];
    let mut found = kinds(&all);
    // The project's and the ticket's deletion are one statement.
    found[9..].sort_unstable();
    assert_eq!(found, expected);
    assert!(all["events"].as_array().unwrap().iter().all(|event| event["actor"] == "database:postgres"));
}

/// A reader that reads nothing is disconnected: what waits for it is bounded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_does_not_keep_up_is_cut_off() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let app = TestApp::start().await;
    let address = app.base.strip_prefix("http://").unwrap();
    let mut slow = tokio::net::TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut begin = [0; 16];
    slow.read_exact(&mut begin).await.unwrap();
    let mut watching = stream(&app, &app.base, "", None).await;
    // More than the buffers of both sides of the connection hold, and then more batches than may wait.
    let insert = "insert into events (kind, actor, data) select 'ticket.changed', 'test',
        jsonb_build_object('n', $1::bigint, 'text', repeat('x', 4000)) from generate_series(1, $2)";
    let mut sent: i64 = 0;
    for number in 0..400_i64 {
        let rows = if number < 30 { 200 } else { 1 };
        sqlx::query(insert).bind(number).bind(rows).execute(&app.pool).await.unwrap();
        sqlx::query("select notify_events()").execute(&app.pool).await.unwrap();
        sent += i64::from(rows);
        read_until(&mut watching, &format!("\"n\":{number},")).await;
    }
    let mut taken = Vec::new();
    let all = tokio::time::timeout(Duration::from_secs(20), slow.read_to_end(&mut taken)).await;
    assert!(all.is_ok(), "the connection ends: {} bytes", taken.len());
    let events = String::from_utf8_lossy(&taken).matches("ticket.changed").count();
    assert!(events > 0 && i64::try_from(events).unwrap() < sent, "{events} of {sent} events");
}
