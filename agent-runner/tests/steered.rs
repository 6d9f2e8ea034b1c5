//! What people see of an attempt while it runs, and what they write to its agent: with the real OpenCode.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

mod opencode_support;
mod ticket_support;

use serde_json::{Map, Value, json};
use std::time::Duration;
use terarchitect_testbed::chat::{ChatRequest, Reply, Rule, Script, ToolCall, When};
use ticket_support::World;

/// A tool call in a phase, then words.
fn works(phase: &str, tools: &[(&str, Value)], said: &str) -> Vec<Rule> {
    let when = |after_tool| When {
        model: Some("scripted-coder".to_owned()),
        contains: Some(format!("Phase: {phase}")),
        after_tool: Some(after_tool),
        ..When::default()
    };
    let map = |value: &Value| value.as_object().cloned().unwrap_or_else(Map::new);
    let tools = tools.iter().map(|(name, arguments)| ToolCall { name: (*name).to_owned(), arguments: map(arguments) });
    let call = Reply { text: format!("I begin with {phase}."), tools: tools.collect(), ..Reply::default() };
    let end = Reply { text: said.to_owned(), ..Reply::default() };
    vec![Rule { when: when(false), reply: call, times: None }, Rule { when: when(true), reply: end, times: None }]
}

const COMPLETE: &str = r#"{"complete": true, "summary": "A file.", "instructions": ""}"#;

/// Research and plan in words, an execution turn with tools, then the Director is content.
fn script() -> Script {
    let write = json!({"filePath": "{{cwd}}/greet.txt", "content": "Hello scripted-worker-key\n"});
    let todo = json!({"todos": [{"content": "Greet", "status": "in_progress", "priority": "high"}]});
    let mut rules = vec![
        Rule::text("scripted-director", "Phase: plan-review", r#"{"approved": true, "feedback": "Mind the tests."}"#),
        Rule::text("scripted-director", "Phase: turn-review", COMPLETE),
        Rule::text("scripted-coder", "Phase: research", "I read it."),
        Rule::text("scripted-coder", "Phase: plan\n", "1. Write greet.txt."),
    ];
    rules.extend(works("execution", &[("write", write), ("todowrite", todo)], "I wrote greet.txt."));
    Script { rules }
}

/// The kinds of the log's entries with data, with the turn where there is one.
fn kinds(world: &World) -> Vec<String> {
    let entries = world.calls("/logs");
    let data = entries.iter().map(|entry| &entry["data"]).filter(|data| data.is_object());
    data.map(|data| match &data["turn"] {
        Value::Null => data["kind"].as_str().unwrap().to_owned(),
        turn => format!("{} {turn}", data["kind"].as_str().unwrap()),
    })
    .collect()
}

#[tokio::test]
async fn the_log_tells_what_the_agent_does_once_and_in_order() {
    let Some(world) = World::start(script()).await else { return };
    world.attempt_with_pulls().await.unwrap();
    let mut told = kinds(&world);
    // The list has an event of its own, before or after its tool's end.
    let todo = told.iter().position(|kind| kind == "todo").unwrap();
    told.remove(todo);
    let expected = [
        "turn_started 1",
        "turn_ended 1",
        "turn_started 2",
        "plan",
        "turn_ended 2",
        "verdict 2",
        "turn_started 3",
        "said 3",
        "tool 3",
        "tool 3",
        "turn_ended 3",
        "commit 3",
        "verdict 3",
        "model_usage",
        "model_usage",
        "pull_request",
    ];
    assert_eq!(told, expected);
    let one = |kind: &str| world.of_kind(kind).remove(0);
    assert_eq!((&one("plan")["step"], &one("plan")["raw_output"]), (&json!("plan"), &json!("1. Write greet.txt.")));
    assert_eq!(one("said")["raw_output"], "I begin with execution.");
    assert_eq!(one("todo")["data"]["items"], json!([{"content": "Greet", "status": "in_progress"}]));
    // Both tools are called in one reply, and either may end first.
    let tool = world.of_kind("tool").into_iter().find(|tool| tool["data"]["tool"] == "write").unwrap();
    assert_eq!(tool["data"]["status"], "completed");
    let raw = tool["raw_output"].as_str().unwrap();
    assert!(raw.contains("Hello [secret]") && tool["data"]["took_ms"].is_u64(), "{tool}");
    // The last words are in the turn's own entry, and in no other.
    let turn = world.logs("turn").remove(0);
    assert_eq!((&turn["raw_output"], &turn["data"]["tools"]), (&json!("I wrote greet.txt."), &json!(2)));
    let verdicts = world.of_kind("verdict");
    assert_eq!(verdicts[0]["data"]["feedback"], "Mind the tests.");
    assert_eq!((&verdicts[0]["data"]["phase"], &verdicts[0]["data"]["round"]), (&json!("plan_review"), &json!(1)));
    assert_eq!((&verdicts[1]["data"]["complete"], &verdicts[1]["data"]["approved"]), (&json!(true), &json!(true)));
    let commit = one("commit");
    assert_eq!((&commit["data"]["files"], &commit["data"]["added"]), (&json!(1), &json!(1)));
    assert_eq!(one("pull_request")["data"]["number"], 1);

    let diffs = world.calls("/diffs");
    assert_eq!(diffs.iter().map(|diff| diff["turn"].clone()).collect::<Vec<_>>(), [json!(3), json!(null)]);
    for diff in &diffs {
        let patch = diff["patch"].as_str().unwrap();
        assert!(patch.contains("+++ b/greet.txt") && patch.contains("+Hello [secret]"), "{patch}");
        assert_eq!((&diff["commit"], &diff["truncated"]), (&commit["data"]["commit"], &json!(false)));
    }
}

/// A tool's call is in the log while the turn still runs.
#[tokio::test]
async fn tool_calls_are_told_while_the_turn_runs() {
    let mut rules = script().rules;
    for rule in rules.iter_mut().filter(|rule| rule.when.after_tool == Some(true)) {
        rule.reply = opencode_support::stalls();
    }
    let Some(world) = World::start(Script { rules }).await else { return };
    let watch = async {
        let after_tool = |request: &ChatRequest| request.messages().last().is_some_and(|last| last["role"] == "tool");
        world.chat.wait_for_request(after_tool).await;
        opencode_support::eventually("the tool", || world.of_kind("tool").len() == 2).await;
        assert!(world.of_kind("turn_ended").iter().all(|entry| entry["data"]["turn"] != 3));
        world.api.set_cancel_requested(true);
    };
    let both = async { tokio::join!(world.attempt(&[]), watch) };
    let (ended, ()) = tokio::time::timeout(Duration::from_secs(120), both).await.unwrap();
    assert_eq!(ended.unwrap_err().exit_code(), 130);
}

/// The user messages of the agent's last request that have these words: OpenCode sends the whole conversation.
fn prompts_with(world: &World, words: &str) -> Vec<String> {
    let coder = |request: &ChatRequest| request.model() == "scripted-coder" && !request.messages().is_empty();
    let last = world.chat.requests().into_iter().rfind(coder).unwrap();
    let texts = last
        .messages()
        .iter()
        .filter(|message| message["role"] == "user")
        .map(|message| message["content"].to_string());
    texts.filter(|text| text.contains(words)).collect()
}

#[tokio::test]
async fn a_person_s_words_are_in_exactly_one_prompt() {
    let mut rules = script().rules;
    rules[3].reply.delay_ms = 500;
    let Some(world) = World::start(Script { rules }).await else { return };
    let write = async {
        world.chat.wait_for_request(|request| request.last("user").contains("Phase: plan\n")).await;
        world.api.write_to_agent("Greet in SWAHILI.");
    };
    let (ended, ()) = tokio::join!(world.attempt_with_pulls(), write);
    ended.unwrap();
    let prompts = prompts_with(&world, "SWAHILI");
    assert!(prompts.len() == 1 && prompts[0].contains("Phase: execution"), "{prompts:?}");
    assert!(prompts[0].contains("A person wrote to you"));
    assert_eq!(world.api.delivered(), [Some(3)]);
    let started = world.of_kind("turn_started");
    let messages: Vec<usize> =
        started.iter().map(|entry| entry["data"]["messages"].as_array().unwrap().len()).collect();
    assert_eq!(messages, [0, 0, 1]);
    // The Director knows of it too.
    let asked = world.chat.wait_for_request(|request| request.last("user").contains("Phase: turn-review")).await;
    assert!(asked.last("user").contains("SWAHILI"));
}

#[tokio::test]
async fn words_that_come_while_the_director_is_content_get_a_turn_of_their_own() {
    let mut rules = script().rules;
    rules[1].reply.delay_ms = 1_500;
    let Some(world) = World::start(Script { rules }).await else { return };
    let write = async {
        world.chat.wait_for_request(|request| request.last("user").contains("Phase: turn-review")).await;
        world.api.write_to_agent("Also in SWAHILI.");
    };
    let (ended, ()) = tokio::join!(world.attempt_with_pulls(), write);
    ended.unwrap();
    let prompts = prompts_with(&world, "SWAHILI");
    assert!(prompts.len() == 1 && prompts[0].contains("Do what the person wrote to you"), "{prompts:?}");
    assert_eq!((world.api.delivered(), world.calls("/complete").len()), (vec![Some(4)], 1));
}

/// The confirmation never counts, so the API gives the message again: the agent still gets it once.
#[tokio::test]
async fn a_lost_confirmation_repeats_nothing_in_the_same_attempt() {
    let Some(world) = World::start(script()).await else { return };
    world.api.forget_deliveries();
    world.api.write_to_agent("Greet in SWAHILI.");
    world.attempt_with_pulls().await.unwrap();
    let prompts = prompts_with(&world, "SWAHILI");
    assert!(prompts.len() == 1 && prompts[0].contains("Phase: research"), "{prompts:?}");
    // Once for its own turn, and again by each turn that is given it a second time.
    let confirmed: Vec<Value> = world.calls("/delivered").iter().map(|call| call["turn"].clone()).collect();
    assert_eq!(confirmed, [json!(1), json!(2), json!(3), json!(4)]);
}

/// An API that knows nothing of messages and diffs is no reason to fail.
#[tokio::test]
async fn an_older_api_gets_what_it_knows() {
    let plain = terarchitect_testbed::api::Options { plain: true, ..Default::default() };
    let Some(mut world) = World::start(script()).await else { return };
    let context = world.context();
    world.api = terarchitect_testbed::api::ApiServer::start_with(plain).await.unwrap();
    world.api.set_context(context);
    world.attempt_with_pulls().await.unwrap();
    assert_eq!((world.calls("/complete").len(), world.calls("/take").len()), (1, 1));
}
