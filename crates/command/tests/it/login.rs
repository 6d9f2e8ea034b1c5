//! Signing in, and what is kept of it.

use crate::api::{Api, KEY};
use crate::program::Person;
use crate::stand_in::{OTHER, StandIn};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

fn kept(person: &Person) -> Value {
    serde_json::from_str(&std::fs::read_to_string(person.servers_file()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_on_standard_input_is_checked_and_kept_for_its_owner_alone() {
    let api = Api::start().await;
    api.project("Hello").await;
    let person = Person::new();
    let wrong = person.run_with(&["login", &api.url], "wrong\n").await.with_code(4);
    assert!(wrong.err.contains("does not accept this token"), "{}", wrong.err);
    assert!(!person.servers_file().exists());
    person.run_with(&["login", &api.url, "--name", "mine"], &format!("{KEY}\n")).await.with_code(0);
    assert_eq!(std::fs::metadata(person.servers_file()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(kept(&person)["default"], "mine");
    // From now on neither an address nor a key is needed.
    assert!(person.run(&["projects"]).await.with_code(0).out.contains("Hello"));
    assert!(person.run(&["--server", "mine", "projects"]).await.with_code(0).out.contains("Hello"));
    person.run(&["logout"]).await.with_code(0);
    assert_eq!(kept(&person), json!({"default": null, "servers": {}}));
    person.run(&["logout"]).await.with_code(2);
}

#[tokio::test]
async fn with_email_and_password_a_token_is_made_and_the_session_ends() {
    let api = StandIn::start().await;
    let session = |signed_in: bool| {
        json!({"signed_in": signed_in, "as": "token", "person": {"id": OTHER, "email": "a@example.com", "name": "A"},
            "role": "admin", "sign_in": {"password": true, "oidc": null}, "version": "0.1.0"})
    };
    api.on("GET /api/session", 200, session(false));
    api.on("GET /api/session", 200, session(true));
    api.on("POST /api/session", 200, session(true));
    api.on("POST /api/tokens", 201, json!({"id": OTHER, "name": "n", "token": "tat_made"}));
    api.on("DELETE /api/session", 204, json!(null));
    api.on(&format!("DELETE /api/tokens/{OTHER}"), 200, json!({"message": "Done."}));
    api.cookie("terarchitect_session=s3cret; HttpOnly; SameSite=Strict; Path=/");
    let person = Person::new();
    let done = person.run_with(&["login", &api.url, "--email", "a@example.com"], "pass word\n").await.with_code(0);
    assert!(done.err.contains("as a@example.com"), "{}", done.err);
    assert_eq!(api.called("POST /api/session")[0].body, json!({"email": "a@example.com", "password": "pass word"}));
    let made = &api.called("POST /api/tokens")[0];
    assert_eq!(made.headers["cookie"], "terarchitect_session=s3cret");
    assert_eq!(made.body["role"], "admin", "it may do what the person may");
    assert!(made.body["name"].as_str().unwrap().starts_with("terarchitect on "), "{}", made.body);
    assert_eq!(api.called("DELETE /api/session").len(), 1);
    assert!(!std::fs::read_to_string(person.servers_file()).unwrap().contains("s3cret"));
    person.run(&["projects"]).await.with_code(0);
    assert_eq!(api.called("GET /api/projects").last().unwrap().headers["authorization"], "Bearer tat_made");
    person.run(&["logout"]).await.with_code(0);
    assert_eq!(api.called(&format!("DELETE /api/tokens/{OTHER}")).len(), 1);
}

#[tokio::test]
async fn a_wrong_password_is_4_and_says_the_api_s_sentence() {
    let api = StandIn::start().await;
    let session = json!({"signed_in": false, "as": null, "sign_in": {"password": true, "oidc": null}});
    api.on("GET /api/session", 200, session);
    let refused = json!({"error": "The email address or the password is wrong.", "code": "wrong_credentials", "request_id": "r-7"});
    api.on("POST /api/session", 401, refused);
    let person = Person::new();
    let done = person.run_with(&["login", &api.url, "--email", "a@example.com"], "wrong\n").await.with_code(4);
    assert!(done.err.contains("the password is wrong. (request r-7)"), "{}", done.err);
    assert!(!person.servers_file().exists());
}

#[tokio::test]
async fn a_server_that_needs_no_key_is_kept_without_one() {
    let api = StandIn::start().await;
    api.on("GET /api/session", 200, json!({"signed_in": true, "as": "local", "person": null, "role": "admin"}));
    let person = Person::new();
    person.run(&["login", &api.url]).await.with_code(0);
    assert!(kept(&person)["servers"]["127.0.0.1"].get("token").is_none());
    let taken = person.run(&["login", "http://127.0.0.1:1"]).await.with_code(2);
    assert!(taken.err.contains("--name"), "{}", taken.err);
}
