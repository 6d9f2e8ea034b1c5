//! An agent in an endless loop of calls, with the real OpenCode and a scripted model.

#![allow(clippy::unwrap_used, reason = "tests")]

mod opencode_support;

use opencode_support::{Place, opencode, provider, says, script, to};
use serde_json::{Value, json};
use terarchitect_agent_runner::agent::{Agent, AgentError, AgentKind, start};
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

async fn launch(place: &Place, rules: Vec<Rule>) -> Option<(ChatServer, Box<dyn Agent>)> {
    let binary = opencode()?;
    let model = ChatServer::start(script(rules)).await.unwrap();
    let options = place.options(binary, provider(&model.base_url()));
    let agent = start(AgentKind::OpenCode, options).await.unwrap();
    Some((model, agent))
}

#[tokio::test]
async fn an_endless_loop_of_calls_is_stopped_and_named() {
    let place = Place::new();
    let Some((model, mut agent)) = launch(&place, vec![to("do it", runs(&["echo same"]))]).await else { return };
    let error = agent.prompt("do it", &CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, AgentError::Looping { .. }), "{error:?}");
    assert!(error.to_string().contains("“bash echo same” 12 times"), "{error}");
    assert!(!error.is_infrastructure() && !error.is_misconfiguration());
    // Twice twelve calls, one warning, and what was on its way.
    let asked = model.requests().len();
    assert!((24..40).contains(&asked), "{asked}");
    agent.shutdown().await;
}

#[tokio::test]
async fn a_loop_of_two_calls_is_warned_about_and_the_turn_goes_on() {
    let place = Place::new();
    let warned = to("You were stopped because you repeated", says("I stopped repeating it."));
    let rules = vec![warned, to("do it", runs(&["echo one", "echo two"])), to("next", says("Next."))];
    let Some((_model, mut agent)) = launch(&place, rules).await else { return };
    let output = agent.prompt("do it", &CancellationToken::new()).await.unwrap();
    assert_eq!(output.text, "I stopped repeating it.");
    let output = agent.prompt("next", &CancellationToken::new()).await.unwrap();
    assert_eq!(output.text, "Next.");
    agent.shutdown().await;
}
