//! Secrets of a project: the commands that verify the work have them, the agent has what is marked for it, and no one reads them
//! in what the runner sends and prints.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

mod opencode_support;
mod ticket_support;

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::io::Read;
use std::process::Stdio;
use terarchitect_testbed::chat::{ChatRequest, Rule, Script};
use ticket_support::World;

/// For the commands alone, and for the agent too; one with several lines, and quotes that JSON escapes.
const HIDDEN: &str = "hunter2-hidden-value";
const SHOWN: &str = "hunter2-shown-value";
const KEY: &str = "-----BEGIN \"KEY\"-----\nhunter2hunter2hunter2hunter2hunter2hunter2\n-----END \"KEY\"-----\n";

/// The demonstration's script, in which the agent first runs this command.
fn agent_runs(command: &str) -> Script {
    let run = json!({"command": command, "description": "Look around"});
    let rules = json!([
        {"when": {"model": "scripted-coder", "contains": "Phase: execution", "after_tool": false}, "times": 1,
         "reply": {"text": "I look around.", "tools": [{"name": "bash", "arguments": run}]}}
    ]);
    let mut script = Script::demo();
    script.rules.splice(0..0, serde_json::from_value::<Vec<Rule>>(rules).unwrap());
    script
}

fn with_secrets(world: &World, proof: &Value) {
    let mut context = world.context();
    context["proof"] = proof.clone();
    context["secrets"] = json!([
        {"name": "HIDDEN", "value": HIDDEN, "given_to_agent": false},
        {"name": "SHOWN", "value": SHOWN, "given_to_agent": true},
        {"name": "SIGNING_KEY", "value": KEY},
    ]);
    world.api.set_context(context);
}

/// Everything that the API was sent.
fn sent(world: &World) -> String {
    world.calls("").iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn commands_have_them_the_agent_has_what_is_marked_and_no_one_reads_them() {
    let look = "echo \"${HIDDEN:-none} ${SIGNING_KEY:-none}\" > hidden.txt; echo \"$SHOWN\" > shown.txt; \
                echo \"it is $SHOWN\"; echo \"$SHOWN\" | base64";
    let Some(world) = World::start(agent_runs(look)).await else { return };
    // What a verification prints goes to the agent, into the log, and into the draft.
    let check = format!(
        "echo \"$HIDDEN and $SHOWN\"; printf %s \"$HIDDEN\" | base64; echo \"$SIGNING_KEY\"; test \"$HIDDEN\" = {HIDDEN} && echo equal; exit 3"
    );
    with_secrets(
        &world,
        &json!({"setup": ["printf '//r/:_authToken=%s' \"$HIDDEN\" > .npmrc"], "verification": [check]}),
    );
    let mut program = world.program();
    program.env("RUST_LOG", "debug").stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = tokio::task::spawn_blocking(move || program.output()).await.unwrap().unwrap();
    let printed = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert_eq!(ended.status.code(), Some(1), "{printed}");

    assert_eq!(
        world.on_branch("hidden.txt").as_deref(),
        Some("none none\n"),
        "the agent has no more than what is marked"
    );
    for file in ["shown.txt", ".npmrc"] {
        assert_eq!(world.on_branch(file), None, "a file with a secret is not committed");
        assert!(world.logs("left_out").iter().any(|entry| entry.to_string().contains(file)), "{file}");
    }
    let said = world.logs("secrets")[0].to_string();
    assert!(said.contains("SHOWN") && !said.contains("HIDDEN"), "{said}");
    let output = world.logs("verification")[0]["raw_output"].as_str().unwrap().to_owned();
    assert_eq!(output, "[secret] and [secret]\n[secret]\n[secret]\n\nequal");
    let pull = &world.forge.pulls("demo", "hello")[0];
    assert!(pull.draft && pull.body.contains("[secret] and [secret]"), "{}", pull.body);
    assert!(printed.contains("failed with exit code 3"), "{printed}");
    for (what, text) in [("API", sent(&world)), ("forge", pull.body.clone()), ("terminal", printed)] {
        assert!(!text.contains("hunter2"), "the {what} was told a secret: {text}");
    }
    let told = world.chat.requests();
    let told =
        told.iter().find(|request| request.last("user").contains("was then checked in a clean checkout")).unwrap();
    assert!(told.last("user").contains("[secret] and [secret]"), "{}", told.last("user"));
    assert!(!world.chat.requests().iter().any(|request| request.last("user").contains("hunter2")));
}

#[tokio::test]
async fn what_is_kept_of_the_conversation_has_none_and_the_next_attempt_goes_on_from_it() {
    let Some(world) = World::start(agent_runs("echo \"it is $SHOWN\"")).await else { return };
    with_secrets(&world, &json!({}));
    world.attempt_with_pulls().await.unwrap();
    // The agent itself has seen it.
    let seen =
        |requests: &[ChatRequest]| requests.iter().any(|request| json!(request.messages()).to_string().contains(SHOWN));
    assert!(seen(&world.chat.requests()));
    let packed = world.api.conversation().unwrap();
    let mut kept = String::new();
    GzDecoder::new(packed.as_slice()).read_to_string(&mut kept).unwrap();
    assert!(kept.contains("it is [secret]") && !kept.contains("hunter2"), "{kept}");
    assert!(!sent(&world).contains("hunter2"));

    let before = world.chat.requests().len();
    let mut context = world.context();
    context["conversation"] = json!({"attempt": 1, "turn": 3, "agent": "opencode", "bytes": packed.len()});
    world.api.set_context(context);
    world.attempt_with_pulls().await.unwrap();
    assert!(world.logs("resumed").iter().any(|entry| entry.to_string().contains("Going on after turn")));
    assert!(!seen(&world.chat.requests()[before..]), "it is not in the conversation any more");
}
