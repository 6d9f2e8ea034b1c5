//! Whole tickets whose budget is used up: the work so far is a draft, a person is asked for more, and the same conversation goes on.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

mod opencode_support;
mod ticket_support;

use serde_json::{Value, json};
use std::time::Duration;
use terarchitect_testbed::chat::{Rule, Script};
use ticket_support::World;

const USED_UP: &str = "The budget of this ticket (5 calls) is used up";

/// What may be used: `left` calls of so many.
fn calls(amount: u64, left: u64) -> Value {
    json!({"attempt": 1, "day": "2026-11-30",
        "limits": [{"level": "ticket", "unit": "calls", "amount": amount, "left": left}]})
}

/// The world's context with this budget and more.
fn within(world: &World, budget: &Value, more: &Value) {
    let mut context = world.context();
    context["budget"] = budget.clone();
    context.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.api.set_context(context);
}

/// The agent's conversation as the next attempt learns of it.
fn conversation(world: &World, turn: u32) -> Value {
    let bytes = world.api.conversation().unwrap().len();
    json!({"conversation": {"attempt": 1, "turn": turn, "agent": "opencode", "bytes": bytes}})
}

/// One attempt that waits so many seconds for a person.
async fn attempt(world: &World, hold: &str) -> Result<(), terarchitect_agent_runner::attempt::AttemptError> {
    let pulls = world.forge.api_url();
    world.attempt(&["--checkpoint-hold-sec", hold, "--github-api-url", &pulls]).await.map(drop)
}

/// Waits until a checkpoint is open, and then decides about it.
async fn decide(world: &World, status: &str, words: Option<&str>) {
    while world.api.checkpoints().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.api.decide(status, words);
}

#[tokio::test]
async fn a_budget_that_ends_in_the_midst_of_a_turn_leaves_a_draft_and_the_job_goes_on_once_more_is_granted() {
    let Some(world) = World::start(Script::demo()).await else { return };
    within(&world, &calls(5, 5), &json!({}));
    let held = attempt(&world, "0").await.unwrap_err();
    assert_eq!(held.exit_code(), 76, "{}", held.chain());
    assert!(held.chain().contains(USED_UP), "{}", held.chain());
    assert_eq!(world.turns(), 5, "nothing is asked of a model afterwards");
    let opened = &world.calls("/checkpoints")[0];
    assert_eq!((&opened["stage"], &opened["type"]), (&json!("budget"), &json!("approval_required")));
    assert_eq!(opened["message"], format!("{USED_UP}: should it be granted once more?"));
    assert_eq!(
        (&opened["data"]["budget"]["level"], &opened["data"]["budget"]["unit"]),
        (&json!("ticket"), &json!("calls"))
    );
    assert!(world.on_branch("greet.sh").is_some(), "what the turn wrote before it was cut off is pushed");
    let pull = &world.forge.pulls("demo", "hello")[0];
    assert!(pull.draft && pull.body.contains(USED_UP), "{}", pull.body);
    let told = world.calls("/usage").pop().expect("what was used is told before the job waits");
    assert!(told["models"][0]["calls"].as_i64().unwrap() >= 3, "{told}");
    assert!(world.calls("/complete").is_empty());
    assert_eq!(world.steps().last().unwrap(), "held", "nothing is said for an attempt that is over");

    world.api.decide("approved", None);
    within(&world, &calls(10, 100), &conversation(&world, 3));
    attempt(&world, "0").await.unwrap();
    let requests = world.chat.requests().split_off(5);
    let first = requests.iter().find(|request| request.model() == "scripted-coder").unwrap();
    let prompt = first.last("user");
    assert!(prompt.starts_with("Your last turn was cut off") && prompt.contains("Phase: execution"), "{prompt}");
    let all = first.body.to_string();
    assert!(all.contains("Phase: research") && all.contains("I write greet.sh."), "it remembers the turn: {all}");
    let pulls = world.forge.pulls("demo", "hello");
    assert!(pulls.len() == 1 && !pulls[0].draft && !pulls[0].body.contains("This is a draft"), "{}", pulls[0].body);
    assert_eq!(world.calls("/complete").len(), 1);
}

#[tokio::test]
async fn what_is_granted_soon_is_used_by_the_same_attempt_and_the_director_s_question_is_asked_again() {
    let Some(world) = World::start(Script::demo()).await else { return };
    // The fourth call is the Director's, about the plan.
    within(&world, &calls(3, 3), &json!({}));
    let granted = async {
        while world.api.checkpoints().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        world.api.set_budget(calls(6, 100));
        world.api.decide("approved", None);
    };
    let (ended, ()) = tokio::join!(attempt(&world, "60"), granted);
    ended.unwrap();
    assert!(world.calls("/hold").is_empty());
    assert_eq!(world.chat.requests()[3].model(), "scripted-director");
    assert!(world.forge.pulls("demo", "hello")[0].body.contains("greet.sh"));
    assert_eq!(world.api.checkpoints().len(), 1);
}

#[tokio::test]
async fn a_person_who_grants_nothing_ends_the_attempt_and_the_draft_stays() {
    let Some(world) = World::start(Script::demo()).await else { return };
    within(&world, &calls(5, 5), &json!({}));
    let (ended, ()) = tokio::join!(attempt(&world, "60"), decide(&world, "rejected", Some("Too dear.")));
    let error = ended.unwrap_err();
    assert_eq!((error.exit_code(), error.chain().contains("Too dear.")), (1, true), "{}", error.chain());
    assert!(world.forge.pulls("demo", "hello")[0].draft);
    assert!(world.calls("/complete").is_empty());
}

#[tokio::test]
async fn what_others_use_up_meanwhile_ends_an_attempt_s_budget_too() {
    let mut script = Script::demo();
    let rules = json!([{"when": {"model": "scripted-coder", "contains": "Phase: research", "after_tool": false}, "times": 1,
        "reply": {"text": "I think for long.", "hold": "thought"}}]);
    script.rules.splice(0..0, serde_json::from_value::<Vec<Rule>>(rules).unwrap());
    let Some(world) = World::start(script).await else { return };
    within(&world, &calls(1_000, 1_000), &json!({}));
    let others = async {
        while world.turns() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        world.api.set_budget(calls(5, 0));
        // The runner tells what was used every ten seconds, and hears then what is left.
        while world.calls("/usage").is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let release = format!("{}/release/thought", world.chat.base_url());
        reqwest::Client::new().post(release).send().await.unwrap();
    };
    let (ended, ()) = tokio::join!(attempt(&world, "0"), others);
    let held = ended.unwrap_err();
    assert_eq!(held.exit_code(), 76, "{}", held.chain());
    assert_eq!(world.turns(), 1);
    assert!(world.forge.pulls("demo", "hello").is_empty(), "there is nothing to show yet");
}

#[tokio::test]
async fn where_nothing_is_left_nothing_begins_and_what_is_granted_and_stays_the_same_is_no_endless_loop() {
    let Some(world) = World::start(Script::demo()).await else { return };
    within(&world, &calls(5, 0), &json!({}));
    let held = attempt(&world, "0").await.unwrap_err();
    assert_eq!(held.exit_code(), 76, "{}", held.chain());
    assert_eq!(world.turns(), 0);
    assert!(world.on_branch("README.md").is_none());

    world.api.decide("approved", None);
    let error = attempt(&world, "0").await.unwrap_err();
    assert_eq!(error.exit_code(), 1, "{}", error.chain());
    assert!(error.chain().contains("its limit of calls (5 calls) is as it was"), "{}", error.chain());

    world.api.set_budget(calls(10, 100));
    attempt(&world, "0").await.unwrap();
    assert!(!world.forge.pulls("demo", "hello")[0].draft);
}

#[tokio::test]
async fn a_budget_in_dollars_alone_warns_of_models_without_a_price() {
    let Some(world) = World::start(Script::demo()).await else { return };
    let budget = json!({"limits": [{"level": "day", "unit": "usd", "amount": 5.0, "left": 5.0}],
        "prices": {"scripted-coder": {"input": 1.0, "output": 2.0}}});
    within(&world, &budget, &json!({}));
    attempt(&world, "0").await.unwrap();
    let said = world.logs("budget");
    assert_eq!(said.len(), 1, "{said:?}");
    let summary = said[0]["summary"].as_str().unwrap();
    assert!(summary.starts_with("What scripted-director costs is not known (MODEL_PRICES)"), "{summary}");
}
