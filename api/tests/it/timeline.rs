//! A ticket's timeline: typed entries, pages in both directions, and that a reader who follows loses none.

use crate::support::TestApp;
use serde_json::{Value, json};
use sqlx::Row;
use terarchitect_api::actions::tickets::append_log::append_log;
use terarchitect_api::db::tickets::logs::NewLogEntry;
use terarchitect_api::domain::actor::Actor;
use terarchitect_worker_api::{ProjectId, TicketId};

async fn log(app: &TestApp, ticket: &str, step: &str, more: Value) -> String {
    let mut body = json!({"session_id": "s", "step": step, "summary": step});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let stored = app.post(&format!("{ticket}/logs"), body).await.expect(200);
    stored["id"].as_str().unwrap().to_owned()
}

fn steps(page: &Value) -> Vec<&str> {
    page["entries"].as_array().unwrap().iter().map(|entry| entry["step"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_timeline_is_read_from_either_end() {
    let app = TestApp::start().await;
    let ticket = app.ticket(&app.project().await).await;
    let empty = app.get(&format!("{ticket}/timeline")).await.expect(200);
    assert_eq!(empty, json!({"entries": [], "older": false, "newer": false}));
    for number in 0..5 {
        log(&app, &ticket, &number.to_string(), json!({})).await;
    }
    let page = async |query: &str| app.get(&format!("{ticket}/timeline?{query}")).await.expect(200);
    let newest = page("limit=2").await;
    assert_eq!((steps(&newest), &newest["older"], &newest["newer"]), (vec!["3", "4"], &json!(true), &json!(false)));
    let first = newest["entries"][0]["seq"].as_i64().unwrap();
    let before = page(&format!("limit=2&before={first}")).await;
    assert_eq!((steps(&before), &before["older"], &before["newer"]), (vec!["1", "2"], &json!(true), &json!(true)));
    let last = before["entries"][1]["seq"].as_i64().unwrap();
    let after = page(&format!("limit=2&after={last}")).await;
    assert_eq!((steps(&after), &after["older"], &after["newer"]), (vec!["3", "4"], &json!(true), &json!(false)));
    let end = after["entries"][1]["seq"].as_i64().unwrap();
    assert_eq!(page(&format!("after={end}")).await, json!({"entries": [], "older": true, "newer": false}));
    assert_eq!(page("before=0").await, json!({"entries": [], "older": false, "newer": true}));
    assert_eq!(app.get(&format!("{ticket}/timeline?limit=0")).await.error(400), "invalid_query");
    let elsewhere = app.ticket(&app.project().await).await;
    assert!(steps(&app.get(&format!("{elsewhere}/timeline")).await.expect(200)).is_empty());
}

#[tokio::test]
async fn an_entry_keeps_its_data_whatever_its_kind_and_has_its_output_on_its_own() {
    let app = TestApp::start().await;
    let ticket = app.ticket(&app.project().await).await;
    let tool = json!({"kind": "tool", "phase": "execution", "turn": 3, "tool": "write", "status": "completed"});
    let id = log(&app, &ticket, "tool", json!({"data": tool, "raw_output": "é"})).await;
    let later = json!({"kind": "checkpoint", "turn": 4, "more": {"a": [1]}});
    log(&app, &ticket, "later", json!({"data": later})).await;
    log(&app, &ticket, "plain", json!({"data": null})).await;
    let page = app.get(&format!("{ticket}/timeline")).await.expect(200);
    let data: Vec<&Value> = page["entries"].as_array().unwrap().iter().map(|entry| &entry["data"]).collect();
    assert_eq!(data, [&tool, &later, &Value::Null]);
    assert_eq!((&page["entries"][0]["raw_bytes"], page["entries"][0].get("raw_output")), (&json!(2), None));
    let whole = app.get(&format!("{ticket}/logs/{id}")).await.expect(200);
    assert_eq!((&whole["raw_output"], &whole["data"], &whole["raw_bytes"]), (&json!("é"), &tool, &json!(2)));
    let elsewhere = app.ticket(&app.project().await).await;
    assert_eq!(app.get(&format!("{elsewhere}/logs/{id}")).await.error(404), "not_found");
    // The plain log is as it was.
    let plain = app.get(&format!("{ticket}/logs")).await.expect(200);
    let mut fields: Vec<&String> = plain[0].as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(fields, ["created_at", "id", "raw_output", "step", "success", "summary"]);
    // And events say what it is about.
    let events = app.get("/api/events?kind=log.appended").await.expect(200);
    let about = &events["events"][0]["data"];
    assert_eq!((&about["kind"], &about["turn"], &about["step"]), (&json!("tool"), &json!(3), &json!("tool")));
    for refused in [json!([1]), json!("tool"), json!({"kind": "x", "more": "y".repeat(40_000)})] {
        let body = json!({"session_id": "s", "step": "x", "data": refused});
        assert_eq!(app.post(&format!("{ticket}/logs"), body).await.error(400), "invalid_field");
    }
}

#[tokio::test]
async fn a_ticket_s_activity_follows_its_log() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    let activity = async || {
        let row = sqlx::query("select to_jsonb(a) - 'last_at' - 'ticket_id' - 'job_id' as a from ticket_activity as a");
        row.fetch_one(&app.pool).await.unwrap().get::<Value, _>("a")
    };
    app.move_to(&ticket, "in_progress").await;
    app.claim(&project).await.unwrap();
    log(&app, &ticket, "start", json!({"summary": "\n Working on it\nand on"})).await;
    let started = json!({"kind": "turn_started", "phase": "plan", "turn": 2});
    log(&app, &ticket, "plan", json!({"data": started, "summary": "Agent turn 2 starts"})).await;
    let todo = json!([{"content": "Test it", "status": "pending"}]);
    log(&app, &ticket, "todo", json!({"data": {"kind": "todo", "items": todo}, "summary": "0 of 1 done"})).await;
    let commit = json!({"kind": "commit", "turn": 2, "commit": "a", "files": 1, "added": 2, "removed": 3});
    let key = "0199a000-0000-7000-8000-000000000001";
    log(&app, &ticket, "commit", json!({"data": commit, "summary": "a: 1 file", "entry_key": key})).await;
    let expected = json!({
        "attempt": 1, "phase": "plan", "turn": 2, "todo": todo, "last_line": "a: 1 file", "last_step": "commit",
        "files": 1, "added": 2, "removed": 3,
    });
    assert_eq!(activity().await, expected);
    // An entry that was stored before changes nothing.
    let ended = json!({"kind": "turn_ended", "phase": "plan", "turn": 2});
    log(&app, &ticket, "plan", json!({"data": ended, "summary": ""})).await;
    log(&app, &ticket, "again", json!({"data": started, "entry_key": key})).await;
    assert_eq!((&activity().await["phase"], &activity().await["last_step"]), (&json!("plan_review"), &json!("plan")));
    // The next attempt starts from nothing, but what the branch has stays.
    sqlx::query("update agent_jobs set attempt = 2").execute(&app.pool).await.unwrap();
    log(&app, &ticket, "start", json!({"summary": "Working on it"})).await;
    let expected = json!({
        "attempt": 2, "phase": null, "turn": 0, "todo": null, "last_line": "Working on it", "last_step": "start",
        "files": 1, "added": 2, "removed": 3,
    });
    assert_eq!(activity().await, expected);
}

/// An entry whose transaction began first and commits last must not take a lower number than one that a reader has seen.
#[tokio::test]
async fn a_reader_who_follows_by_number_loses_no_entry() {
    let app = TestApp::start().await;
    let ticket = app.ticket(&app.project().await).await;
    let ids: Vec<uuid::Uuid> = ticket.split('/').filter_map(|part| part.parse().ok()).collect();
    let database = app.database();
    let store = |step: &str| {
        let entry = NewLogEntry::outcome(ProjectId(ids[0]), TicketId(ids[1]), step, step.to_owned());
        let database = database.clone();
        async move { append_log(&database, &Actor::Local, None, entry).await.unwrap() }
    };
    store("first").await;
    // Holds the event log's table, so that the next entry has its number and can't commit.
    let mut blocker = app.pool.begin().await.unwrap();
    sqlx::query("lock table events in exclusive mode").execute(&mut *blocker).await.unwrap();
    let slow = tokio::spawn(store("slow"));
    let waits = async |number: i64| {
        let sql =
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        sqlx::query_scalar::<_, i64>(sql).fetch_one(&app.pool).await.unwrap() == number
    };
    app.eventually(async || waits(1).await).await;
    let fast = tokio::spawn(store("fast"));
    app.eventually(async || waits(2).await).await;
    let page = app.get(&format!("{ticket}/timeline")).await.expect(200);
    assert_eq!(steps(&page), ["first"]);
    let seen = page["entries"][0]["seq"].as_i64().unwrap();
    blocker.commit().await.unwrap();
    slow.await.unwrap();
    fast.await.unwrap();
    let page = app.get(&format!("{ticket}/timeline?after={seen}")).await.expect(200);
    assert_eq!(steps(&page), ["slow", "fast"]);
    // Many at once, read while they are written: each is seen once, in order.
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let stored: Vec<_> = (0..15).map(|number| store(&format!("{writer}.{number}"))).collect();
            tokio::spawn(async move {
                for entry in stored {
                    entry.await;
                }
            })
        })
        .collect();
    let (mut last, mut seen) = (page["entries"][1]["seq"].as_i64().unwrap(), Vec::new());
    while seen.len() < 120 {
        let page = app.get(&format!("{ticket}/timeline?after={last}&limit=500")).await.expect(200);
        for entry in page["entries"].as_array().unwrap() {
            last = entry["seq"].as_i64().unwrap();
            seen.push(entry["step"].as_str().unwrap().to_owned());
        }
        let ended = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let newer = app.get(&format!("{ticket}/timeline?after={last}")).await.expect(200);
        assert!(!ended || seen.len() == 120 || !steps(&newer).is_empty(), "lost: {}", 120 - seen.len());
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 120);
}
