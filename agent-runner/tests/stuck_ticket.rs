//! Whole tickets whose agent is stuck, with the real OpenCode: each has a definite end, and people can read how it came to that.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

mod opencode_support;
mod ticket_support;

use serde_json::{Value, json};
use terarchitect_testbed::chat::{Rule, Script};
use ticket_support::World;

/// The demonstration, with these rules before it.
async fn world(rules: Value) -> Option<World> {
    let mut script = Script::demo();
    script.rules.splice(0..0, serde_json::from_value::<Vec<Rule>>(rules).unwrap());
    World::start(script).await
}

/// The agent makes the same call in its research, whatever it is told.
fn loops() -> Value {
    json!({"when": {"model": "scripted-coder", "contains": "Phase: research"},
        "reply": {"tools": [{"name": "bash", "arguments": {"command": "echo same", "description": "Says the same"}}]}})
}

/// The demonstration's research, for a prompt with these words.
fn helped_by(words: &str) -> Value {
    json!({"when": {"model": "scripted-coder", "contains": words}, "reply": {"text": "There is one small program."}})
}

fn said(world: &World) -> Vec<String> {
    world.logs("stuck").iter().map(|entry| entry["summary"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_agent_that_is_told_goes_on() {
    let Some(world) =
        world(json!([helped_by("You were stopped because you made the same call 4 times"), loops()])).await
    else {
        return;
    };
    world.attempt_with_pulls().await.unwrap();
    assert_eq!(world.forge.pulls("demo", "hello").len(), 1);
    let said = said(&world);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("The agent made the same call 4 times in a row, with the same result: “bash "),
        "{said:?}"
    );
    assert!(said[0].ends_with("it is warned"), "{said:?}");
}

#[tokio::test]
async fn another_conversation_with_a_summary_helps() {
    let Some(world) = world(json!([helped_by("You take over work that was begun"), loops()])).await else { return };
    world.attempt_with_pulls().await.unwrap();
    assert_eq!(world.forge.pulls("demo", "hello").len(), 1);
    let said = said(&world);
    let ends = ["it is warned", "compacted, and it is warned again", "with a summary of the work so far"];
    assert_eq!(said.len(), ends.len(), "{said:?}");
    assert!(said.iter().zip(ends).all(|(said, end)| said.ends_with(end)), "{said:?}");
    let requests = world.chat.requests();
    let first = requests.iter().find(|request| request.last("user").contains("You take over work")).unwrap();
    let users = first.messages().iter().filter(|message| message["role"] == "user").count();
    assert_eq!(users, 1, "it remembers nothing of the other one");
    let prompt = first.last("user");
    assert!(prompt.contains("Greet people by name") && prompt.contains("Phase: research"), "{prompt}");
}

#[tokio::test]
async fn where_nothing_helps_the_ticket_fails_with_the_reason() {
    let Some(world) = world(json!([loops()])).await else { return };
    let error = world.attempt_with_pulls().await.unwrap_err();
    assert_eq!(error.exit_code(), 1, "{}", error.chain());
    let words = "the agent made the same call 4 times in a row, with the same result";
    assert!(error.chain().contains(words), "{}", error.chain());
    assert!(error.chain().contains("nothing that was tried has helped"), "{}", error.chain());
    assert_eq!(world.logs("failed").len(), 1, "{:?}", world.steps());
    // In each of the two conversations it is told and compacted; in between, the second one begins.
    assert_eq!(said(&world).len(), 6, "{:?}", said(&world));
}

#[tokio::test]
async fn where_people_answer_the_agent_they_are_asked_and_the_work_goes_on() {
    let Some(world) = world(json!([helped_by("Look at the README."), loops()])).await else { return };
    let mut context = world.context();
    context["checkpoints"] = json!([{"stage": "question", "type": "approval_required"}]);
    world.api.set_context(context);
    let pulls = world.forge.api_url();
    let hold = ["--checkpoint-hold-sec", "0", "--github-api-url", &pulls];
    let held = world.attempt(&hold).await.unwrap_err();
    assert_eq!(held.exit_code(), 76, "{}", held.chain());
    let asked = world.calls("/checkpoints")[0]["message"].as_str().unwrap().to_owned();
    assert!(asked.contains("made the same call 4 times") && asked.contains("What should it do?"), "{asked}");

    world.api.decide("approved", Some("Look at the README."));
    let kept = world.api.conversation().unwrap().len();
    let mut context = world.context();
    context["checkpoints"] = json!([{"stage": "question", "type": "approval_required"}]);
    context["conversation"] = json!({"attempt": 1, "turn": 2, "agent": "opencode", "bytes": kept});
    world.api.set_context(context);
    world.attempt(&hold).await.unwrap();
    assert_eq!(world.forge.pulls("demo", "hello").len(), 1);
    assert_eq!(world.api.checkpoints().len(), 1);
}

#[tokio::test]
async fn an_agent_that_only_talks_is_told_compacted_begun_afresh_and_stopped() {
    let more = "{\"complete\": false, \"summary\": \"\", \"instructions\": \"Begin\"}";
    let rules = json!([
        {"when": {"model": "scripted-director", "contains": "Phase: turn-review"}, "reply": {"text": more}},
        {"when": {"model": "scripted-coder", "contains": "Phase: execution"}, "reply": {"text": "I am about to begin."}}
    ]);
    let Some(world) = world(rules).await else { return };
    let error = world.attempt_with_pulls().await.unwrap_err();
    assert_eq!(error.exit_code(), 1, "{}", error.chain());
    assert!(error.chain().contains("called no tool and changed nothing in 6 turns in a row"), "{}", error.chain());
    assert_eq!(said(&world).len(), 4, "{:?}", said(&world));
    assert_eq!(world.logs("compact").len(), 1, "{:?}", world.steps());
}
