//! What counts as done: the runner itself verifies the work in a clean checkout, whatever the agent and its Director say.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

mod opencode_support;
mod ticket_support;

use serde_json::{Value, json};
use terarchitect_testbed::chat::{Rule, Script};
use ticket_support::World;

const FAILED: &str = "was then checked in a clean checkout";

/// The demonstration's script, with these rules before its own.
fn with_rules(rules: Value) -> Script {
    let mut script = Script::demo();
    script.rules.splice(0..0, serde_json::from_value::<Vec<Rule>>(rules).unwrap());
    script
}

fn asks(world: &World, proof: &Value) {
    let mut context = world.context();
    context["proof"] = proof.clone();
    world.api.set_context(context);
}

/// The log's entries about commands of this purpose: the command, its round and its exit code.
fn commands(world: &World, purpose: &str) -> Vec<(String, u64, Option<i64>)> {
    let entries = world.of_kind("command").into_iter().map(|entry| entry["data"].clone());
    let entries = entries.filter(|data| data["purpose"] == purpose);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    entries.map(|data| (text(&data["command"]), data["round"].as_u64().unwrap(), data["exit_code"].as_i64())).collect()
}

/// How the commit's one status stands.
fn status(world: &World, commit: &str) -> String {
    let checks = world.forge.checks("demo", "hello", commit);
    assert_eq!(checks.len(), 1, "{checks:?}");
    assert_eq!(checks[0].name, "terarchitect/verification");
    format!("{:?}", checks[0].state)
}

/// How often the agent was told that the verification failed.
fn told(world: &World) -> usize {
    let requests = world.chat.requests().into_iter().filter(|request| {
        let is_prompt = request.messages().last().is_some_and(|message| message["role"] == "user");
        request.model() == "scripted-coder" && is_prompt && request.last("user").contains(FAILED)
    });
    requests.count()
}

#[tokio::test]
async fn what_passes_in_a_clean_checkout_is_shown_in_the_pull_request() {
    let Some(world) = World::start(Script::demo()).await else { return };
    // The workspace has what git ignores; the clean checkout has not, but a git directory, and what the setup prepares.
    let checks =
        "test -e .git/prepared && test -z \"$(git status --porcelain)\" && sh greet.sh Ada | grep -q 'Hello, Ada!'";
    let acceptance = ["It greets people.", "It is documented."];
    asks(
        &world,
        &json!({"setup": ["touch .git/prepared"], "verification": [checks, "true"], "acceptance": acceptance}),
    );
    world.attempt_with_pulls().await.unwrap();

    assert_eq!(
        commands(&world, "setup"),
        [("touch .git/prepared".to_owned(), 0, Some(0)), ("touch .git/prepared".to_owned(), 1, Some(0))]
    );
    assert_eq!(commands(&world, "verification"), [(checks.to_owned(), 1, Some(0)), ("true".to_owned(), 1, Some(0))]);
    assert!(world.calls("/proof/proposed").is_empty());
    assert_eq!(told(&world), 0);
    let pull = &world.forge.pulls("demo", "hello")[0];
    for part in [
        "### Verification",
        "In a clean checkout of",
        "| `true` | passed |",
        "### Acceptance",
        "- [ ] It greets people. (not judged)",
    ] {
        assert!(pull.body.contains(part), "{part} is missing in: {}", pull.body);
    }
    assert!(!pull.draft);
    let director = world
        .chat
        .requests()
        .into_iter()
        .find(|request| request.model() == "scripted-director" && request.last("user").contains("turn-review"));
    assert!(director.unwrap().last("user").contains("2. It is documented."));
    assert_eq!(status(&world, &pull.head_sha), "Success");
}

#[tokio::test]
async fn what_the_director_says_about_each_line_is_in_the_pull_request() {
    let said = json!({"complete": true, "summary": "Done.", "acceptance": {"1": {"met": true, "where": "greet.sh"}, "2": {"met": false}}});
    let script = with_rules(json!([
        {"when": {"model": "scripted-director", "contains": "Phase: turn-review"}, "reply": {"text": said.to_string()}}
    ]));
    let Some(world) = World::start(script).await else { return };
    asks(&world, &json!({"acceptance": ["It greets people.", "It sings."]}));
    world.attempt_with_pulls().await.unwrap();
    let body = world.forge.pulls("demo", "hello")[0].body.clone();
    assert!(body.contains("- [x] It greets people. (greet.sh)\n- [ ] It sings."), "{body}");
    assert!(body.contains("Nothing was verified"), "{body}");
    let said = world.of_kind("acceptance");
    assert_eq!(said.len(), 1, "{said:?}");
    let lines = json!([{"line": "It greets people.", "met": true, "place": "greet.sh"}, {"line": "It sings.", "met": false, "place": ""}]);
    assert_eq!(said[0]["data"]["lines"], lines);
}

#[tokio::test]
async fn a_verification_that_fails_twice_goes_back_to_the_agent_until_it_passes() {
    let mend = json!({"filePath": "{{cwd}}/mended.txt", "content": "mended\n"});
    let script = with_rules(json!([
        {"when": {"model": "scripted-coder", "contains": FAILED, "after_tool": false}, "times": 1, "reply": {"text": "It is fine already."}},
        {"when": {"model": "scripted-coder", "contains": FAILED, "after_tool": false}, "times": 1,
         "reply": {"text": "I mend it.", "tools": [{"name": "write", "arguments": mend}]}},
        {"when": {"model": "scripted-coder", "contains": FAILED}, "reply": {"text": "Mended."}}
    ]));
    let Some(world) = World::start(script).await else { return };
    asks(
        &world,
        &json!({"verification": ["echo looking; test -e mended.txt || { echo mended.txt is missing >&2; exit 3; }"]}),
    );
    world.attempt_with_pulls().await.unwrap();

    let codes: Vec<_> = commands(&world, "verification").into_iter().map(|(_, round, code)| (round, code)).collect();
    assert_eq!(codes, [(1, Some(3)), (2, Some(3)), (3, Some(0))]);
    assert_eq!(told(&world), 2);
    let requests = world.chat.requests();
    let first = requests.iter().find(|request| request.last("user").contains(FAILED)).unwrap().last("user");
    assert!(first.contains("looking\nmended.txt is missing") && first.contains("exit code 3"), "{first}");
    assert!(!first.contains("for the last time"), "{first}");
    assert!(requests.iter().any(|request| request.last("user").contains("for the last time")));
    let pull = &world.forge.pulls("demo", "hello")[0];
    assert!(!pull.draft && pull.body.contains("| passed |"), "{}", pull.body);
    assert_eq!(world.on_branch("mended.txt").as_deref(), Some("mended\n"));
}

#[tokio::test]
async fn what_never_passes_is_a_draft_and_the_next_attempt_that_passes_makes_it_ready() {
    let Some(world) = World::start(Script::demo()).await else { return };
    let gate = tempfile::tempdir().unwrap();
    let gate = gate.path().join("open");
    let check = format!("echo at the gate; test -e {}", gate.display());
    asks(&world, &json!({"verification": [check]}));
    let error = world.attempt_with_pulls().await.unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert!(
        error.chain().contains("the verification failed 3 times") && error.chain().contains("exit code 1"),
        "{}",
        error.chain()
    );
    assert_eq!(told(&world), 2);
    assert!(world.calls("/complete").is_empty(), "a ticket whose verification fails is not complete");
    let pull = &world.forge.pulls("demo", "hello")[0];
    assert!(pull.draft, "{}", pull.body);
    for part in ["This is a draft", "failed with exit code 1", "at the gate"] {
        assert!(pull.body.contains(part), "{part} is missing in: {}", pull.body);
    }
    assert_eq!(status(&world, &pull.head_sha), "Failure");

    std::fs::write(&gate, "").unwrap();
    world.attempt_with_pulls().await.unwrap();
    let pulls = world.forge.pulls("demo", "hello");
    assert_eq!(pulls.len(), 1);
    assert!(!pulls[0].draft && !pulls[0].body.contains("This is a draft"), "{}", pulls[0].body);
}

#[tokio::test]
async fn the_base_branch_s_file_counts_and_the_ticket_branch_s_does_not() {
    let script = with_rules(json!([
        {"when": {"model": "scripted-coder", "contains": "Phase: execution", "after_tool": false}, "times": 1,
         "reply": {"text": "I make it easy.", "tools": [{"name": "write", "arguments": {
            "filePath": "{{cwd}}/.terarchitect.toml", "content": "[verification]\ncommands = [\"true\"]\n"}}]}}
    ]));
    let Some(world) = World::start(script).await else { return };
    let file = "[verification]\ncommands = [\"sh hello.sh | grep hello\"]\nrounds = 1\n";
    world.checkout().change("main", &[(".terarchitect.toml", file)]);
    world.attempt_with_pulls().await.unwrap();
    assert_eq!(commands(&world, "verification"), [("sh hello.sh | grep hello".to_owned(), 1, Some(0))]);
    let body = world.forge.pulls("demo", "hello")[0].body.clone();
    assert!(body.contains("### Review these first") && body.contains("`.terarchitect.toml (changed)`"), "{body}");
    assert!(
        world.on_branch(".terarchitect.toml").unwrap().contains("\"true\""),
        "the change itself is people's to judge"
    );
}

#[tokio::test]
async fn with_nothing_to_verify_the_repository_s_own_tests_are_proposed_and_do_not_run() {
    let Some(world) = World::start(Script::demo()).await else { return };
    let package = r#"{"scripts": {"test": "touch ran"}}"#;
    world.checkout().change("main", &[("package.json", package), ("package-lock.json", "{}")]);
    world.attempt_with_pulls().await.unwrap();
    let proposed = world.calls("/proof/proposed");
    assert_eq!(proposed, [json!({"setup": ["npm ci"], "verification": ["npm test"]})]);
    let said = world.logs("proposed_verification");
    assert!(said.len() == 1 && said[0]["summary"].as_str().unwrap().contains("`npm ci`, `npm test`"), "{said:?}");
    assert!(world.of_kind("command").is_empty());
    assert!(world.forge.pulls("demo", "hello")[0].body.contains("Nothing was verified"));
}

#[tokio::test]
async fn what_setup_left_is_kept_for_the_verification_where_the_repository_names_it() {
    let Some(world) = World::start(Script::demo()).await else { return };
    let terms = "[setup]\ncommands = [\"mkdir dep && echo made >dep/x\"]\ncache = [\"dep\"]\n[verification]\ncommands = [\"grep made dep/x\"]\n";
    world.checkout().change("main", &[(".terarchitect.toml", terms), ("yarn.lock", "1\n"), (".gitignore", "dep\n")]);
    world.attempt_with_pulls().await.unwrap();
    let said = world.logs("setup");
    assert_eq!(commands(&world, "setup"), [("mkdir dep && echo made >dep/x".to_owned(), 0, Some(0))], "{said:?}");
    assert_eq!(commands(&world, "verification"), [("grep made dep/x".to_owned(), 1, Some(0))]);
    let skipped =
        said.iter().filter_map(|entry| entry["summary"].as_str()).find(|text| text.starts_with("Setup skipped: dep"));
    assert!(skipped.is_some_and(|text| text.contains("yarn.lock are the same")), "{said:?}");
}

#[tokio::test]
async fn a_file_that_can_t_be_read_ends_the_attempt_before_anything_is_paid() {
    let Some(world) = World::start(Script::demo()).await else { return };
    world.checkout().change("main", &[(".terarchitect.toml", "[verification]\ncommand = \"make\"\n")]);
    let error = world.attempt_with_pulls().await.unwrap_err();
    assert_eq!(error.exit_code(), 2, "{}", error.chain());
    assert!(
        error.chain().contains(".terarchitect.toml") && error.chain().contains("unknown field"),
        "{}",
        error.chain()
    );
    assert_eq!(told(&world) + commands(&world, "verification").len(), 0);
}

#[tokio::test]
async fn a_runner_that_is_killed_while_it_verifies_goes_on_there() {
    let Some(world) = World::start(Script::demo()).await else { return };
    let place = tempfile::tempdir().unwrap();
    let (begun, open) = (place.path().join("begun"), place.path().join("open"));
    let check = format!("touch {}; while ! test -e {}; do sleep 0.05; done", begun.display(), open.display());
    asks(&world, &json!({"verification": [check]}));
    let mut runner = world.program().spawn().unwrap();
    while !begun.exists() {
        assert!(runner.try_wait().unwrap().is_none(), "the runner ended before it verified anything");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    runner.kill().unwrap();
    runner.wait().unwrap();
    std::fs::write(&open, "").unwrap();

    let bytes = world.api.conversation().unwrap().len();
    let mut context = world.context();
    context["proof"] = json!({"verification": [check]});
    context["conversation"] = json!({"attempt": 1, "turn": 4, "agent": "opencode", "bytes": bytes});
    world.api.set_context(context);
    let before = world.chat.requests().len();
    world.attempt_with_pulls().await.unwrap();
    let prompted = world
        .chat
        .requests()
        .split_off(before)
        .into_iter()
        .filter(|request| request.model() == "scripted-coder" && request.last("user").contains("Phase: "));
    assert_eq!(prompted.count(), 0, "no turn is paid twice");
    assert!(world.forge.pulls("demo", "hello")[0].body.contains("| passed |"));
}
