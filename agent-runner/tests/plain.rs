//! Any program as an agent: a small script behind the gateway.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod acp_support;
mod opencode_support;

use acp_support::Model;
use opencode_support::{KEY, Place, eventually, fails, says, to};
use std::time::{Duration, Instant};
use terarchitect_agent_runner::agent::{Agent, AgentError, AgentEvent, AgentKind, AgentOptions, ModelFailure, start};
use tokio_util::sync::CancellationToken;

fn never() -> CancellationToken {
    CancellationToken::new()
}

fn options(place: &Place, model: &Model, line: &str) -> AgentOptions {
    let mut options = place.options("".into(), model.provider());
    options.command_line = line.to_owned();
    options
}

async fn agent(place: &Place, model: &Model, line: &str) -> Box<dyn Agent> {
    let mut options = options(place, model, line);
    let gateway = model.gateway.clone();
    options.last_trouble =
        Some(std::sync::Arc::new(move || gateway.trouble("agent").map(|trouble| (trouble.kind, trouble.message))));
    start(AgentKind::Command, options).await.unwrap()
}

#[tokio::test]
async fn a_turn_is_a_process_whose_output_is_its_text_and_the_next_one_is_told_what_it_said() {
    let place = Place::new();
    let model = Model::start([]).await;
    let mut agent = agent(&place, &model, "cat > prompt.txt; echo \"$OPENAI_MODEL\"; echo Written.; sleep 600 &").await;
    let output = agent.prompt("Write it.", &never()).await.unwrap();
    assert_eq!(output.text, "scripted/model\nWritten.");
    assert_eq!(std::fs::read_to_string(place.work("prompt.txt")).unwrap(), "Write it.");
    assert_eq!(place.processes(), [], "what it left running has ended");
    place.events.wait_for("the text", |event| matches!(event, AgentEvent::Text { .. })).await;
    agent.prompt("Go on.", &never()).await.unwrap();
    let asked = std::fs::read_to_string(place.work("prompt.txt")).unwrap();
    assert!(asked.contains("remember nothing") && asked.contains("Written.") && asked.ends_with("Go on."), "{asked}");
    let remembered = agent.remembered().await.unwrap().unwrap();
    agent.shutdown().await;
    let mut other = self::agent(&place, &model, "cat").await;
    assert!(other.resume(&remembered).await.unwrap());
    assert!(other.prompt("Again.", &never()).await.unwrap().text.contains("Written."));
    other.shutdown().await;
}

#[tokio::test]
async fn the_prompt_is_an_argument_where_the_command_line_asks_for_one() {
    let place = Place::new();
    let model = Model::start([]).await;
    let mut agent = agent(&place, &model, "printf '<%s>' \"$1\"").await;
    assert_eq!(agent.prompt("it's $HOME", &never()).await.unwrap().text, "<it's $HOME>");
    let error = agent.prompt(&"x".repeat(200_000), &never()).await.unwrap_err();
    assert!(error.to_string().contains("standard input"), "{error}");
    agent.shutdown().await;
}

#[tokio::test]
async fn it_asks_its_model_through_the_gateway_and_never_sees_the_key() {
    let place = Place::new();
    let model = Model::start([to("hello", says("Hello."))]).await;
    let line = r#"curl -sS "$OPENAI_BASE_URL/chat/completions" -H "authorization: Bearer $OPENAI_API_KEY" \
        -H 'content-type: application/json' \
        -d '{"model":"scripted/model","messages":[{"role":"user","content":"hello"}]}'; env"#;
    let mut agent = agent(&place, &model, line).await;
    let text = agent.prompt("ask", &never()).await.unwrap().text;
    assert!(text.contains("Hello.") && !text.contains(KEY), "{text}");
    assert_eq!(model.chat.requests()[0].key.as_deref(), Some(KEY));
    assert_eq!(model.gateway.spent("agent").calls, 1);
    agent.shutdown().await;
}

#[tokio::test]
async fn a_command_that_fails_is_said_with_its_last_output_or_with_what_its_model_said() {
    let place = Place::new();
    let model = Model::start([to("", fails(401))]).await;
    let mut agent = agent(&place, &model, "echo It is broken >&2; exit 3").await;
    let error = agent.prompt("do it", &never()).await.unwrap_err();
    assert!(matches!(error, AgentError::Failed { .. }) && !error.is_infrastructure(), "{error:?}");
    assert!(error.to_string().contains("exit status: 3") && error.to_string().contains("It is broken"), "{error}");
    agent.shutdown().await;
    let line = r#"curl -sS -f "$OPENAI_BASE_URL/chat/completions" -H "authorization: Bearer $OPENAI_API_KEY" \
        -H 'content-type: application/json' -d '{"model":"scripted/model","messages":[{"role":"user","content":"x"}]}'"#;
    let mut agent = self::agent(&place, &model, line).await;
    let error = agent.prompt("do it", &never()).await.unwrap_err();
    assert!(matches!(error, AgentError::Model { kind: ModelFailure::Unauthorized, .. }), "{error:?}");
    agent.shutdown().await;
}

#[tokio::test]
async fn a_cancel_and_the_time_limit_end_all_that_it_started() {
    let place = Place::new();
    let model = Model::start([]).await;
    let mut agent = agent(&place, &model, "setsid sleep 4811 & echo begun; sleep 4812").await;
    let cancel = never();
    let running = async {
        eventually("the command", || place.processes().iter().any(|(_, command)| command == "sleep 4811")).await;
        cancel.cancel();
    };
    let (result, ()) = tokio::join!(agent.prompt("run it", &cancel), running);
    assert!(matches!(result, Err(AgentError::Cancelled)), "{result:?}");
    assert_eq!(place.processes(), []);
    agent.shutdown().await;
    let mut options = options(&place, &model, "setsid sleep 4813 & sleep 4814");
    options.turn_timeout = Duration::from_secs(1);
    let mut agent = start(AgentKind::Command, options).await.unwrap();
    let started = Instant::now();
    let error = agent.prompt("run it", &never()).await.unwrap_err();
    assert!(matches!(error, AgentError::Timeout { .. }) && started.elapsed() < Duration::from_secs(30), "{error:?}");
    assert_eq!(place.processes(), []);
}

#[tokio::test]
async fn without_a_command_line_nothing_starts() {
    let place = Place::new();
    let model = Model::start([]).await;
    let error = start(AgentKind::Command, options(&place, &model, " ")).await.err().unwrap();
    assert!(error.to_string().contains("AGENT_COMMAND"), "{error}");
}
