//! Signing in from a browser: what the terminal shows, and what a person does there.

use crate::api::Api;
use crate::program::{Done, Person, finish};
use crate::stand_in::{OTHER, StandIn};
use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr};

fn session(signed_in: bool) -> Value {
    json!({"signed_in": signed_in, "as": "token", "person": {"id": OTHER, "email": "a@example.com", "name": "A"},
        "role": "viewer", "needs_first_admin": false, "sign_in": {"password": true, "oidc": null}, "version": "0.1.0"})
}

fn begun(expires_in: u64, interval: u64) -> Value {
    json!({"device_code": "long-s3cret", "user_code": "BCDF-GHJK", "verification_uri": "https://board.example/device",
        "verification_uri_complete": "https://board.example/device?code=BCDF-GHJK", "expires_in": expires_in,
        "interval": interval})
}

/// An API at which someone is about to sign in, and gets these answers.
async fn with_answers(answers: &[Value]) -> StandIn {
    let api = StandIn::start().await;
    api.on("GET /api/session", 200, session(false));
    api.on("GET /api/session", 200, session(true));
    api.on("POST /api/device-logins", 201, begun(600, 1));
    for answer in answers {
        api.on("POST /api/device-logins/token", 200, answer.clone());
    }
    api
}

fn approved() -> Value {
    json!({"state": "approved", "interval": null, "token": "tat_made", "token_id": OTHER, "email": "a@example.com",
        "role": "viewer"})
}

/// A sign-in that runs, once it shows its code: the rest of what it says, and the remark with the code.
async fn running(mut child: Child) -> (Child, BufReader<ChildStderr>, Value) {
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    err.read_line(&mut line).await.unwrap();
    (child, err, serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
}

async fn end(child: Child, mut err: BufReader<ChildStderr>) -> Done {
    let mut rest = String::new();
    let (done, read) = tokio::join!(finish(child), err.read_to_string(&mut rest));
    read.unwrap();
    Done { err: rest, ..done }
}

#[tokio::test]
async fn it_shows_an_address_and_a_code_and_waits_for_the_token() {
    let api = with_answers(&[json!({"state": "pending", "interval": 1}), approved()]).await;
    api.on(&format!("DELETE /api/tokens/{OTHER}"), 200, json!({"message": "Done."}));
    let person = Person::new();
    let done = person.run(&["login", &api.url, "--browser"]).await.with_code(0);
    for part in ["https://board.example/device?code=BCDF-GHJK", "    BCDF-GHJK\n", "10 minutes", "as a@example.com"] {
        assert!(done.err.contains(part), "{part}: {}", done.err);
    }
    assert!(done.out.is_empty() && !done.err.contains("s3cret") && !done.err.contains("tat_made"), "{done:?}");
    let name = api.called("POST /api/device-logins")[0].body["name"].clone();
    assert!(name.as_str().unwrap().starts_with("terarchitect on "), "{name}");
    let asked = api.called("POST /api/device-logins/token");
    assert_eq!((asked.len(), &asked[1].body), (2, &json!({"device_code": "long-s3cret"})));
    person.run(&["projects"]).await.with_code(0);
    assert_eq!(api.called("GET /api/projects").last().unwrap().headers["authorization"], "Bearer tat_made");
    person.run(&["logout"]).await.with_code(0);
    assert_eq!(api.called(&format!("DELETE /api/tokens/{OTHER}")).len(), 1);
}

#[tokio::test]
async fn each_end_without_a_token_has_its_word_and_keeps_nothing() {
    let person = Person::new();
    let ends = async |api: &StandIn, word: &str, code: i32| {
        let done = person.run(&["--json", "login", &api.url, "--browser"]).await.with_code(code);
        let problem: Value = serde_json::from_str(done.err.lines().last().unwrap()).unwrap();
        assert_eq!((&problem["code"], &problem["exit_code"]), (&json!(word), &json!(code)), "{problem}");
        assert!(!person.servers_file().exists());
    };
    ends(&with_answers(&[json!({"state": "denied"})]).await, "denied", 4).await;
    ends(&with_answers(&[json!({"state": "expired"})]).await, "expired", 4).await;
    // Where nothing more can come, nothing is asked.
    let late = StandIn::start().await;
    late.on("GET /api/session", 200, session(false));
    late.on("POST /api/device-logins", 201, begun(3, 5));
    ends(&late, "expired", 4).await;
    assert!(late.called("POST /api/device-logins/token").is_empty());
    let older = StandIn::start().await;
    older.on("GET /api/session", 200, session(false));
    ends(&older, "not_supported", 1).await;
    let empty = StandIn::start().await;
    let mut empty_session = session(false);
    empty_session["needs_first_admin"] = json!(true);
    empty.on("GET /api/session", 200, empty_session);
    ends(&empty, "usage", 2).await;
}

#[tokio::test]
async fn an_api_that_is_away_for_a_moment_is_asked_again() {
    let api = with_answers(&[]).await;
    api.on("POST /api/device-logins/token", 503, json!({"error": "Later.", "code": "unavailable"}));
    api.on("POST /api/device-logins/token", 200, approved());
    Person::new().run(&["login", &api.url, "--browser"]).await.with_code(0);
}

#[tokio::test]
async fn ctrl_c_ends_it_cleanly() {
    let api = with_answers(&[json!({"state": "pending", "interval": 1})]).await;
    let person = Person::new();
    let (child, err, remark) =
        running(person.command(&["--json", "login", &api.url, "--browser"]).spawn().unwrap()).await;
    assert_eq!((&remark["user_code"], &remark["expires_in"]), (&json!("BCDF-GHJK"), &json!(600)));
    let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let done = end(child, err).await.with_code(130);
    let problem: Value = serde_json::from_str(&done.err).unwrap();
    assert_eq!(problem["code"], "interrupted");
    assert!(!person.servers_file().exists());
}

#[tokio::test]
async fn a_token_is_read_and_the_ways_exclude_each_other() {
    let api = StandIn::start().await;
    api.on("GET /api/session", 200, session(false));
    api.on("GET /api/session", 200, session(true));
    let person = Person::new();
    person.run_with(&["login", &api.url, "--token"], "tat_given\n").await.with_code(0);
    assert_eq!(api.called("GET /api/session").last().unwrap().headers["authorization"], "Bearer tat_given");
    let none = person.run(&["login", &api.url, "--token"]).await.with_code(2);
    assert!(none.err.contains("--browser"), "{}", none.err);
    for ways in [["--browser", "--token"], ["--browser", "--email=a@example.com"], ["--token", "--email=a@example.com"]]
    {
        person.run(&[&["login", &api.url], &ways[..]].concat()).await.with_code(2);
    }
}

/// The whole of it, with a real API: an invited viewer lets the command in, which may then do what a viewer may.
#[tokio::test]
async fn a_person_approves_the_code_of_a_real_api() {
    let api = Api::start().await;
    api.project("Hello").await;
    let browser = api.join("viewer").await;
    let person = Person::new();
    let (child, err, remark) =
        running(person.command(&["--json", "login", &api.url, "--browser"]).spawn().unwrap()).await;
    let code = remark["user_code"].as_str().unwrap();
    assert_eq!(remark["verification_uri_complete"], format!("{}/device?code={code}", api.url));
    api.as_browser(&browser, Method::POST, &format!("/api/device-logins/{code}/approve")).await;
    let done = end(child, err).await.with_code(0);
    assert_eq!(done.json()["as"], "viewer@example.com", "{done:?}");
    assert!(person.run(&["projects"]).await.with_code(0).out.contains("Hello"));
    person.run(&["projects", "new", "Mine", "--repo", "https://forge.example/o/r"]).await.with_code(4);
    person.run(&["logout"]).await.with_code(0);
}
