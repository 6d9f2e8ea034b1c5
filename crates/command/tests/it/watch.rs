//! A watch whose API dies, and one that is ended.

use crate::api::Api;
use crate::program::Following;
use serde_json::Value;
use tokio::process::Command;

const URL: &str = "https://forge.example/o/r/pull/1";

fn is(kind: &'static str) -> impl Fn(&Value) -> bool {
    move |line| line["type"] == kind
}

fn summaries(lines: &[Value]) -> Vec<String> {
    let entries = lines.iter().filter(|line| line["type"] == "entry");
    entries.map(|line| line["entry"]["summary"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_api_that_is_killed_costs_no_line_and_doubles_none() {
    let mut api = Api::start().await;
    api.project("Hello").await;
    let person = api.person();
    let mut watch = Following::start(person.command(&["--json", "ticket", "new", "--run", "--watch", "Greet"]));
    let job = api.claim().await;
    let mut lines = Vec::new();
    for round in 0..3 {
        for n in 0..20 {
            api.log(&job, "turn", &format!("entry {}", round * 20 + n)).await;
        }
        api.kill();
        lines.extend(watch.until(|line| line["state"] == "lost").await);
        api.start_again().await;
        lines.extend(watch.until(|line| line["state"] == "back").await);
    }
    api.complete(&job, URL).await;
    lines.extend(watch.until(is("end")).await);
    assert!(watch.next().await.is_none());
    let expected: Vec<_> = (0..60).map(|n| format!("entry {n}")).collect();
    assert_eq!(summaries(&lines), expected);
    let end = lines.last().unwrap();
    assert_eq!((end["outcome"].as_str(), end["pr_url"].as_str()), (Some("pull_request"), Some(URL)));
    assert_eq!(end["exit_code"], 0);
    assert_eq!(lines[0]["type"], "ticket");
    assert_eq!(watch.child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn ctrl_c_leaves_the_ticket_running_and_says_so() {
    let api = Api::start().await;
    api.project("Hello").await;
    let person = api.person();
    let mut command = person.command(&["--json", "ticket", "new", "--run", "--watch", "Greet"]);
    command.stderr(std::process::Stdio::piped());
    let mut watch = Following::start(command);
    watch.until(is("state")).await;
    let pid = watch.child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().await.unwrap().success());
    let done = crate::program::finish(watch.child).await.with_code(130);
    let error: Value = serde_json::from_str(&done.err).unwrap();
    assert_eq!((error["code"].as_str(), error["exit_code"].as_u64()), (Some("interrupted"), Some(130)));
    assert!(error["error"].as_str().unwrap().starts_with("The ticket goes on."), "{error}");
    let jobs = person.run(&["jobs", "--json"]).await.with_code(0).json();
    assert_eq!(jobs["jobs"][0]["status"], "pending");
}

#[tokio::test]
async fn a_watch_shows_the_last_entries_and_then_what_is_new() {
    let api = Api::start().await;
    api.project("Hello").await;
    let person = api.person();
    person.run(&["ticket", "new", "--run", "Greet"]).await.with_code(0);
    let job = api.claim().await;
    for n in 0..15 {
        api.log(&job, "turn", &format!("entry {n}")).await;
    }
    let mut watch = Following::start(person.command(&["--json", "ticket", "watch", "Greet"]));
    let mut lines = watch.until(is("state")).await;
    api.log(&job, "turn", "entry 15").await;
    lines.extend(watch.until(is("entry")).await);
    api.complete(&job, URL).await;
    lines.extend(watch.until(is("end")).await);
    assert_eq!(summaries(&lines), (5..16).map(|n| format!("entry {n}")).collect::<Vec<_>>());
}
