//! Agents in Cursor's cloud that fail, are stopped or are refused: what the attempt says, its exit code, and that nothing goes on.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

mod cursor_support;
mod opencode_support;
mod ticket_support;

use cursor_support::{CursorWorld, TURNS, VERSIONS};
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};
use terarchitect_agent_runner::attempt::AttemptError;
use terarchitect_testbed::cursor::{End, When};
use terarchitect_testbed::forge::{Answer, OnCall, Trouble};

fn on(method: &'static str, ends: &'static str, times: u32, answer: Answer) -> OnCall {
    OnCall { method, ends, times, what: Trouble::Answer(answer) }
}

fn answer(status: u16, body: &'static str) -> Answer {
    Answer { status, times: 1, headers: &[], body }
}

/// The path on which an agent is told more.
fn follow_up(version: &str) -> &'static str {
    if version == "v0" { "/followup" } else { "/runs" }
}

fn failed(error: &AttemptError, code: u8, words: &str) {
    assert_eq!(error.exit_code(), code, "{}", error.chain());
    assert!(error.chain().contains(words), "{}", error.chain());
}

#[tokio::test]
async fn a_cancellation_stops_the_agent() {
    for version in VERSIONS {
        let at = CursorWorld::start(version).await;
        let cancel = async {
            at.work(1, &TURNS[..1]).await;
            at.cloud.prompted(2).await;
            at.world.api.set_cancel_requested(true);
        };
        let (ended, ()) = tokio::join!(at.attempt(), cancel);
        assert_eq!(ended.unwrap_err().exit_code(), 130);
        assert!(!at.is_busy(), "{version}");
    }
}

/// The launch has not returned yet when the runner is terminated: what it launched is stopped all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_is_terminated_in_the_middle_of_its_launch_leaves_no_agent() {
    for version in VERSIONS {
        let at = CursorWorld::start(version).await;
        let mut held = at.cloud.hold("POST", "/agents", When::After);
        let mut runner = at.spawn();
        held.arrived().await;
        rustix::process::kill_process(Pid::from_child(&runner), Signal::TERM).unwrap();
        drop(held);
        let ended = tokio::task::spawn_blocking(move || runner.wait()).await.unwrap().unwrap();
        assert_eq!(ended.code(), Some(143));
        assert_eq!(at.cloud.agents().len(), 1);
        assert!(!at.is_busy(), "{version}");
    }
}

#[tokio::test]
async fn a_turn_that_takes_too_long_is_stopped() {
    for version in VERSIONS {
        let at = CursorWorld::start(version).await;
        at.world.api.set_context(at.context(&json!({"WORKER_TIMEOUT_SEC": "1"})));
        failed(&at.attempt().await.unwrap_err(), 1, "took longer than 1 seconds");
        assert_eq!(at.cloud.agents().len(), 1);
        assert!(!at.is_busy(), "{version}");
    }
}

#[tokio::test]
async fn an_agent_that_fails_says_why_and_one_that_expires_what_to_do() {
    for version in VERSIONS {
        for (end, words) in [
            (End::error("npm\ninstall failed"), "Cursor's agent failed: npm install failed (https://cursor.com/agents"),
            (End::expired(), "Cursor ended the agent's work before it was done: start the ticket again"),
        ] {
            let at = CursorWorld::start(version).await;
            let end = async {
                at.work(1, &TURNS[..1]).await;
                let id = at.cloud.prompted(2).await.id;
                at.cloud.end(&id, &end);
            };
            let (ended, ()) = tokio::join!(at.attempt(), end);
            failed(&ended.unwrap_err(), 1, words);
        }
    }
}

#[tokio::test]
async fn a_key_that_is_missing_or_refused_is_a_setting() {
    for version in VERSIONS {
        let at = CursorWorld::start(version).await;
        let with = |key: Value| at.world.api.set_context(at.context(&json!({"CURSOR_API_KEY": key})));
        with(json!(null));
        failed(&at.attempt().await.unwrap_err(), 2, "CURSOR_API_KEY is not set, which WORKER_MODE=cursor needs");
        with(json!("key_of_somebody_else"));
        failed(&at.attempt().await.unwrap_err(), 2, "Cursor denied access (Invalid API key): check CURSOR_API_KEY");
        assert!(at.cloud.agents().is_empty());
    }
}

#[tokio::test]
async fn what_cursor_does_not_accept_of_a_launch_is_a_setting_too() {
    let at = CursorWorld::start("v0").await;
    at.cloud.trouble(on("POST", "/agents", 1, answer(400, r#"{"error": "Model 'x' is not known"}"#)));
    failed(&at.attempt().await.unwrap_err(), 2, "Cursor did not accept the launch: Model 'x' is not known");
}

#[tokio::test]
async fn limits_and_failures_that_pass_are_waited_for() {
    for version in VERSIONS {
        let at = CursorWorld::start(version).await;
        at.cloud.trouble(on("POST", "/agents", 1, Answer::TOO_MANY));
        at.cloud.trouble(on("POST", follow_up(version), 1, Answer::TOO_MANY));
        let work = async {
            let id = at.cloud.prompted(1).await.id;
            // A look at the agent fails for now.
            at.cloud.trouble(on("GET", id.clone().leak(), 1, Answer::BAD_GATEWAY));
            at.cloud.trouble(on("GET", id.clone().leak(), 1, Answer::TOO_MANY));
            at.finish_turn(&id, TURNS[0].0, TURNS[0].1);
            at.work(2, &TURNS[1..]).await;
        };
        let (finished, ()) = tokio::join!(at.attempt(), work);
        finished.unwrap();
        at.ended_as_ever();
        assert_eq!(at.prompts().len(), 4, "{version}");
    }
}

#[tokio::test]
async fn a_follow_up_that_is_refused_ends_the_attempt_with_cursors_words() {
    for version in VERSIONS {
        let at = CursorWorld::start(version).await;
        let refused = answer(400, r#"{"error": {"code": "agent_archived", "message": "The agent is archived"}}"#);
        at.cloud.trouble(on("POST", follow_up(version), 1, refused));
        let (ended, ()) = tokio::join!(at.attempt(), at.work(1, &TURNS[..1]));
        failed(&ended.unwrap_err(), 1, "Cursor did not accept the follow-up: The agent is archived");
        assert!(!at.is_busy());
    }
}

#[tokio::test]
async fn an_agent_that_is_deleted_at_cursor_ends_the_attempt() {
    let at = CursorWorld::start("v1").await;
    let gone = async {
        let id = at.cloud.prompted(1).await.id;
        at.cloud.trouble(on("GET", id.leak(), 9, answer(404, "{}")));
    };
    let (ended, ()) = tokio::join!(at.attempt(), gone);
    failed(&ended.unwrap_err(), 1, "Cursor does not find the agent: it was deleted");
}
