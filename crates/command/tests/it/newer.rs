//! What a newer API offers, and what the command says to an older one.

use crate::program::Person;
use crate::stand_in::{ID, OTHER, StandIn};
use serde_json::{Value, json};

fn state(word: &str, sentence: &str) -> Value {
    json!({"word": word, "turn": if word == "turn" { json!(2) } else { json!(null) }, "since": "2026-01-01T00:00:00Z",
        "sentence": sentence, "why": null})
}

fn ticket(column: &str, url: Option<&str>) -> Value {
    json!({"id": ID, "project_id": ID, "title": "Greet", "column_id": column, "pr_url": url, "status": "s", "priority": "low"})
}

fn job(status: &str) -> Value {
    json!({"jobs": [{"id": OTHER, "project_id": ID, "ticket_id": ID, "kind": "ticket", "status": status, "attempt": 1}]})
}

fn person(api: &StandIn) -> Person {
    Person::at(&api.url, "key")
}

#[tokio::test]
async fn an_older_api_is_called_so() {
    let api = StandIn::start().await;
    api.on(&format!("GET /api/projects/{ID}/tickets"), 200, json!([ticket("in_progress", None)]));
    api.on("GET /api/jobs", 200, job("failed"));
    let person = person(&api);
    for command in [
        &["inbox"][..],
        &["ticket", "tell", "Greet", "hello"],
        &["ticket", "retry", "Greet", "--note", "try harder"],
        &["fleet", "resume"],
        &["fleet", "stop-everything", "--yes"],
        &["projects", "check"],
        &["inbox", "snooze", "Greet"],
        &["inbox", "show", "Greet"],
        &["inbox", "approve", "Greet"],
        &["inbox", "reject", "Greet"],
        &["orders"],
        &["orders", "create", "Greet"],
        &["schedules"],
        &["schedules", "pause", "Greet"],
    ] {
        let done = person.run(command).await.with_code(1);
        assert!(done.err.contains("this API is older than this command"), "{command:?}: {}", done.err);
    }
    // The note would have been lost, so the job was not retried.
    assert!(api.called(&format!("POST /api/jobs/{OTHER}/retry")).is_empty());
}

#[tokio::test]
async fn an_older_api_s_coordinators_are_listed() {
    let api = StandIn::start().await;
    let one = json!({"worker_id": "w-1", "name": "host\u{1b}[2J", "directive": "run", "slots": 4, "held": 1, "version": "0.1.0",
        "last_heartbeat_sec": 3.5});
    api.on("GET /api/coordinators", 200, json!([one]));
    api.on("PUT /api/coordinators/w-1", 200, json!({"message": "Done."}));
    let list = person(&api).run(&["fleet"]).await.with_code(0);
    assert_eq!(list.out, "host\\e[2J\tw-1\tready\t1/4\t3 s ago\t\t0.1.0\t\n");
    person(&api).run(&["fleet", "drain", "w-"]).await.with_code(0);
    person(&api).run(&["fleet", "limit", "w-1", "2"]).await.with_code(0);
    let bodies: Vec<_> = api.called("PUT /api/coordinators/w-1").into_iter().map(|call| call.body).collect();
    assert_eq!(bodies, [json!({"directive": "drain"}), json!({"limit": 2})]);
}

#[tokio::test]
async fn the_inbox_says_what_waits_and_json_can_not_control_a_terminal() {
    let api = StandIn::start().await;
    let url = "https://forge.example/o/r/pull/1";
    let item = |kind: &str, sentence: &str| {
        json!({"ticket_id": ID, "project_id": ID, "project_name": "Hello", "title": "Greet \u{9b}2J", "kind": kind,
            "since": "2026-01-01T00:00:00Z", "sentence": sentence, "pr_url": url, "diffstat": {"files": 1, "added": 2, "removed": 3}})
    };
    let items = [item("failed", "Failed: the model refused the key."), item("pull_request", "Ready.")];
    api.on("GET /api/inbox", 200, json!({"items": items, "snoozed": 1}));
    let done = person(&api).run(&["inbox"]).await.with_code(0);
    insta::assert_snapshot!(done.out);
    assert!(done.err.contains("1 more are put off."), "{}", done.err);
    let done = person(&api).run(&["inbox", "--json"]).await.with_code(0);
    assert!(done.out.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", done.out);
    assert_eq!(done.json()["items"][0]["title"], "Greet \u{9b}2J");
}

/// An inbox in which an agent asks something, and another ticket has failed.
fn waiting() -> Value {
    let checkpoint = json!({"id": OTHER, "ticket_id": ID, "type": "approval_required", "stage": "question", "status": "pending",
        "message": "Which greeting?\u{1b}[2J", "data": {"question": "Hello,\nor Good day?", "files": [{"path": "greet.sh", "content": "echo"}]}});
    let base = json!({"ticket_id": ID, "project_id": ID, "project_name": "Hello", "sentence": "Which greeting?"});
    let item = |more: Value| {
        let mut item = base.clone();
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        item
    };
    json!({"snoozed": 0, "items": [
        item(json!({"title": "Greet", "kind": "checkpoint", "checkpoint": checkpoint})),
        item(json!({"title": "Other", "kind": "failed", "ticket_id": "ef000000-0000-4000-8000-000000000004", "checkpoint": null})),
    ]})
}

#[tokio::test]
async fn what_an_agent_waits_for_is_shown_and_decided() {
    let api = StandIn::start().await;
    api.on("GET /api/inbox", 200, waiting());
    let (approve, reject) =
        (format!("POST /api/checkpoints/{OTHER}/approve"), format!("POST /api/checkpoints/{OTHER}/reject"));
    api.on(&approve, 200, json!({"id": OTHER, "status": "approved"}));
    let person = person(&api);
    let list = person.run(&["inbox"]).await.with_code(0);
    assert!(list.out.contains("Greet\tquestion\t"), "{}", list.out);
    let shown = person.run(&["inbox", "show", "Greet"]).await.with_code(0);
    insta::assert_snapshot!(shown.out);
    assert_eq!(person.run(&["inbox", "show", "Greet", "--json"]).await.with_code(0).json()["checkpoint"]["id"], OTHER);

    person.run(&["inbox", "approve", "gre"]).await.with_code(0);
    person.run_with(&["inbox", "approve", OTHER, "--answer", "-"], "Hello\n").await.with_code(0);
    person.run_with(&["inbox", "approve", OTHER, "--answer", "-"], " \n").await.with_code(0);
    let said: Vec<Value> = api.called(&approve).into_iter().map(|call| call.body).collect();
    assert_eq!(said, [json!({}), json!({"answer": "Hello\n"}), json!({})]);

    let sentence = "This checkpoint is approved already; nothing was changed.";
    api.on(&reject, 400, json!({"error": sentence, "code": "already_decided"}));
    let late = person.run(&["inbox", "reject", "Greet", "--reason", "No."]).await.with_code(1);
    assert!(late.err.contains(sentence), "{}", late.err);
    assert_eq!(api.called(&reject)[0].body, json!({"reason": "No."}));
    let nothing = person.run(&["inbox", "approve", "Other"]).await.with_code(1);
    assert!(nothing.err.contains("no agent waits for a decision about 'Other'"), "{}", nothing.err);
    let unknown = person.run(&["inbox", "show", "Elsewhere"]).await.with_code(1);
    assert!(unknown.err.contains("nothing called 'Elsewhere' waits in your inbox"), "{}", unknown.err);
}

#[tokio::test]
async fn everything_is_stopped_and_goes_on() {
    let api = StandIn::start().await;
    api.on("POST /api/fleet/stop", 200, json!({"stopped": true, "cancelled": 3}));
    api.on("POST /api/fleet/resume", 200, json!({"message": "Done."}));
    let fleet = json!({"coordinators": [], "queue": [{"project_id": ID, "project_name": "Hello", "running": 1, "due": 2}],
        "stopped": true, "stopped_by": "a@example.com"});
    api.on("GET /api/fleet", 200, fleet);
    let done = person(&api).run(&["fleet", "stop-everything", "--yes"]).await.with_code(0);
    assert!(done.err.contains("3 were asked to end"), "{}", done.err);
    let done = person(&api).run(&["fleet"]).await.with_code(0);
    assert!(done.err.contains("by a@example.com") && done.err.contains("Hello: 1 run, 2 wait"), "{}", done.err);
    person(&api).run(&["fleet", "resume"]).await.with_code(0);
}

#[tokio::test]
async fn a_note_goes_with_the_retry_and_words_to_the_agent() {
    let api = StandIn::start().await;
    api.on(&format!("GET /api/projects/{ID}/tickets"), 200, json!([ticket("in_progress", None)]));
    api.on("GET /api/jobs", 200, job("failed"));
    let messages = format!("/api/projects/{ID}/tickets/{ID}/messages");
    api.on(&format!("GET {messages}"), 200, json!([]));
    api.on(&format!("POST {messages}"), 201, json!({"id": OTHER, "text": "hello\nyou"}));
    api.on(&format!("POST /api/jobs/{OTHER}/retry"), 201, job("pending")["jobs"][0].clone());
    person(&api).run(&["ticket", "retry", "Greet", "--note", "try harder"]).await.with_code(0);
    let retried = api.called(&format!("POST /api/jobs/{OTHER}/retry"));
    assert_eq!(retried[0].body, json!({"note": "try harder"}));
    person(&api).run_with(&["ticket", "tell", "Greet", "-"], "hello\nyou").await.with_code(0);
    assert_eq!(api.called(&format!("POST {messages}"))[0].body, json!({"text": "hello\nyou"}));
    person(&api).run_with(&["ticket", "tell", "Greet", "-"], " \n").await.with_code(2);
}

/// A watch with everything that a newer API says: why it waits, turns, tools, verdicts.
#[tokio::test]
async fn a_watch_tells_why_it_waits_and_what_the_agent_does() {
    let api = StandIn::start().await;
    let of = |rest: &str| format!("GET /api/projects/{ID}/tickets/{ID}{rest}");
    let url = "https://forge.example/o/r/pull/1";
    api.on(&format!("GET /api/projects/{ID}/tickets"), 200, json!([ticket("in_progress", None)]));
    for status in ["pending", "running", "completed"] {
        api.on("GET /api/jobs", 200, job(status));
    }
    api.on(&of(""), 200, ticket("in_progress", None));
    api.on(&of(""), 200, ticket("in_progress", None));
    api.on(&of(""), 200, ticket("in_review", Some(url)));
    let card = |state: Value| {
        let spoke = (state["word"] != "waiting").then(|| json!({"text": "in words", "at": "2026-01-01T10:00:05Z"}));
        json!({"id": ID, "project_id": ID, "title": "Greet", "column_id": "in_progress", "state": state, "last_line": spoke})
    };
    let mut waiting = state("waiting", "Waiting for a free slot.");
    waiting["why"] = json!({"code": "no_slot", "sentence": "2 of 2 are busy on 1 host.", "action": null});
    for state in [waiting, state("turn", "Works on it."), state("in_review", "In review.")] {
        api.on(&of("/card"), 200, card(state));
    }
    let entry = |seq: u32, data: Value| {
        json!({"id": format!("00000000-0000-4000-8000-00000000000{seq}"), "seq": seq, "step": "step", "summary": "in words",
            "success": true, "created_at": format!("2026-01-01T10:00:0{seq}Z"), "raw_bytes": 0, "data": data})
    };
    let first = entry(1, json!({"kind": "turn_started", "phase": "execution", "turn": 2}));
    let tool =
        entry(2, json!({"kind": "tool", "tool": "bash", "title": "cargo test", "status": "error", "took_ms": 2500}));
    let verdict =
        entry(3, json!({"kind": "verdict", "phase": "turn_review", "turn": 2, "approved": true, "complete": true}));
    let page = |entries: &[&Value], newer: bool| json!({"entries": entries, "older": false, "newer": newer});
    api.on(&of("/timeline"), 200, page(&[], false));
    api.on(&of("/timeline"), 200, page(&[], false));
    api.on(&of("/timeline"), 200, page(&[&first], true));
    api.on(&of("/timeline"), 200, page(&[&tool], false));
    api.on(&of("/timeline"), 200, page(&[&first, &tool, &verdict], false));
    api.event("log.appended");
    let person = person(&api);
    let done = person.run(&["ticket", "watch", "Greet"]).await.with_code(0);
    assert_eq!(done.out, format!("{url}\n"));
    insta::assert_snapshot!(done.err);
}

#[tokio::test]
async fn a_pull_request_is_shown_with_what_is_open_of_it() {
    let api = StandIn::start().await;
    api.on(&format!("GET /api/projects/{ID}/tickets"), 200, json!([ticket("in_review", None)]));
    let path = format!("GET /api/projects/{ID}/tickets/{ID}/review");
    let thread = |resolved: bool, body: &str| {
        let comments = json!([{"id": "1", "author": "ann", "body": body}]);
        json!({"path": "src/a.rs", "line": 3, "resolved": resolved, "comments": comments})
    };
    let review = json!({
        "pr_number": 7, "pr_url": "https://forge.example/o/r/pull/7", "pr_state": "open", "draft": false,
        "title": "Greet\u{1b}[2J", "checks": [{"name": "build", "state": "failure"}],
        "reviews": [{"author": "ann", "state": "approved", "stale": true}],
        "threads": [thread(false, "Rename it.\n\nPlease."), thread(true, "Settled.")],
        "stale_reason": "The forge does not respond.",
    });
    api.on(&path, 200, review);
    let done = person(&api).run(&["review", "Greet"]).await.with_code(0);
    let lines: Vec<&str> = done.out.lines().collect();
    assert_eq!(lines[..2], ["#7 Greet\\e[2J  open", "https://forge.example/o/r/pull/7"]);
    assert_eq!(lines[2..4], ["check\tfailed\tbuild", "review\tapproved an earlier head\tann"]);
    assert!(lines[4].starts_with("thread\tsrc/a.rs:3\tann: Rename it.") && lines.len() == 5, "{lines:?}");
    assert!(done.err.contains("This may be old: The forge does not respond."), "{}", done.err);
    let document = person(&api).run(&["review", "Greet", "--json"]).await.with_code(0).json();
    assert_eq!((&document["pr_number"], &document["threads"][0]["line"]), (&json!(7), &json!(3)));

    let api = StandIn::start().await;
    api.on(&format!("GET /api/projects/{ID}/tickets"), 200, json!([ticket("backlog", None)]));
    let none = json!({"error": "This ticket has no pull request yet.", "code": "no_pull_request"});
    api.on(&path, 404, none);
    let done = person(&api).run(&["review", "Greet"]).await.with_code(1);
    assert!(done.err.contains("This ticket has no pull request yet."), "{}", done.err);
}
