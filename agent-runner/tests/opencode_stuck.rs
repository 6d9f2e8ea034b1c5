//! An agent that is stuck, with the real OpenCode and a scripted model.

#![allow(clippy::unwrap_used, reason = "tests")]

mod opencode_support;

use opencode_support::{Place, opencode, provider, says, script, stalls, to};
use serde_json::{Value, json};
use terarchitect_agent_runner::agent::{Agent, AgentError, AgentKind, start};
use terarchitect_agent_runner::stuck::{Kind, Remedy, Thresholds};
use terarchitect_testbed::chat::{ChatServer, Reply, Rule, ToolCall};
use tokio_util::sync::CancellationToken;

/// A reply of these commands.
fn runs(commands: &[&str]) -> Reply {
    let call = |command: &&str| {
        let Value::Object(arguments) = json!({ "command": command, "description": command }) else { unreachable!() };
        ToolCall { name: "bash".to_owned(), arguments }
    };
    Reply { tools: commands.iter().map(call).collect(), ..Reply::default() }
}

async fn launch(place: &Place, rules: Vec<Rule>, stuck: Thresholds) -> Option<(ChatServer, Box<dyn Agent>)> {
    let binary = opencode()?;
    let model = ChatServer::start(script(rules)).await.unwrap();
    let mut options = place.options(binary, provider(&model.base_url()));
    options.stuck = stuck;
    let agent = start(AgentKind::OpenCode, options).await.unwrap();
    Some((model, agent))
}

fn never() -> CancellationToken {
    CancellationToken::new()
}

#[tokio::test]
async fn an_endless_loop_of_calls_is_told_then_compacted_then_stopped_and_another_conversation_helps() {
    let place = Place::new();
    let rules = vec![to("do it", runs(&["echo same"])), to("next", says("Next."))];
    let Some((model, mut agent)) = launch(&place, rules, Thresholds::default()).await else { return };
    let error = agent.prompt("do it", &never()).await.unwrap_err();
    let AgentError::Stuck { found } = &error else { panic!("{error:?}") };
    assert_eq!((found.kind, found.times, &found.what[..]), (Kind::SameCall, 4, &["bash echo same".to_owned()][..]));
    assert!(!error.is_infrastructure() && !error.is_misconfiguration());
    assert_eq!(place.events.stuck(), [(Kind::SameCall, Remedy::Nudge), (Kind::SameCall, Remedy::Compact)]);
    // Three times four calls, a compaction, and what was on its way.
    let asked = model.requests().len();
    assert!((12..30).contains(&asked), "{asked}");
    place.record("stuck-the-same-call", "OpenCode makes one call again and again", Some("same_call"));
    assert!(agent.begin_afresh().await);
    let output = agent.prompt("next", &never()).await.unwrap();
    assert_eq!(output.text, "Next.");
    let last = model.requests().pop().unwrap().body["messages"].to_string();
    assert!(!last.contains("do it"), "{last}");
    agent.shutdown().await;
    assert_eq!(place.processes(), []);
}

#[tokio::test]
async fn a_loop_of_two_calls_is_told_and_the_turn_goes_on() {
    let place = Place::new();
    let told = to("You were stopped because you made the same 2 calls in turn", says("I stopped repeating it."));
    let rules = vec![told, to("do it", runs(&["echo one", "echo two"])), to("next", says("Next."))];
    let Some((_model, mut agent)) = launch(&place, rules, Thresholds::default()).await else { return };
    let output = agent.prompt("do it", &never()).await.unwrap();
    assert_eq!(output.text, "I stopped repeating it.");
    assert_eq!(place.events.stuck(), [(Kind::SameRounds, Remedy::Nudge)]);
    place.record("stuck-two-calls-in-turn", "OpenCode makes two calls in turn", Some("same_rounds"));
    let output = agent.prompt("next", &never()).await.unwrap();
    assert_eq!(output.text, "Next.");
    agent.shutdown().await;
}

#[tokio::test]
async fn the_same_error_again_and_again_is_noticed_whatever_is_asked() {
    let place = Place::new();
    let told = to("You were stopped because you got the same error 3 times", says("I look elsewhere."));
    let file = place.work("missing.txt");
    let reads = |offset: u64| {
        let Value::Object(arguments) = json!({ "filePath": file, "offset": offset }) else { unreachable!() };
        Reply { tools: vec![ToolCall { name: "read".to_owned(), arguments }], ..Reply::default() }
    };
    let once = |offset: u64| Rule { times: Some(1), ..to("do it", reads(offset)) };
    let rules = vec![told, once(1), once(2), once(3), once(4), to("do it", says("Given up."))];
    let Some((_model, mut agent)) = launch(&place, rules, Thresholds::default()).await else { return };
    let output = agent.prompt("do it", &never()).await.unwrap();
    assert_eq!(output.text, "I look elsewhere.", "{output:?}");
    assert_eq!(place.events.stuck(), [(Kind::SameError, Remedy::Nudge)]);
    place.record("stuck-the-same-error", "OpenCode reads a file that is not there", Some("same_error"));
    agent.shutdown().await;
}

#[tokio::test]
async fn a_model_that_falls_silent_is_stopped_and_asked_again() {
    let place = Place::new();
    let told = to("You were stopped because you said and did nothing for 10 seconds", says("I am back."));
    let rules = vec![told, to("do it", stalls())];
    let limits = Thresholds { silent_sec: 10, ..Thresholds::default() };
    let Some((_model, mut agent)) = launch(&place, rules, limits).await else { return };
    let output = agent.prompt("do it", &never()).await.unwrap();
    assert_eq!(output.text, "I am back.");
    assert_eq!(place.events.stuck(), [(Kind::Silent, Remedy::Nudge)]);
    agent.shutdown().await;
    assert_eq!(place.processes(), []);
}

#[tokio::test]
async fn a_tool_that_says_nothing_for_long_is_left_alone() {
    let place = Place::new();
    let rules = vec![
        Rule { times: Some(1), ..to("do it", runs(&["sleep 13; echo done"])) },
        to("do it", says("It took its time.")),
    ];
    let limits = Thresholds { silent_sec: 10, ..Thresholds::default() };
    let Some((_model, mut agent)) = launch(&place, rules, limits).await else { return };
    let output = agent.prompt("do it", &never()).await.unwrap();
    assert_eq!(output.text, "It took its time.");
    assert_eq!(place.events.stuck(), []);
    agent.shutdown().await;
}
