//! Tickets from a shell, with a real API.

use crate::api::Api;
use serde_json::json;

const URL: &str = "https://forge.example/o/r/pull/1";

#[tokio::test]
async fn the_main_job_is_one_line_and_prints_the_address_alone() {
    let api = Api::start().await;
    api.project("Hello").await;
    let person = api.person();
    let arguments = ["ticket", "new", "--run", "--watch", "Greet people\u{1b}[2J"];
    let whole = person.run_with(&arguments, "By name.\n");
    let work = async {
        let job = api.claim().await;
        api.log(&job, "research", "looked around").await;
        api.log(&job, "execution", "evil \u{1b}]0;owned\u{7}\u{9b}2J line").await;
        api.complete(&job, URL).await;
    };
    let (done, ()) = tokio::join!(whole, work);
    let done = done.with_code(0);
    assert_eq!(done.out, format!("{URL}\n"));
    assert!(done.err.contains("research: looked around"), "{}", done.err);
    assert!(done.err.contains("evil \\e]0;owned\\u{7}\\u{9b}2J line"), "{}", done.err);
    assert!(done.err.contains("The pull request is open."), "{}", done.err);
    assert!(!done.err.chars().any(|c| c.is_control() && c != '\n'), "{:?}", done.err);
    let list = person.run(&["ticket", "list", "--json"]).await.with_code(0).json();
    assert_eq!((&list[0]["description"], &list[0]["column_id"]), (&json!("By name."), &json!("in_review")));
    // What is over is told at once.
    let again = person.run(&["ticket", "watch", "Greet"]).await.with_code(0);
    assert_eq!(again.out, format!("{URL}\n"));
}

#[tokio::test]
async fn a_failure_is_1_with_its_reason_and_can_be_tried_again() {
    let api = Api::start().await;
    api.project("Hello").await;
    let person = api.person();
    let watched = person.run(&["ticket", "new", "-r", "-w", "Greet", "--text", "By name."]);
    let work = async {
        let job = api.claim().await;
        api.report(&job, "fail", json!({"reason": "agent_failed", "detail": "the model refused the key"})).await;
    };
    let (done, ()) = tokio::join!(watched, work);
    let done = done.with_code(1);
    assert!(done.out.is_empty() && done.err.contains("the model refused the key"), "{done:?}");
    let shown = person.run(&["ticket", "show", "Greet"]).await.with_code(0);
    assert!(shown.out.contains("attempt 1") && shown.out.contains("the model refused the key"), "{}", shown.out);
    let retried = person.run(&["ticket", "retry", "Greet", "--watch"]);
    let (done, ()) = tokio::join!(retried, async { api.complete(&api.claim().await, URL).await });
    assert_eq!(done.with_code(0).out, format!("{URL}\n"));
}

#[tokio::test]
async fn a_cancelled_ticket_is_5() {
    let api = Api::start().await;
    api.project("Hello").await;
    let person = api.person();
    let made = person.run(&["ticket", "new", "--run", "Greet"]).await.with_code(0);
    let id = made.out.trim();
    let (watch, stop) = (["ticket", "watch", &id[..8]], ["ticket", "stop", id]);
    let (done, stopped) = tokio::join!(person.run(&watch), person.run(&stop));
    done.with_code(5);
    stopped.with_code(0);
    let jobs = person.run(&["jobs", "--json"]).await.with_code(0).json();
    assert_eq!(jobs["jobs"][0]["status"], "cancelled");
    person.run(&["ticket", "watch", "Greet"]).await.with_code(5);
}

#[tokio::test]
async fn a_ticket_that_was_never_started_is_not_waited_for() {
    let api = Api::start().await;
    api.project("Hello").await;
    let person = api.person();
    person.run(&["ticket", "new", "Greet"]).await.with_code(0);
    let done = person.run(&["ticket", "watch", "Greet"]).await.with_code(1);
    assert!(done.err.contains("terarchitect ticket run"), "{}", done.err);
    person.run(&["ticket", "retry", "Greet"]).await.with_code(1);
    person.run(&["ticket", "move", "Greet", "done"]).await.with_code(0);
    let list = person.run(&["ticket", "list", "--column", "done"]).await.with_code(0);
    assert!(list.out.contains("\tGreet\tDone\t"), "{}", list.out);
    let refused = person.run(&["ticket", "move", "Greet", "nowhere"]).await.with_code(1);
    assert!(refused.err.contains("(request "), "{}", refused.err);
}

#[tokio::test]
async fn the_log_is_printed_whole_or_its_end() {
    let api = Api::start().await;
    api.project("Hello").await;
    let person = api.person();
    person.run(&["ticket", "new", "--run", "Greet"]).await.with_code(0);
    let job = api.claim().await;
    for n in 1..=5 {
        api.log(&job, "turn", &format!("entry {n}")).await;
    }
    let log = person.run(&["ticket", "log", "Greet"]).await.with_code(0);
    let lines: Vec<_> = log.out.lines().map(|line| line.split_once("  ").unwrap().1).collect();
    assert_eq!(lines, ["turn: entry 1", "turn: entry 2", "turn: entry 3", "turn: entry 4", "turn: entry 5"]);
    let tail = person.run(&["ticket", "log", "Greet", "-n", "2", "--json"]).await.with_code(0).json();
    assert_eq!((tail[0]["summary"].as_str(), tail[1]["summary"].as_str()), (Some("entry 4"), Some("entry 5")));
}
