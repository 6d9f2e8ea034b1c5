//! The inbox: what waits for a person, decided with the usual calls, put off, and retried with a note.

use crate::backup::connect;
use crate::events::{read_until, stream};
use crate::support::TestApp;
use http::Method;
use serde_json::{Value, json};

async fn items(app: &TestApp) -> Vec<Value> {
    app.get("/api/inbox").await.expect(200)["items"].as_array().unwrap().clone()
}

fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

/// A ticket whose job failed for good; returns its path.
async fn failed_ticket(app: &TestApp, project: &str) -> String {
    let ticket = app.ticket(project).await;
    app.move_to(&ticket, "in_progress").await;
    let job = app.claim_as("one", json!({})).await.unwrap();
    let report = json!({"attempt": 1, "worker_id": "one", "reason": "agent_failed", "detail": "Two tests fail"});
    app.post(&format!("{}/fail", TestApp::job_path(&job)), report).await.expect(200);
    ticket
}

#[tokio::test]
async fn failures_and_pull_requests_wait_until_they_are_decided() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    app.ticket(&project).await;
    let failed = failed_ticket(&app, &project).await;
    let ready = app.ticket(&project).await;
    app.move_to(&ready, "in_progress").await;
    let job = app.claim_as("one", json!({})).await.unwrap();
    assert_eq!(items(&app).await.len(), 1, "what runs waits for nobody");
    let done = json!({"pr_url": "https://github.com/demo/hello/pull/7", "pr_number": 7});
    app.post(&format!("{ready}/complete"), done).await.expect(200);
    app.post(&format!("{}/complete", TestApp::job_path(&job)), json!({"attempt": 1, "worker_id": "one"}))
        .await
        .expect(200);

    let waiting = items(&app).await;
    let kinds: Vec<_> = waiting.iter().map(|item| (&item["kind"], item["ticket_id"].as_str().unwrap())).collect();
    assert_eq!(kinds, [(&json!("failed"), id(&failed)), (&json!("pull_request"), id(&ready))]);
    assert_eq!(waiting[0]["detail"], "Two tests fail");
    assert_eq!(waiting[0]["project_name"], "Demo");
    assert_eq!((&waiting[1]["pr_number"], &waiting[1]["detail"]), (&json!(7), &Value::Null));
    assert_eq!(app.get("/api/summary").await.expect(200)["need_person"], 2);

    app.move_to(&ready, "done").await;
    let job = waiting[0]["job_id"].as_str().unwrap();
    app.post(&format!("/api/jobs/{job}/retry"), json!({})).await.expect(201);
    assert!(items(&app).await.is_empty());
    assert_eq!(app.get("/api/summary").await.expect(200)["need_person"], 0);
}

#[tokio::test]
async fn a_ticket_can_be_put_off_and_comes_back() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let ticket = failed_ticket(&app, &project).await;
    let snooze = format!("/api/inbox/{}/snooze", id(&ticket));
    assert!(app.post(&snooze, json!({"for_sec": 3600})).await.expect(200)["until"].is_string());
    let inbox = app.get("/api/inbox").await.expect(200);
    assert_eq!((inbox["items"].as_array().unwrap().len(), &inbox["snoozed"]), (0, &json!(1)));
    assert_eq!(app.get("/api/summary").await.expect(200)["need_person"], 0);
    let events = app.get("/api/events?kind=inbox").await.expect(200);
    assert_eq!(events["events"][0]["kind"], "inbox.snoozed");
    sqlx::query("update inbox_snoozes set until = now() - interval '1 second'").execute(&app.pool).await.unwrap();
    assert_eq!(items(&app).await.len(), 1, "the time is over");
    app.post(&snooze, json!({"for_sec": 60})).await.expect(200);
    app.post(&snooze, json!({"for_sec": 0})).await.expect(200);
    assert_eq!(items(&app).await.len(), 1);
    assert_eq!(app.post(&snooze, json!({"for_sec": -1})).await.error(400), "invalid_field");
    assert_eq!(app.post(&snooze, json!({"for_sec": 1e12})).await.error(400), "invalid_field");
    let unknown = format!("/api/inbox/{}/snooze", uuid::Uuid::nil());
    assert_eq!(app.post(&unknown, json!({"for_sec": 60})).await.error(404), "not_found");
}

#[tokio::test]
async fn a_retry_carries_a_note_to_the_next_attempt() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let ticket = failed_ticket(&app, &project).await;
    let job = items(&app).await[0]["job_id"].as_str().unwrap().to_owned();
    let retry = format!("/api/jobs/{job}/retry");
    app.post(&retry, json!({"note": "Use the other library."})).await.expect(201);
    let page = app.get(&format!("{ticket}/page")).await.expect(200);
    assert_eq!(page["messages"].as_array().unwrap().len(), 1);
    assert_eq!(page["messages"][0]["text"], "Use the other library.");
    assert!(page["messages"][0]["delivered_at"].is_null());
    let events = app.get("/api/events?kind=message.posted").await.expect(200);
    assert_eq!(events["events"][0]["data"]["message_id"], page["messages"][0]["id"]);
    // Refused, since the ticket has a live job now: its note is not kept.
    assert_eq!(app.post(&retry, json!({"note": "Again."})).await.error(409), "job_exists");
    assert_eq!(app.get(&format!("{ticket}/page")).await.expect(200)["messages"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_retry_without_a_body_or_with_an_empty_note_writes_no_message() {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    for body in [None, Some(json!({"note": "  "})), Some(json!({"note": null}))] {
        let ticket = failed_ticket(&app, &project).await;
        let page = app.get(&format!("{ticket}/page")).await.expect(200);
        let path = format!("/api/jobs/{}/retry", page["card"]["job_id"].as_str().unwrap());
        app.request(reqwest::Method::POST, &path, None, body.as_ref()).await.expect(201);
        let messages = &app.get(&format!("{ticket}/page")).await.expect(200)["messages"];
        assert_eq!(messages, &json!([]));
        app.move_to(&ticket, "backlog").await;
    }
}

/// The inbox and the summary are worked out once for all open pages, and never older than what a page knows of.
#[tokio::test]
async fn open_pages_share_lists_that_know_every_change() {
    let app = TestApp::start().await;
    let project = app.project().await;
    let mut events = stream(&app, &app.base, "", None).await;
    read_until(&mut events, "retry").await;
    // The API's own connections, such as those of the test's pool, are not recorded as changes by hand.
    let mut by_hand = connect(&app.database).await;
    let needs = async || {
        let (inbox, summary) = tokio::join!(items(&app), app.get("/api/summary"));
        assert_eq!(summary.expect(200)["need_person"], inbox.len());
        inbox.len()
    };
    for number in 0..5 {
        assert_eq!(needs().await, number);
        // What a caller changed is in its next answer.
        let ticket = app.ticket(&project).await;
        app.move_to(&ticket, "in_review").await;
        assert_eq!(needs().await, number + 1);
        // As is what an event told of, which someone with psql or another process may have caused.
        sqlx::query("update tickets set column_id = 'done', title = $1 where id = $2")
            .bind(format!("by hand {number}"))
            .bind(id(&ticket).parse::<uuid::Uuid>().unwrap())
            .execute(&mut by_hand)
            .await
            .unwrap();
        read_until(&mut events, &format!("by hand {number}")).await;
        assert_eq!(needs().await, number);
        app.move_to(&ticket, "in_review").await;
        assert_eq!(needs().await, number + 1);
    }
    // Nothing else happens: everyone gets the same answer.
    let all = futures::future::join_all((0..50).map(|_| items(&app))).await;
    assert!(all.iter().all(|items| *items == all[0]));
}

/// One list is for all who see the same projects, and for no one else.
#[tokio::test]
async fn nobody_gets_a_list_of_someone_who_sees_more() {
    let app = TestApp::start().await;
    let (first, second) = (app.project().await, app.project().await);
    for project in [&first, &first, &second] {
        let ticket = app.ticket(project).await;
        app.move_to(&ticket, "in_review").await;
    }
    let people = [
        (app.person("one@example.org", "none", &[(&first, "viewer")]).await, 2),
        (app.person("other@example.org", "none", &[(&first, "member")]).await, 2),
        (app.person("two@example.org", "none", &[(&second, "viewer")]).await, 1),
        (app.person("both@example.org", "none", &[(&second, "viewer"), (&first, "viewer")]).await, 3),
        (app.person("all@example.org", "admin", &[]).await, 3),
        (app.person("nothing@example.org", "none", &[]).await, 0),
    ];
    // Lists are shared while a reader follows.
    let mut follows = app.http().get(format!("{}/api/events", app.base)).header("cookie", &people[4].0);
    follows = follows.header("accept", "text/event-stream");
    let mut follows = follows.send().await.unwrap();
    read_until(&mut follows, "retry").await;
    let asked = (0..4).flat_map(|_| &people).map(async |(cookie, expected)| {
        let cookie = [("cookie", cookie.as_str())];
        let get = |path| app.send(Method::GET, path, &cookie, None);
        let (inbox, summary) = tokio::join!(get("/api/inbox"), get("/api/summary"));
        let (inbox, summary) = (inbox.expect(200), summary.expect(200));
        assert_eq!(inbox["items"].as_array().unwrap().len(), *expected, "{inbox}");
        assert_eq!(summary["need_person"], *expected, "{summary}");
    });
    futures::future::join_all(asked).await;
}
