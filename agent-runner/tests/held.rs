//! Whole tickets that stop for a person: the attempt hands its job over, and the next one goes on in the same conversation.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

mod opencode_support;
mod ticket_support;

use serde_json::{Value, json};
use terarchitect_testbed::chat::{Rule, Script};
use ticket_support::World;

/// A world whose job stops at this stage.
async fn stopping_at(stage: &str) -> Option<World> {
    let world = World::start(Script::demo()).await?;
    world.api.set_context(context(&world, stage, &json!({})));
    Some(world)
}

fn context(world: &World, stage: &str, more: &Value) -> Value {
    let mut context = world.context();
    context["checkpoints"] = json!([{"stage": stage, "type": "approval_required"}]);
    context.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    context
}

/// How often the agent was prompted in this phase.
fn prompted(world: &World, phase: &str) -> usize {
    let requests = world.chat.requests();
    let of_phase = requests.iter().filter(|request| {
        let is_prompt = request.messages().last().is_some_and(|message| message["role"] == "user");
        request.model() == "scripted-coder" && is_prompt && request.last("user").contains(phase)
    });
    of_phase.count()
}

#[tokio::test]
async fn a_plan_waits_without_an_attempt_and_the_same_conversation_goes_on() {
    let Some(world) = stopping_at("plan").await else { return };
    let pulls = world.forge.api_url();
    let hold = ["--checkpoint-hold-sec", "0", "--github-api-url", &pulls];
    let held = world.attempt(&hold).await.unwrap_err();
    assert_eq!(held.exit_code(), 76, "{}", held.chain());
    assert_eq!(world.calls("/hold").len(), 1);
    let opened = &world.calls("/checkpoints")[0];
    assert_eq!((&opened["stage"], &opened["type"]), (&json!("plan"), &json!("approval_required")));
    assert!(opened["data"]["text"].as_str().is_some_and(|plan| !plan.is_empty()), "{opened}");
    assert_eq!(world.steps().last().unwrap(), "held", "nothing is said for an attempt that is over");
    let told = world.calls("/usage").pop().expect("what it cost is told before the job waits");
    assert_eq!((&told["models"][0]["whose"], &told["models"][1]["whose"]), (&json!("agent"), &json!("director")));
    assert!(
        told["models"][0]["calls"].as_i64().unwrap() >= 3 && told["models"][0]["input"].as_i64().unwrap() > 0,
        "{told}"
    );
    assert!(world.forge.pulls("demo", "hello").is_empty());
    let (research, plans) = (prompted(&world, "Phase: research"), prompted(&world, "Phase: plan"));
    assert!(research > 0 && plans > 0);

    world.api.decide("approved", Some("Say it in French, please."));
    let kept = world.api.conversation().unwrap().len();
    let more = json!({"conversation": {"attempt": 1, "turn": 2, "agent": "opencode", "bytes": kept}});
    world.api.set_context(context(&world, "plan", &more));
    let before = world.turns();
    world.attempt(&hold).await.unwrap();
    assert_eq!(world.forge.pulls("demo", "hello").len(), 1);
    assert_eq!((prompted(&world, "Phase: research"), prompted(&world, "Phase: plan")), (research, plans));
    let requests = world.chat.requests().split_off(before);
    let first = requests.iter().find(|request| request.model() == "scripted-coder").unwrap();
    let all = first.body.to_string();
    assert!(all.contains("Phase: research") && all.contains("Phase: plan"), "it remembers what came before: {all}");
    assert!(first.last("user").contains("Say it in French, please."), "{}", first.last("user"));
    assert!(world.steps().contains(&"resumed".to_owned()));
}

#[tokio::test]
async fn work_that_waits_for_a_person_is_pushed_and_nothing_is_paid_twice() {
    let Some(world) = stopping_at("diff").await else { return };
    let pulls = world.forge.api_url();
    let hold = ["--checkpoint-hold-sec", "0", "--github-api-url", &pulls];
    assert_eq!(world.attempt(&hold).await.unwrap_err().exit_code(), 76);
    assert!(world.on_branch("README.md").is_some(), "it is pushed");
    assert!(world.forge.pulls("demo", "hello").is_empty(), "but not handed in");
    let opened = &world.calls("/checkpoints")[0];
    assert!(opened["data"]["text"].as_str().unwrap().contains("README.md"), "{opened}");
    world.api.decide("approved", None);
    let noted = world.logs("work_finished")[0]["raw_output"].as_str().unwrap().to_owned();
    let noted: Value = serde_json::from_str(&noted).unwrap();
    world.api.set_context(context(&world, "diff", &json!({"finished_work": noted})));
    let before = world.turns();
    world.attempt(&hold).await.unwrap();
    assert_eq!(world.forge.pulls("demo", "hello").len(), 1);
    assert_eq!(world.turns(), before, "no model was asked again");
}

/// A world whose agent asks a question in its research, and where the job's policy lets people answer.
async fn asking() -> Option<World> {
    let mut script = Script::demo();
    let choices =
        json!([{"label": "Postgres", "description": "as elsewhere"}, {"label": "SQLite", "description": "one file"}]);
    let question = json!({"questions": [{"question": "Which database?", "header": "Database", "options": choices}]});
    let rules = json!([
        {"when": {"model": "scripted-coder", "contains": "Phase: research", "after_tool": false}, "times": 1,
         "reply": {"text": "I must know.", "tools": [{"name": "question", "arguments": question}]}},
        {"when": {"model": "scripted-coder", "contains": "your turn was stopped there"}, "reply": {"text": "So be it."}}
    ]);
    script.rules.splice(0..0, serde_json::from_value::<Vec<Rule>>(rules).unwrap());
    let world = World::start(script).await?;
    world.api.set_context(context(&world, "question", &json!({})));
    Some(world)
}

#[tokio::test]
async fn a_question_waits_without_an_attempt_and_its_answer_reaches_the_same_conversation() {
    let Some(world) = asking().await else { return };
    let pulls = world.forge.api_url();
    let hold = ["--checkpoint-hold-sec", "0", "--github-api-url", &pulls];
    let held = world.attempt(&hold).await.unwrap_err();
    assert_eq!(held.exit_code(), 76, "{}", held.chain());
    let opened = &world.calls("/checkpoints")[0];
    assert_eq!((&opened["stage"], &opened["type"]), (&json!("question"), &json!("approval_required")));
    assert_eq!(opened["message"], json!("Which database?\n- Postgres: as elsewhere\n- SQLite: one file"));
    let asked = prompted(&world, "Phase: research");

    world.api.decide("approved", Some("SQLite, it has to be one file."));
    let kept = world.api.conversation().unwrap().len();
    let more = json!({"conversation": {"attempt": 1, "turn": 1, "agent": "opencode", "bytes": kept}});
    world.api.set_context(context(&world, "question", &more));
    let before = world.turns();
    world.attempt(&hold).await.unwrap();
    assert_eq!(world.forge.pulls("demo", "hello").len(), 1);
    assert_eq!(prompted(&world, "Phase: research"), asked, "nothing is asked of the model again");
    let requests = world.chat.requests().split_off(before);
    let first = requests.iter().find(|request| request.model() == "scripted-coder").unwrap();
    assert!(first.last("user").contains("SQLite, it has to be one file."), "{}", first.last("user"));
    let all = first.body.to_string();
    assert!(all.contains("Phase: research") && all.contains("Which database?"), "it remembers what came before: {all}");
    assert_eq!(world.api.checkpoints().len(), 1);
}

#[tokio::test]
async fn a_question_that_is_answered_soon_is_answered_in_the_same_attempt() {
    let Some(world) = asking().await else { return };
    let pulls = world.forge.api_url();
    let hold = ["--checkpoint-hold-sec", "60", "--github-api-url", &pulls];
    let attempt = world.attempt(&hold);
    let decide = async {
        while world.api.checkpoints().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        world.api.decide("approved", None);
    };
    let (ended, ()) = tokio::join!(attempt, decide);
    ended.unwrap();
    assert!(world.calls("/hold").is_empty());
    let answers = world.chat.requests().into_iter().filter(|request| request.last("user").contains("leaves it to you"));
    assert!(answers.count() > 0, "approved without words, it decides by itself");
    assert_eq!(world.forge.pulls("demo", "hello").len(), 1);
}

#[tokio::test]
async fn what_a_person_rejects_ends_the_attempt() {
    let Some(world) = stopping_at("plan").await else { return };
    let attempt = world.attempt(&["--checkpoint-hold-sec", "60"]);
    let decide = async {
        while world.api.checkpoints().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        world.api.decide("rejected", Some("Too risky."));
    };
    let (ended, ()) = tokio::join!(attempt, decide);
    let error = ended.unwrap_err();
    assert_eq!((error.exit_code(), error.chain().contains("Too risky.")), (1, true), "{}", error.chain());
    assert!(world.calls("/hold").is_empty());
}

#[tokio::test]
async fn a_job_without_a_repository_works_on_its_data_and_hands_in_what_it_leaves() {
    let Some(world) = World::start(Script::demo()).await else { return };
    let with = |more: Value| {
        let mut context = world.context();
        let object = context.as_object_mut().unwrap();
        object.remove("repo_url");
        object.insert(
            "checkpoints".to_owned(),
            json!([{"stage": "output", "type": "approval_required", "name": "output_review"}]),
        );
        let input = json!({"files": [{"path": "README.md", "content": "# Hello\n"}, {"path": "hello.sh", "content": "echo hello\n"}]});
        object.insert("input_data".to_owned(), input);
        object.extend(more.as_object().unwrap().clone());
        world.api.set_context(context);
    };
    with(json!({}));
    let hold = ["--checkpoint-hold-sec", "0"];
    let held = world.attempt(&hold).await.unwrap_err();
    assert_eq!(held.exit_code(), 76, "{}", held.chain());
    let output = world.calls("/output")[0]["output"].clone();
    assert!(output["result"].as_str().is_some_and(|result| !result.is_empty()), "{output}");
    let files: Vec<&str> =
        output["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert!(files.contains(&"README.md"), "{output}");
    assert_eq!(world.calls("/checkpoints")[0]["metadata"]["stage"], "output_review");
    world.api.decide("approved", None);
    with(json!({"output_data": output}));
    let before = world.turns();
    let finished = world.attempt(&hold).await.unwrap();
    assert_eq!(finished.pull_url, None);
    assert_eq!(world.turns(), before, "no model was asked again");
    assert_eq!(world.calls("/complete").len(), 1);
}
