//! Whole tickets whose branch an earlier attempt has started, while the base moved on.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

mod opencode_support;
mod ticket_support;

use terarchitect_testbed::chat::{Rule, Script};
use ticket_support::World;

/// The scripted models, with the agent's reply to conflicts in front.
fn resolving(replies: &[&str]) -> Script {
    let mut script = Script::demo();
    let rules: Vec<Rule> = replies.iter().map(|reply| serde_json::from_str(reply).unwrap()).collect();
    script.rules.splice(0..0, rules);
    script
}

/// One attempt, after which a person changes the line of the base that the ticket changed.
async fn started(script: Script) -> Option<World> {
    let world = World::start(script).await?;
    world.attempt_with_pulls().await.unwrap();
    world.checkout().change("main", &[("README.md", "# Hello\n\nThe base says something else here.\n")]);
    Some(world)
}

/// How many parents the commit has whose title starts so.
fn parents(world: &World, title: &str) -> usize {
    let branch = format!("ticket-{}", world.ticket);
    let log = world.forge.git("demo", "hello", &["log", "--format=%p|%s", &branch]).unwrap();
    let line = log
        .lines()
        .find(|line| line.split_once('|').is_some_and(|(_, said)| said.starts_with(title)))
        .unwrap_or_else(|| panic!("{title}: {log}"));
    line.split('|').next().unwrap().split_whitespace().count()
}

#[tokio::test]
async fn a_conflict_with_the_base_is_a_turn_of_the_agent() {
    let resolve = r#"{"when": {"model": "scripted-coder", "contains": "Phase: conflict", "after_tool": false}, "reply":
        {"text": "I keep both.", "tools": [{"name": "write", "arguments": {"filePath": "{{cwd}}/README.md",
         "content": "Hello from both sides\n"}}]}}"#;
    let done =
        r#"{"when": {"model": "scripted-coder", "contains": "Phase: conflict"}, "reply": {"text": "Resolved."}}"#;
    let Some(world) = started(resolving(&[resolve, done])).await else { return };
    world.attempt_with_pulls().await.unwrap();
    let prompt = world.chat.requests().into_iter().find(|request| request.last("user").contains("Phase: conflict"));
    assert!(prompt.unwrap().last("user").contains("README.md"));
    assert_eq!(parents(&world, "Merge branch 'main' into ticket-"), 2);
    let readme = world.on_branch("README.md").unwrap();
    assert!(readme.starts_with("Hello from both sides") && !readme.contains("<<<<<<<"), "{readme}");
    assert_eq!(world.forge.pulls("demo", "hello").len(), 1);
}

#[tokio::test]
async fn a_conflict_that_is_not_resolved_does_not_end_the_ticket() {
    let nothing = r#"{"when": {"model": "scripted-coder", "contains": "Phase: conflict"}, "reply": {"text": "Hm."}}"#;
    let Some(world) = started(resolving(&[nothing])).await else { return };
    world.attempt_with_pulls().await.unwrap();
    let said = world.logs("conflict");
    assert!(said.last().unwrap()["summary"].as_str().unwrap().contains("work goes on without the base's changes"));
    let readme = world.on_branch("README.md").unwrap();
    assert!(!readme.contains("<<<<<<<") && !readme.contains("something else"), "{readme}");
}
