//! What a person sees in a terminal: `script`, which every Debian has, makes one.

use crate::api::Api;
use crate::program::{Person, finish};
use crate::stand_in::{OTHER, StandIn};
use serde_json::json;
use std::process::Stdio;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// The command in a terminal of its own; both outputs come as one.
fn in_terminal(person: &Person, arguments: &str) -> Command {
    let whole = format!("stty cols 120; {} {arguments}", env!("CARGO_BIN_EXE_terarchitect"));
    let template = person.command(&[]);
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &whole, "/dev/null"]);
    command.env_clear().env("TERM", "xterm").env("SHELL", "/bin/sh").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    for (name, value) in template.as_std().get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
}

#[tokio::test]
async fn a_list_is_a_table_in_colours_unless_they_are_not_wanted() {
    let api = Api::start().await;
    let id = api.project("Hello").await;
    let done = finish(in_terminal(&api.person(), "projects").spawn().unwrap()).await.with_code(0);
    assert!(done.out.contains("Repository") && done.out.contains('─'), "{}", done.out);
    assert!(done.out.contains(&id[..13]) && !done.out.contains(&id), "{}", done.out);
    assert!(done.out.contains('\u{1b}'), "{:?}", done.out);
    let plain = api.person().with("NO_COLOR", "1");
    let done = finish(in_terminal(&plain, "projects").spawn().unwrap()).await.with_code(0);
    assert!(done.out.contains('─') && !done.out.contains('\u{1b}'), "{:?}", done.out);
}

#[tokio::test]
async fn a_watch_has_a_live_line_that_is_gone_at_the_end() {
    let api = Api::start().await;
    api.project("Hello").await;
    let person = api.person();
    let url = "https://forge.example/o/r/pull/1";
    // In a terminal there is no text to read.
    let watched = finish(in_terminal(&person, "ticket new --run --watch Greet").spawn().unwrap());
    let work = async {
        let job = api.claim().await;
        api.log(&job, "turn", "evil \u{1b}]0;owned\u{7} line").await;
        api.complete(&job, url).await;
    };
    let (done, ()) = tokio::join!(watched, work);
    let done = done.with_code(0);
    assert!(done.out.contains("evil \\e]0;owned\\u{7} line"), "{:?}", done.out);
    assert!(done.out.trim_end().ends_with(url), "{:?}", done.out);
}

#[tokio::test]
async fn a_sign_in_without_options_is_one_from_a_browser_and_else_asks() {
    let api = StandIn::start().await;
    let signed_out =
        json!({"signed_in": false, "needs_first_admin": false, "sign_in": {"password": true, "oidc": null}});
    let signed_in = json!({"signed_in": true, "as": "token", "person": {"id": OTHER, "email": "a@example.com"}});
    api.on("GET /api/session", 200, signed_out.clone());
    api.on("GET /api/session", 200, signed_in);
    let begun = json!({"device_code": "d", "user_code": "BCDF-GHJK", "expires_in": 600, "interval": 1,
        "verification_uri": "https://board.example/device\u{1b}]0;owned\u{7}"});
    api.on("POST /api/device-logins", 201, begun);
    api.on("POST /api/device-logins/token", 200, json!({"state": "approved", "token": "tat_made", "token_id": OTHER}));
    let person = Person::new();
    let login = format!("login {}", api.url);
    let done = finish(in_terminal(&person, &login).spawn().unwrap()).await.with_code(0);
    assert!(done.out.contains("BCDF-GHJK") && done.out.contains("as a@example.com"), "{:?}", done.out);
    assert!(!done.out.contains('\u{1b}'), "{:?}", done.out);
    // An older API has no codes, so it asks for an address, and Ctrl-C is an answer.
    let older = StandIn::start().await;
    older.on("GET /api/session", 200, signed_out);
    let other = Person::new();
    let mut child = in_terminal(&other, &format!("login {}", older.url)).stdin(Stdio::piped()).spawn().unwrap();
    let mut keys = child.stdin.take().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut shown = Vec::new();
    while !String::from_utf8_lossy(&shown).contains("Email: ") {
        assert!(out.read_buf(&mut shown).await.unwrap() > 0, "{}", String::from_utf8_lossy(&shown));
    }
    keys.write_all(b"\x03").await.unwrap();
    let done = finish(child).await.with_code(130);
    out.read_to_end(&mut shown).await.unwrap();
    assert!(String::from_utf8_lossy(&shown).contains("you are not signed in"), "{done:?}");
}
