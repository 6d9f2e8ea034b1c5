//! A runner that is killed between two turns: the next attempt goes on in the same conversation, and no finished turn is paid twice.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

mod acp_support;
mod opencode_support;
mod ticket_support;

use acp_support::{CLAUDE, CODEX, Case};
use serde_json::{Value, json};
use std::os::unix::process::ExitStatusExt;
use terarchitect_testbed::chat::{ChatRequest, Rule, Script};
use terarchitect_testbed::forge::{Answer, Faults};
use ticket_support::World;

/// The phases of the demonstration's ticket in which the agent has its turns, with how many they are.
const TURNS: [(&str, usize); 3] = [("Phase: research", 1), ("Phase: plan", 1), ("Phase: execution", 2)];

/// The demonstration's script, whose `number`-th reply to this request is held for ever, once.
fn holding(model: &str, phase: &str, number: usize) -> Script {
    let mut script = Script::demo();
    let held = json!({"when": {"model": model, "contains": phase, "after_tool": false}, "times": 1, "reply": {"hold": "for ever"}});
    // The demonstration's Director finds the first turn incomplete, once.
    let first = script
        .rules
        .iter()
        .position(|rule| rule.when.model.as_deref() == Some(model) && rule.when.contains.as_deref() == Some(phase));
    let rule: Rule = serde_json::from_value(held).unwrap();
    script.rules.insert(first.unwrap() + number - 1, rule);
    script
}

/// Whether this is the beginning of a turn, and not OpenCode's own question for a title of the conversation.
fn is_of(request: &ChatRequest, model: &str, phase: &str) -> bool {
    let is_question = request.messages().last().is_some_and(|message| message["role"] != "tool");
    let asks_for_title = request.body.to_string().contains("title generator");
    request.model() == model && is_question && !asks_for_title && request.last("user").contains(phase)
}

/// How often the agent was prompted in this phase.
fn prompted(world: &World, phase: &str) -> usize {
    world.chat.requests().iter().filter(|request| is_of(request, "scripted-coder", phase)).count()
}

/// Runs the program until the model has got `number` requests of this phase, and kills it there.
async fn kill_at(world: &World, model: &str, phase: &str, number: usize) {
    let mut runner = world.program().spawn().unwrap();
    loop {
        let requests = world.chat.requests();
        if requests.iter().filter(|request| is_of(request, model, phase)).count() >= number {
            break;
        }
        world.chat.wait_for_more_than(requests.len()).await;
    }
    runner.kill().unwrap();
    assert_eq!(runner.wait().unwrap().signal(), Some(9));
}

/// The context of the next attempt: the API has the conversation after this turn.
fn kept_after(world: &World, turn: u32, mut context: Value) {
    let bytes = world.api.conversation().expect("each finished turn's conversation is kept").len();
    let agent = world.options.get(1).map_or("opencode", String::as_str);
    context["conversation"] = json!({"attempt": 1, "turn": turn, "agent": agent, "bytes": bytes});
    world.api.set_context(context);
}

/// The ticket ended as without a kill: in one pull request with all that both turns of work changed, each once.
fn ended_as_ever(world: &World) {
    let pulls = world.forge.pulls("demo", "hello");
    assert_eq!(pulls.len(), 1);
    let body = &pulls[0].body;
    for part in ["greets the person", "README.md", "greet.sh", "2 files changed", "11 insertions(+)"] {
        assert!(body.contains(part), "{part} is missing in: {body}");
    }
    assert!(world.on_branch("greet.sh").unwrap().contains("Hello, $1!"));
    assert_eq!(world.on_branch("README.md").unwrap().matches("sh greet.sh Ada").count(), 1);
}

/// Kills the runner after this turn, while this request has no reply, and lets another attempt go on.
async fn killed_after(turn: u32, model: &str, phase: &str, number: usize) {
    let Some(world) = World::start(holding(model, phase, number)).await else { return };
    killed_in(&world, turn, model, phase, number).await;
}

/// The same with another agent.
async fn with_agent(case: &Case, turn: u32, model: &str, phase: &str, number: usize) {
    let Some(program) = case.program() else { return };
    let mut world = World::with_agent("/nowhere/opencode".into(), holding(model, phase, number)).await;
    let program = program.to_str().unwrap();
    world.options = ["--worker-mode", case.kind.as_str(), "--acp-agent-bin", program].map(str::to_owned).to_vec();
    killed_in(&world, turn, model, phase, number).await;
}

async fn killed_in(world: &World, turn: u32, model: &str, phase: &str, number: usize) {
    kill_at(world, model, phase, number).await;
    assert!(world.forge.pulls("demo", "hello").is_empty());
    let before = world.turns();
    kept_after(world, turn, world.context());
    world.attempt_with_pulls().await.unwrap();

    ended_as_ever(world);
    // The turn that had not finished is asked again, and no other one.
    let again = |of: &str| usize::from(model == "scripted-coder" && of == phase);
    for (of, turns) in TURNS {
        assert_eq!(prompted(world, of), turns + again(of), "{of}, killed after turn {turn}");
    }
    assert!(world.steps().contains(&"resumed".to_owned()));
    let requests = world.chat.requests().split_off(before);
    if let Some(first) = requests.iter().find(|request| request.model() == "scripted-coder") {
        let all = first.body.to_string();
        let finished = TURNS.iter().flat_map(|(of, turns)| std::iter::repeat_n(*of, *turns)).take(turn as usize);
        for of in finished {
            assert!(all.contains(of), "it remembers {of}: {all}");
        }
    }
}

#[tokio::test]
async fn killed_after_research_it_goes_on_with_the_plan() {
    killed_after(1, "scripted-coder", "Phase: plan", 1).await;
}

#[tokio::test]
async fn killed_after_the_plan_it_goes_on_with_its_review() {
    killed_after(2, "scripted-director", "Phase: plan-review", 1).await;
}

#[tokio::test]
async fn killed_after_the_first_turn_it_goes_on_with_the_second() {
    killed_after(3, "scripted-director", "Phase: turn-review", 1).await;
}

#[tokio::test]
async fn killed_after_the_last_turn_it_hands_in() {
    killed_after(4, "scripted-director", "Phase: turn-review", 2).await;
}

#[tokio::test]
async fn the_work_of_a_job_without_a_repository_goes_on_as_well() {
    let (model, phase) = ("scripted-director", "Phase: turn-review");
    let Some(world) = World::start(holding(model, phase, 1)).await else { return };
    let mut context = world.context();
    let of_data = context.as_object_mut().unwrap();
    of_data.remove("repo_url");
    of_data.insert("input_data".to_owned(), json!({"files": [{"path": "README.md", "content": "# Hello\n"}]}));
    world.api.set_context(context.clone());
    kill_at(&world, model, phase, 1).await;
    kept_after(&world, 3, context);
    // With a forge that is known: the job's own repository is not there.
    world.attempt_with_pulls().await.unwrap();
    for (of, turns) in TURNS {
        assert_eq!(prompted(&world, of), turns, "{of}");
    }
    let output = &world.calls("/output")[0]["output"];
    let files = output["files"].as_array().unwrap().iter();
    let paths: Vec<&str> = files.map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(
        paths,
        ["README.md", "greet.sh"],
        "the killed attempt wrote greet.sh, and the next one the rest: {output}"
    );
}

#[tokio::test]
async fn a_conversation_about_commits_that_are_nowhere_is_left_out() {
    let (model, phase) = ("scripted-director", "Phase: turn-review");
    let Some(world) = World::start(holding(model, phase, 1)).await else { return };
    // Nothing that the first attempt commits reaches the forge, and the next one is on another host.
    let refused = Some(Answer { status: 503, times: u32::MAX, headers: &[], body: "" });
    world.forge.set_faults(Faults { push_answer: refused, ..Faults::default() });
    kill_at(&world, model, phase, 1).await;
    world.forge.set_faults(Faults::default());
    for file in std::fs::read_dir(world.unpushed.path()).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    kept_after(&world, 3, world.context());
    world.attempt_with_pulls().await.unwrap();
    assert!(world.on_branch("greet.sh").is_some(), "it was written again");
    assert_eq!(prompted(&world, "Phase: research"), 2);
}

#[tokio::test]
async fn claude_code_goes_on_after_each_kill() {
    with_agent(&CLAUDE, 1, "scripted-coder", "Phase: plan", 1).await;
    with_agent(&CLAUDE, 3, "scripted-director", "Phase: turn-review", 1).await;
}

#[tokio::test]
async fn codex_goes_on_after_each_kill() {
    with_agent(&CODEX, 1, "scripted-coder", "Phase: plan", 1).await;
    with_agent(&CODEX, 3, "scripted-director", "Phase: turn-review", 1).await;
}
