//! Errors for programs: with --json, each line of standard error is JSON.

use crate::program::{Done, Person};
use crate::stand_in::{ID, StandIn};
use serde_json::{Value, json};

/// The one error on standard error.
#[track_caller]
fn error_of(done: &Done) -> Value {
    let lines: Vec<Value> = done.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [error] = &lines[..] else { panic!("not one error: {done:#?}") };
    assert_eq!(error["exit_code"], json!(done.code), "{done:#?}");
    assert!(error["error"].as_str().is_some_and(|sentence| !sentence.is_empty()), "{done:#?}");
    error.clone()
}

#[tokio::test]
async fn every_command_tells_programs_that_no_api_responds() {
    // Nothing can listen at port 0.
    let person = Person::at("http://127.0.0.1:0", "key");
    let commands = [
        &["ticket", "new", "Title"][..],
        &["ticket", "run", "x"],
        &["ticket", "stop", "x"],
        &["ticket", "retry", "x"],
        &["ticket", "watch", "x"],
        &["ticket", "log", "x"],
        &["ticket", "tell", "x", "hello"],
        &["ticket", "show", "x"],
        &["ticket", "list"],
        &["ticket", "move", "x", "done"],
        &["projects"],
        &["projects", "new", "x", "--repo", "https://forge.example/o/r"],
        &["projects", "show"],
        &["projects", "check"],
        &["inbox"],
        &["inbox", "snooze", "x"],
        &["inbox", "show", "x"],
        &["inbox", "approve", "x", "--answer", "yes"],
        &["inbox", "reject", "x"],
        &["orders"],
        &["orders", "show", "x"],
        &["orders", "create", "x"],
        &["orders", "cancel", "x"],
        &["schedules"],
        &["schedules", "show", "x"],
        &["schedules", "run", "x"],
        &["schedules", "pause", "x"],
        &["schedules", "resume", "x"],
        &["jobs"],
        &["fleet"],
        &["fleet", "drain", "x"],
        &["fleet", "resume"],
        &["fleet", "limit", "x", "none"],
        &["fleet", "stop-everything", "--yes"],
        &["login"],
    ];
    // Each waits a while for the API to come.
    let run = async |command: &[&str]| person.run(&[&["--json"], command].concat()).await;
    let all = futures::future::join_all(commands.iter().map(|command| run(command))).await;
    for (command, done) in commands.iter().zip(all) {
        let done = done.with_code(3);
        let error = error_of(&done);
        assert_eq!(error["code"], "unreachable", "{command:?}: {error}");
        assert!(error["advice"].as_str().unwrap().contains("TERARCHITECT_API_URL"), "{command:?}: {error}");
        assert!(done.out.is_empty(), "{command:?}: {done:?}");
    }
    // What it finds out is its result.
    let doctor = person.run(&["--json", "doctor"]).await.with_code(3);
    assert!(doctor.err.is_empty() && doctor.json()["ready"] == false, "{doctor:?}");
    let nowhere = person.run(&["--json", "logout"]).await.with_code(2);
    assert_eq!(error_of(&nowhere)["code"], "usage");
    let file = person.home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let up = person.run(&["--json", "up", "--dir", &file.join("x").display().to_string()]).await.with_code(1);
    assert_eq!(error_of(&up)["code"], "failed");
}

#[tokio::test]
async fn a_refusal_has_the_api_s_own_word_status_and_request() {
    let api = StandIn::start().await;
    let body = json!({"error": "You may not see this.\u{1b}[2J", "code": "forbidden", "request_id": "r-7"});
    api.on("GET /api/jobs", 403, body);
    let done = Person::at(&api.url, "key").run(&["jobs", "--json"]).await.with_code(4);
    assert!(!done.err.contains('\u{1b}'), "{:?}", done.err);
    let error = error_of(&done);
    let parts = json!([error["code"], error["status"], error["request_id"], error["exit_code"]]);
    assert_eq!(parts, json!(["forbidden", 403, "r-7", 4]));
    api.on(&format!("GET /api/projects/{ID}/tickets"), 200, json!([]));
    let missing = Person::at(&api.url, "key").run(&["--json", "ticket", "show", "x"]).await.with_code(1);
    assert_eq!(error_of(&missing)["code"], "not_found");
    let older = Person::at(&api.url, "key").run(&["--json", "inbox"]).await.with_code(1);
    assert_eq!(error_of(&older)["code"], "not_supported");
}

#[tokio::test]
async fn a_wrong_command_line_is_told_to_programs_too() {
    let person = Person::new();
    for (wrong, said) in [
        (&["--json", "tickt"][..], "unrecognized subcommand 'tickt'"),
        (&["ticket", "new", "--json"], "required arguments were not provided: <TITLE>"),
        (&["ticket", "--json"], "'terarchitect ticket' requires a subcommand"),
        (&["jobs", "--json", "-n", "0"], "invalid value '0'"),
        (&["inbox", "snooze", "x", "--for", "soon", "--json"], "give a time such as 30m"),
        (&["--json", "--server", "nowhere", "projects"], "there is no server named 'nowhere'"),
    ] {
        let done = person.run(wrong).await.with_code(2);
        let error = error_of(&done);
        assert_eq!(error["code"], "usage", "{wrong:?}: {error}");
        assert!(error["error"].as_str().unwrap().contains(said), "{wrong:?}: {error}");
    }
    // What stands after -- is a title, and the error is for people.
    let done = person.run(&["ticket", "new", "--wrong", "--", "--json"]).await.with_code(2);
    assert!(done.err.starts_with("error:"), "{}", done.err);
}
