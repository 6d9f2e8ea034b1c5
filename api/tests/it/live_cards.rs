//! The cards that come beside the event log: of tickets that change, and of those whose state changes though nothing
//! happens to them.

use crate::events::{read_until, stream};
use crate::support::TestApp;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn id(ticket: &str) -> &str {
    ticket.rsplit('/').next().unwrap()
}

/// The cards of this ticket in a part of a stream.
fn cards_of(text: &str, ticket: &str) -> Vec<Value> {
    let cards = text.split("event: card\ndata: ").skip(1).map(|rest| rest.lines().next().unwrap());
    cards.filter_map(|card| serde_json::from_str(card).ok()).filter(|card: &Value| card["id"] == id(ticket)).collect()
}

/// Why a ticket waits for which a slot is free: in the first half minute, and later.
const FREE: &[&str] = &["next", "not_claimed"];
const BUSY: &[&str] = &["slots_busy"];

/// Reads until the last card of this ticket has one of these reasons for waiting, and returns all of its cards that came.
async fn until_waits(stream: &mut reqwest::Response, ticket: &str, codes: &[&str]) -> Vec<Value> {
    let mut text = String::new();
    // Of all of it: the stream's signs of life never end.
    let end = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let chunk = tokio::time::timeout_at(end, stream.chunk()).await.expect("in time").unwrap();
        text.push_str(std::str::from_utf8(&chunk.expect("the stream goes on")).unwrap());
        let cards = cards_of(&text, ticket);
        if cards.last().is_some_and(|card| codes.contains(&code(card))) {
            return cards;
        }
    }
}

fn code(card: &Value) -> &str {
    card["state"]["why"]["code"].as_str().unwrap_or_default()
}

/// A host with one slot.
async fn one_slot(app: &TestApp) {
    app.post("/api/worker/heartbeat", json!({"worker_id": "one", "slots": 1, "jobs": []})).await.expect(200);
}

/// A ticket on which the host works.
async fn running(app: &TestApp, project: &str) -> Value {
    let ticket = app.ticket(project).await;
    // Before those that wait. A ticket's own priority is for people alone.
    app.post(&format!("{ticket}/jobs"), json!({"priority": 1})).await.expect(201);
    let job = app.claim_as("one", json!({})).await.unwrap();
    assert_eq!(job["ticket_id"], id(&ticket));
    job
}

async fn complete(app: &TestApp, job: &Value) {
    let report = json!({"attempt": job["attempt"], "worker_id": "one"});
    app.post(&format!("{}/complete", TestApp::job_path(job)), report).await.expect(200);
}

#[tokio::test]
async fn a_stream_brings_the_cards_of_tickets_that_change() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let (first, second) = (app.ticket(&project).await, app.ticket(&project).await);
    app.put(&project, json!({"name": "Demo", "max_running": 1})).await.expect(200);

    let mut with = stream(&app, &app.base, "cards=true&kind=ticket", None).await;
    let mut without = stream(&app, &app.base, "kind=ticket", None).await;
    read_until(&mut with, "retry").await;
    read_until(&mut without, "retry").await;
    app.move_to(&first, "in_progress").await;
    let text = read_until(&mut with, "event: card").await;
    let card = cards_of(&text, &first).pop().unwrap();
    assert_eq!((&card["column_id"], &card["state"]["word"]), (&json!("in_progress"), &json!("waiting")));

    app.move_to(&second, "in_progress").await;
    read_until(&mut with, id(&second)).await;
    app.claim_as("one", json!({})).await.unwrap();
    // Nothing happened to the second ticket itself: it waits because of the first one's claim.
    let cards = until_waits(&mut with, &second, &["project_limit"]).await;
    assert_eq!(cards.last().unwrap()["state"]["sentence"], "Waiting for the project's limit: 1 of 1 job is running.");
    app.patch(&first, json!({"title": "the last change"})).await.expect(200);
    let text = read_until(&mut without, "the last change").await;
    assert!(!text.contains("event: card"), "{text}");
}

/// On a busy host a slot is free for a moment whenever a job ends. Everyone who waits for one is told now and then, not each
/// time: else two hundred cards go to each page with every job.
#[tokio::test]
async fn a_slot_that_comes_and_goes_is_told_now_and_then() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    one_slot(&app).await;
    let mut job = running(&app, &project).await;
    let waiting = app.ticket(&project).await;
    let mut events = stream(&app, &app.base, "cards=true", None).await;
    read_until(&mut events, "retry").await;
    app.move_to(&waiting, "in_progress").await;
    until_waits(&mut events, &waiting, BUSY).await;
    let began = Instant::now();
    let mut told = Vec::new();
    for _ in 0..8 {
        complete(&app, &job).await;
        let ended = format!("event: card\ndata: {{\"id\":\"{}\"", job["ticket_id"].as_str().unwrap());
        // What happens to a ticket itself is told at once, each time.
        told.extend(cards_of(&read_until(&mut events, &ended).await, &waiting));
        job = running(&app, &project).await;
        let claimed = format!("event: card\ndata: {{\"id\":\"{}\"", job["ticket_id"].as_str().unwrap());
        told.extend(cards_of(&read_until(&mut events, &claimed).await, &waiting));
    }
    let looks = usize::try_from(began.elapsed().as_secs()).unwrap() / 3 + 1;
    assert!(told.len() <= looks, "{} cards, {looks} looks", told.len());
    // And in the end it is true, also where a look fell into the moment in which a slot was free.
    if told.last().is_some_and(|card| FREE.contains(&code(card))) {
        until_waits(&mut events, &waiting, BUSY).await;
    }
    complete(&app, &job).await;
    until_waits(&mut events, &waiting, FREE).await;
}

/// A page that read the card in the moment in which a slot was free must not go on showing that.
#[tokio::test]
async fn what_a_page_read_between_two_looks_is_set_right() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    one_slot(&app).await;
    let mut job = running(&app, &project).await;
    let waiting = app.ticket(&project).await;
    let mut events = stream(&app, &app.base, "cards=true", None).await;
    read_until(&mut events, "retry").await;
    app.move_to(&waiting, "in_progress").await;
    until_waits(&mut events, &waiting, BUSY).await;
    for read in [format!("{waiting}/card"), format!("{waiting}/page"), format!("{project}/board")] {
        complete(&app, &job).await;
        let page = app.get(&read).await.expect(200);
        let mut cards = match page["cards"].as_array() {
            Some(cards) => cards.clone(),
            None => vec![page["card"].clone(), page.clone()],
        };
        cards.retain(|card| card["id"] == id(&waiting));
        assert!(FREE.contains(&code(&cards[0])), "{page}");
        job = running(&app, &project).await;
        until_waits(&mut events, &waiting, BUSY).await;
    }
}

#[tokio::test]
async fn a_state_that_changes_with_time_alone_is_told() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    one_slot(&app).await;
    running(&app, &project).await;
    let waiting = app.ticket(&project).await;
    let mut events = stream(&app, &app.base, "cards=true", None).await;
    read_until(&mut events, "retry").await;
    app.move_to(&waiting, "in_progress").await;
    until_waits(&mut events, &waiting, BUSY).await;
    let last = event_count(&app).await;
    // No event comes of that.
    sqlx::query("update coordinators set last_heartbeat_at = now() - interval '1 hour'")
        .execute(&app.pool)
        .await
        .unwrap();
    let cards = until_waits(&mut events, &waiting, &["coordinators_lost"]).await;
    assert_eq!(cards.len(), 1);
    assert_eq!(event_count(&app).await, last, "nothing happened");
}

/// How many events there are.
async fn event_count(app: &TestApp) -> usize {
    app.get("/api/events?limit=1000").await.expect(200)["events"].as_array().unwrap().len()
}

/// What a person decides for everyone is told to everyone who waits, at once.
#[tokio::test]
async fn a_stop_of_everything_is_told_at_once() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let waiting = app.ticket(&project).await;
    app.move_to(&waiting, "in_progress").await;
    let mut events = stream(&app, &app.base, "cards=true", None).await;
    read_until(&mut events, "retry").await;
    for _ in 0..3 {
        app.post("/api/fleet/stop", json!({})).await.expect(200);
        until_waits(&mut events, &waiting, &["stopped"]).await;
        app.post("/api/fleet/resume", json!({})).await.expect(200);
        until_waits(&mut events, &waiting, &["no_coordinator"]).await;
    }
}

/// What happens in a short time goes to a page in one write: else each event costs a write for each open page.
#[tokio::test]
async fn a_page_gets_few_writes_however_much_happens() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let mut page = stream(&app, &app.base, "cards=true&kind=project", None).await;
    read_until(&mut page, "retry").await;
    let began = Instant::now();
    for number in 0..30 {
        app.put(&project, json!({"name": format!("Demo {number}.")})).await.expect(200);
    }
    let (mut text, mut writes) = (String::new(), 0);
    let end = tokio::time::Instant::now() + Duration::from_secs(20);
    while text.matches("project.changed").count() < 30 {
        let chunk = tokio::time::timeout_at(end, page.chunk()).await.expect("in time").unwrap();
        text.push_str(std::str::from_utf8(&chunk.expect("the stream goes on")).unwrap());
        writes += 1;
    }
    let most = began.elapsed().as_millis() / 250 + 1;
    assert!(writes <= most, "{writes} writes, at most {most}");
}
